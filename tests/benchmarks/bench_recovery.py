"""How much of a generated lender's hidden truth the chain finds again, beside a plain rule. A JSON line a seed.

    python tests/benchmarks/bench_recovery.py [--applicants 20000] [--seeds 1 2 3] [--keep FOLDER]

The generator's own faults are those that the rules were made with. So before the run three more kinds of forging are planted
here, in honest applicants with a statement that shows pay, which no rule was tuned on:

    cloned       the statement is somebody else's, line by line, who earns more
    recomputed   pay lines are raised by 80 %, and every balance after them is worked out anew, so all of it adds up
    slips-edited pay slips show 40 % more than the statement: less than what the rules call inflated
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

AS_OF = "2026-11-24"
PLANTED = ("cloned", "recomputed", "slips-edited")
ONE_IN = 400  # applicants of each kind
SAYS_PAY = "工资|薪|salary|wage|payroll"


def qqloan(*arguments) -> None:
    subprocess.run([sys.executable, "-m", "qqloan_cli", *map(str, arguments), "--quiet"], stdout=subprocess.DEVNULL, check=True)


def plant(con: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Changes the lender's files, and leaves who was changed how in the table ``planted`` (applicant_id, kind)."""
    con.execute(f"""
        CREATE TABLE truth AS FROM '{data}/truth/truth_applications.parquet';
        CREATE TABLE lines AS SELECT row_number() OVER () AS n, * FROM '{data}/bank_statements/*.parquet';
        CREATE TABLE slips AS FROM '{data}/payroll/*.parquet';
        CREATE TABLE paid AS
          SELECT applicant_id, true_monthly_income, row_number() OVER (ORDER BY md5(applicant_id)) AS place
          FROM truth SEMI JOIN (SELECT applicant_id FROM lines WHERE amount > 0 AND regexp_matches(memo, '{SAYS_PAY}') GROUP BY ALL HAVING count(*) >= 5) USING (applicant_id)
          WHERE fault IS NULL AND ring_id IS NULL AND work = 'salaried';
        CREATE TABLE planted AS
          SELECT applicant_id, ['{"', '".join(PLANTED)}'][1 + place % {len(PLANTED)}] AS kind, true_monthly_income, place
          FROM paid WHERE place <= (SELECT count(*) FROM truth) * {len(PLANTED)} // {ONE_IN};
        CREATE TABLE lent AS  -- whose statement a clone shows: somebody honest who earns half as much again and more
          SELECT p.applicant_id, min_by(q.applicant_id, q.place) AS lender
          FROM planted p JOIN paid q ON q.true_monthly_income > 1.5 * p.true_monthly_income AND q.place > p.place + 500
          WHERE p.kind = 'cloned' AND q.applicant_id NOT IN (SELECT applicant_id FROM planted) GROUP BY ALL;
        DELETE FROM planted WHERE kind = 'cloned' AND applicant_id NOT IN (SELECT applicant_id FROM lent);

        CREATE TABLE changed AS
        WITH raised AS (
          SELECT l.*, CASE WHEN amount > 0 AND regexp_matches(memo, '{SAYS_PAY}') THEN CAST(amount * 0.8 AS DECIMAL(18,2)) ELSE 0 END AS more
          FROM lines l JOIN planted p USING (applicant_id) WHERE p.kind = 'recomputed'
        )
        SELECT * EXCLUDE (more, n) REPLACE (
          CAST(amount + more AS DECIMAL(18,2)) AS amount,
          CAST(balance + sum(more) OVER (PARTITION BY applicant_id, account ORDER BY booked_at, n) AS DECIMAL(18,2)) AS balance)
        FROM raised
        UNION ALL
        SELECT l.* EXCLUDE (n) REPLACE (c.applicant_id AS applicant_id) FROM lines l JOIN lent c ON l.applicant_id = c.lender
        UNION ALL
        SELECT * EXCLUDE (n) FROM lines ANTI JOIN (FROM planted WHERE kind IN ('cloned', 'recomputed')) USING (applicant_id);

        CREATE TABLE slips_changed AS
        SELECT s.* REPLACE (CASE WHEN p.kind = 'slips-edited' THEN CAST(net * 1.4 AS DECIMAL(18,2)) ELSE net END AS net,
          CASE WHEN p.kind = 'slips-edited' THEN CAST(gross * 1.4 AS DECIMAL(18,2)) ELSE gross END AS gross)
        FROM slips s LEFT JOIN planted p USING (applicant_id);
    """)
    for table, name in (("changed", "bank_statements"), ("slips_changed", "payroll")):
        for path in (data / name).glob("*.parquet"):
            path.unlink()
        con.execute(f"COPY (FROM {table} ORDER BY ALL) TO '{data}/{name}/00000.parquet'")


def recovered(con: duckdb.DuckDBPyConnection, data: Path, run: Path) -> dict:
    def one(sql: str):
        return con.execute(sql).fetchall()[0]

    for table in ("income", "income_lines", "verify", "social"):
        con.execute(f"CREATE VIEW {table} AS FROM '{run}/{table}/*.parquet'")
    con.execute(f"""
        CREATE TABLE told AS
        SELECT t.*, i.* EXCLUDE (application_id, applicant_id), p.kind, v.reasons AS verify_reasons, s.ring_alert, monthly_income_fen / 100.0 / nullif(true_monthly_income, 0) AS ratio,
          t.fault IS NULL AND t.ring_id IS NULL AND p.kind IS NULL AND NOT t.pay_forged AND t.applicant_id NOT IN (SELECT lender FROM lent) AS honest,
          list_has_any(i.flags, ['I-INFLATED', 'I-CIRCULAR', 'I-BALANCE-BREAK', 'I-UNSEEN-PAY', 'I-ABOVE-FUND']) OR list_contains(v.reasons, 'V-SAME-STATEMENT') AS forged,
          list_bool_or(list_transform(v.reasons, lambda r: starts_with(r, 'V-SAME-') OR r = 'V-OPEN-APPLICATION')) AS same
        FROM truth t JOIN income i USING (application_id) JOIN verify v USING (application_id) JOIN social s USING (application_id)
        LEFT JOIN (SELECT applicant_id, kind FROM planted) p ON p.applicant_id = t.applicant_id
    """)
    found: dict = {"applications": one("SELECT count(*) FROM told")[0]}
    for name, where in (("all", "true"), ("salaried", "work = 'salaried'"), ("self_employed", "work = 'self_employed'"), ("gig", "work = 'gig'")):
        found[f"income_{name}"] = dict(zip(("honest", "shown", "within_10", "bias_median", "bias_mean"), one(
            f"SELECT count(*), count(ratio), round(avg((abs(ratio - 1) <= 0.1)::INT), 4), round(median(ratio) - 1, 4), round(avg(ratio) - 1, 4) FROM told WHERE honest AND {where}")))
    found["income_plain_rule"] = dict(zip(("shown", "within_10", "bias_median"), one(f"""
        WITH plain AS (SELECT applicant_id, sum(amount) / count(DISTINCT date_trunc('month', booked_at)) AS monthly FROM changed WHERE amount > 0 AND regexp_matches(memo, '{SAYS_PAY}') GROUP BY ALL)
        SELECT count(*), round(avg((abs(monthly / true_monthly_income - 1) <= 0.1)::INT), 4), round(median(monthly / true_monthly_income) - 1, 4)
        FROM told JOIN plain USING (applicant_id) WHERE honest AND true_monthly_income > 0""")))
    # Nobody is held against what somebody will do later: of two who share a statement, a phone or a card the later one is found, and of a
    # ring those who came after it could be seen. So a clone counts as found where it or its source is, and a pair where either is.
    con.execute("CREATE TABLE clones_seen AS SELECT l.applicant_id FROM lent l JOIN told t ON t.applicant_id = l.lender WHERE t.forged")
    for name, kinds in (("seen", "fault IN ('pay-inflated', 'pay-invented', 'statement-forged', 'pay-circular')"), ("unseen", "kind IS NOT NULL")):
        found[f"forged_{name}"] = {kind: {"n": n, "found": share, "overstated_and_not_found": harm} for kind, n, share, harm in con.execute(f"""
            WITH looked_at AS (SELECT *, forged OR applicant_id IN (FROM clones_seen) AS seen FROM told WHERE {kinds})
            SELECT coalesce(kind, fault) AS k, count(*), round(avg(seen::INT), 4), round(avg((NOT seen AND ratio > 1.1)::INT), 4) FROM looked_at GROUP BY k ORDER BY k""").fetchall()}
    found["forged_false_alarms"] = float(one("SELECT round(avg(forged::INT), 4) FROM told WHERE honest")[0])
    for truly in ("own_transfer", "refund"):
        found[f"{truly}_counted"] = one(f"""
            WITH true_lines AS (SELECT applicant_id, CAST(booked_at AS DATE) AS on_date, CAST(amount * 100 AS BIGINT) AS fen, count(*) AS n
              FROM '{data}/truth/truth_lines.parquet' ANTI JOIN planted USING (applicant_id) WHERE truly = '{truly}' AND amount > 0 GROUP BY ALL),
            counted AS (SELECT DISTINCT applicant_id, on_date, amount_fen AS fen FROM income_lines JOIN (SELECT application_id, applicant_id FROM income) USING (application_id) WHERE figure = 'bank_income')
            SELECT round(coalesce(sum(l.fen * l.n) FILTER (c.fen IS NOT NULL) / sum(l.fen * l.n), 0), 5) FROM true_lines l LEFT JOIN counted c USING (applicant_id, on_date, fen)""")[0]
    found["rings"] = dict(zip(("rings", "found", "members", "members_found", "false_alarms"), one("""
        WITH rings AS (SELECT ring_id, bool_or(ring_alert IS TRUE) AS found FROM told WHERE ring_id IS NOT NULL GROUP BY ring_id)
        SELECT (SELECT count(*) FROM rings), (SELECT round(avg(found::INT), 4) FROM rings), count(*) FILTER (ring_id IS NOT NULL),
          round(avg((ring_alert IS TRUE)::INT) FILTER (ring_id IS NOT NULL), 4), round(avg((ring_alert IS TRUE)::INT) FILTER (ring_id IS NULL AND shares_with IS NULL), 4) FROM told""")))
    found["duplicates"] = dict(zip(("pairs", "found", "false_alarms"), one("""
        SELECT count(*), round(avg((a.same OR b.same)::INT), 4),
          (SELECT round(avg(same::INT), 4) FROM told t WHERE honest AND family_with IS NULL AND application_id NOT IN (SELECT shares_with FROM told WHERE shares_with IS NOT NULL))
        FROM told a JOIN told b ON b.application_id = a.shares_with""")))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--applicants", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for seed in chosen.seeds:
            folder = (chosen.keep or Path(scratch)) / f"seed-{seed}"
            data, run = folder / "lender", folder / "run"
            qqloan("generate", "--applicants", chosen.applicants, "--seed", seed, "--format", "parquet", "--out", data)
            with duckdb.connect() as con:
                plant(con, data)
                qqloan("run", data, "--out", run, "--as-of", AS_OF)
                print(json.dumps({"bench": "recovery", "date": datetime.date.today().isoformat(), "seed": seed, **recovered(con, data, run)}, default=float), flush=True)


if __name__ == "__main__":
    main()
