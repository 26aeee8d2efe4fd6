"""The invariants of the house, on a generated lender and through the command line."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from conftest import AS_OF, ROOT, call, done, tables
from qqloan_cli import chain
from qqloan_cli.contracts import CONTRACTS, INPUTS
from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.walk import walk


def ask(question: str, *parameters):
    return duckdb.connect().execute(question, parameters or None).fetchall()


def same(a: Path, b: Path, but: tuple[str, ...] = ()) -> None:
    left, right = tables(a, but), tables(b, but)
    assert left.keys() == right.keys()
    assert [name for name in left if left[name] != right[name]] == []


# 1. Rows in = decisions + quarantine

def test_every_row_that_came_in_is_accounted_for(lender, lender_run):
    document = json.loads((lender_run / "run.json").read_text())
    for name, counts in document["counts"].items():
        path = lender / f"{name}.csv"
        with open(path, encoding="utf-8-sig", newline="") as handle:
            rows = sum(1 for _ in csv.reader(handle)) - 1
        assert counts["in"] == rows == counts["accepted"] + counts["refused"] + counts["unmatched"], name
    applicants = document["counts"]["applicants"]
    assert ask(f"SELECT count(*) FROM '{lender_run}/decisions.parquet'")[0][0] == applicants["accepted"]
    refused = ask(f"SELECT count(DISTINCT (file, row)) FROM '{lender_run}/quarantine.parquet' WHERE input = 'applicants'")[0][0]
    assert refused == applicants["refused"]


def test_a_batch_of_which_every_row_is_refused_ends_in_quarantine(tmp_path):
    (tmp_path / "applicants.csv").write_text("application_id,applicant_id,requested_amount\nA1,P1,none of it\n")
    done("run", tmp_path / "applicants.csv", "--out", tmp_path / "run", "--as-of", AS_OF)
    with duckdb.connect() as con:
        assert con.execute(f"SELECT count(*) FROM '{tmp_path}/run/decisions.parquet'").fetchall() == [(0,)]
        assert con.execute(f"SELECT count(*) FROM '{tmp_path}/run/quarantine.parquet'").fetchall()[0][0] >= 1


def test_every_decision_has_a_reason_in_both_languages(lender_run):
    from qqloan_cli.policy.reasons import load_reasons

    reasons = load_reasons(lender_run / "config")
    said = {code for (codes,) in ask(f"SELECT reason_codes FROM '{lender_run}/decisions.parquet'") for code in codes or ["(none)"]}
    assert said and sorted(said - reasons.keys()) == []
    for table, column in (("verify", "reasons"), ("income", "reasons"), ("income", "flags"), ("social", "reasons"), ("score", "reason_codes"), ("limit", "reason_codes")):
        codes = {c for (found,) in ask(f"SELECT DISTINCT {column} FROM '{lender_run}/{table}/*.parquet'") for c in found}
        assert sorted(codes - reasons.keys()) == [], table


def test_every_stage_keeps_its_contract(lender_run):
    for name, contract in CONTRACTS.items():
        files = Run.open(lender_run).whole(name)
        if not files:
            continue
        source = f"read_parquet({[str(f) for f in files]!r})"
        got = [(column, kind) for column, kind, *_ in ask(f"DESCRIBE SELECT * FROM {source}")]
        assert got == [(c.name, c.type.replace('STRUCT("check" VARCHAR, outcome VARCHAR, code VARCHAR)[]', 'STRUCT("check" VARCHAR, outcome VARCHAR, code VARCHAR)[]')) for c in contract.columns], name
        for column in contract.columns:
            if column.null == "never":
                assert ask(f'SELECT count(*) FROM {source} WHERE "{column.name}" IS NULL')[0][0] == 0, f"{name}.{column.name}"
        if name != "quarantine":
            key = ", ".join(f'"{k}"' for k in contract.key)
            assert ask(f"SELECT count(*) - count(DISTINCT ({key})) FROM {source}")[0][0] == 0, f"{name}: {key}"


def test_rows_of_every_file_stand_in_the_order_of_their_key(lender_run):
    """Those that a stage leaves so, and those that are sorted: nobody can tell which."""
    for name, contract in CONTRACTS.items():
        if contract in INPUTS:
            continue
        for path in Run.open(lender_run).whole(name):
            key = ", ".join(f'"{k}"' for k in contract.key)
            assert ask(f"SELECT {key} FROM '{path}'") == ask(f"SELECT {key} FROM '{path}' ORDER BY {key}"), name


# 2. The same bytes

@pytest.mark.parametrize("workers", [1, 2, 8, 12])  # twelve have so little memory each that a gather has a database of its own
def test_the_number_of_workers_changes_no_byte(lender, lender_run, tmp_path, workers):
    done("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, "--workers", workers)
    same(lender_run, tmp_path / "run")


def test_the_name_of_a_run_is_no_pattern(lender, lender_run, tmp_path):
    done("run", lender, "--out", tmp_path / "runs [2026] *?'{x}", "--as-of", AS_OF)
    same(lender_run, tmp_path / "runs [2026] *?'{x}")


@pytest.mark.parametrize("parts", [1, 7])  # a hundred, of a million applications: bench_reproducible.py
def test_order_of_rows_and_split_into_files_change_no_byte(lender, lender_run, tmp_path, parts):
    turned = tmp_path / "turned"
    turned.mkdir()
    shuffle = random.Random(4).shuffle
    for path in lender.glob("*.csv"):
        head, *rows = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
        shuffle(rows)
        (turned / path.stem).mkdir()
        size = -(-len(rows) // parts) or 1
        for part in range(parts):
            (turned / path.stem / f"part-{part:03d}.csv").write_text("\n".join([head, *rows[part * size:(part + 1) * size]]) + "\n", encoding="utf-8")
    done("run", turned, "--out", tmp_path / "run", "--as-of", AS_OF)
    same(lender_run, tmp_path / "run", but=("quarantine.parquet",))


def test_the_memory_that_it_may_take_changes_no_byte(lender, lender_run, tmp_path):
    done("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, env={"QQLOAN_MEMORY_MB": "512"})
    same(lender_run, tmp_path / "run")
    refused = call("run", lender, "--out", tmp_path / "less", "--as-of", AS_OF, env={"QQLOAN_MEMORY_MB": "100"})
    assert refused.code == 2 and "memory-wrong" in refused.err


def test_home_time_zone_and_language_change_no_byte(lender, lender_run, tmp_path):
    env = {"HOME": str(tmp_path), "TZ": "America/New_York", "LANG": "zh_CN.UTF-8", "LC_ALL": "C", "QQLOAN_LANG": "zh"}
    done("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, env=env, cwd=ROOT)
    same(lender_run, tmp_path / "run")


def test_step_by_step_is_the_whole_chain(lender, lender_run, tmp_path):
    run = tmp_path / "run"
    done("intake", lender, "--out", run, "--as-of", AS_OF)
    for command in ("link", "verify", "ingest-income", "credit", "social", "score", "limit", "disburse-plan"):
        done(command, run)
    same(lender_run, run)
    again = call("limit", run)
    assert again.code == 2 and "later-stages-stand" in again.err and again.err.count("\n") <= 2
    assert (run / "decisions.parquet").exists()
    done("limit", run, "--yes")
    assert not (run / "decisions.parquet").exists()
    done("disburse-plan", run)
    same(lender_run, run)


# 3. No future

def test_what_came_later_changes_no_decision(lender, lender_run, tmp_path):
    changed = tmp_path / "lender"
    shutil.copytree(lender, changed)
    dates = {"bank_statements": "booked_at", "payroll": "pay_date", "credit_inquiries": "inquired_at", "provident_fund": "month", "wealth": "month",
             "social_activity": "month", "social_edges": "since", "credit_accounts": "opened_at", "outcomes": "observed_at"}
    for name, column in dates.items():
        path = changed / f"{name}.csv"
        with open(path, encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        later = [dict(row, **{column: "2027-02-01"}) for row in random.Random(1).sample(rows, min(len(rows), 300))]
        for row in later:
            for money in ("amount", "net", "gross", "balance"):
                if row.get(money):
                    row[money] = str(round(float(row[money]) * 7, 2)) if money != "net" else row[money]
        with open(path, "a", encoding="utf-8", newline="") as handle:
            csv.DictWriter(handle, rows[0].keys(), lineterminator="\n").writerows(later)
    done("run", changed, "--out", tmp_path / "run", "--as-of", AS_OF)
    assert (tmp_path / "run" / "decisions.parquet").read_bytes() == (lender_run / "decisions.parquet").read_bytes()


# 4. Alone and among many

def test_an_application_decided_alone_gets_what_it_gets_among_many(lender_run, tmp_path):
    among = Run.open(lender_run)
    some = [row for row in ask(f"SELECT application_id, applicant_id FROM '{lender_run}/decisions.parquet' ORDER BY application_id")][::97]
    stages = [stage for stage in chain.stages("verify", "ingest-income", "credit", "social", "score", "limit")]
    for number, (application, applicant) in enumerate(some):
        alone = Run(tmp_path / str(number), {**among.document, "buckets": 1, "stages": {}, "timings": {}, "warnings": []})
        alone.root.mkdir()
        shutil.copytree(among.config_dir, alone.config_dir)
        bucket = bucket_of(applicant, among.buckets)
        for table in [c for c in CONTRACTS if among.whole(c) and (c in ("keys", "links") or among.folder(c).parent.name == "inputs")]:
            source = among.file(table, bucket)
            column = "application_id" if "application_id" in CONTRACTS[table].names else "applicant_id" if "applicant_id" in CONTRACTS[table].names else None
            key = application if column == "application_id" else applicant
            alone.file(table, 0).parent.mkdir(parents=True, exist_ok=True)
            where = f"WHERE {column} = '{key}'" if column and not among.is_shared(table) else ""
            if source.exists():
                duckdb.execute(f"COPY (SELECT * FROM '{source}' {where}) TO '{alone.file(table, 0)}' (FORMAT parquet)")
        walk(alone, stages, 1, SILENT)
        for table in ("verify", "income", "credit", "social", "score", "limit", "limit_steps"):
            question = "SELECT * FROM '{}' WHERE application_id = ? ORDER BY ALL"
            assert ask(question.format(alone.file(table, 0)), application) == ask(question.format(among.file(table, bucket)), application), (table, application)


# 5. Money to the fen

def test_money_adds_up_to_the_fen(lender_run):
    funded, wrong = ask(f"""
        SELECT count(*), count(*) FILTER (d.funded_fen IS DISTINCT FROM p.fen OR p.fen IS DISTINCT FROM s.fen OR s.fen IS DISTINCT FROM f.fen OR d.funded_fen <> d.amount_fen)
        FROM (SELECT application_id, amount_fen, funded_fen FROM '{lender_run}/decisions.parquet' WHERE funded_fen > 0) d
        LEFT JOIN (SELECT application_id, sum(amount_fen) AS fen FROM '{lender_run}/disburse_plan/*.parquet' GROUP BY ALL) p USING (application_id)
        LEFT JOIN (SELECT application_id, sum(principal_fen) AS fen FROM '{lender_run}/schedule/*.parquet' GROUP BY ALL) s USING (application_id)
        LEFT JOIN (SELECT application_id, sum(amount_fen) AS fen FROM '{lender_run}/funding_shares/*.parquet' GROUP BY ALL) f USING (application_id)""")[0]
    assert funded > 100 and wrong == 0
    used, planned = ask(f"SELECT (SELECT sum(used_fen) FROM '{lender_run}/funding_sources.parquet'), (SELECT sum(amount_fen) FROM '{lender_run}/disburse_plan/*.parquet')")[0]
    assert used == planned
    assert ask(f"SELECT count(*) FROM '{lender_run}/schedule/*.parquet' WHERE least(principal_fen, interest_fen, fee_fen) < 0")[0][0] == 0


# 6. Caps

def test_no_offer_passes_a_cap(lender_run):
    over = ask(f"""
        SELECT l.application_id FROM '{lender_run}/limit/*.parquet' l JOIN '{lender_run}/limit_steps/*.parquet' s USING (application_id)
        WHERE l.decision = 'approve' AND (l.amount_fen > s.cap_fen OR l.all_in_annual_cost > l.cost_cap OR l.amount_fen > l.requested_amount_fen)""")
    assert over == []


# 7. Social evidence alone never declines

def test_the_worst_social_evidence_declines_nobody_whom_the_rest_would_not(lender_run, tmp_path):
    before = Run.open(lender_run)
    run = Run(tmp_path / "run", {**before.document, "stages": {}, "timings": {}, "warnings": []})
    shutil.copytree(lender_run, run.root)
    for bucket in range(run.buckets):
        _rewrite(run.file("links", bucket), "degree = 40, in_degree = 0, out_degree = 40, reciprocal = 0, core = 1, neighbours_known = 40, neighbours_bad = 40, component_size = 50, "
                 "pagerank_ppb = 1, triangles = 0, ring_id = coalesce(ring_id, 'r'), ring_size = 12, ring_ties = 30, money_cycle = true")
        _rewrite(run.file("social_activity", bucket), "active_days = 0, contacts = 0, payments_count = 0, payments_amount_fen = 0, account_age_days = 1")
        _rewrite(run.file("wealth", bucket), "balance_fen = 0")
    walk(run, chain.stages("social", "score", "limit"), 2, SILENT)
    moved = ask(f"""SELECT b.decision, a.decision, s.grade_without_social, count(*) FROM '{lender_run}/limit/*.parquet' b
                    JOIN '{run.root}/limit/*.parquet' a USING (application_id) JOIN '{run.root}/score/*.parquet' s USING (application_id)
                    WHERE b.decision <> a.decision GROUP BY ALL""")
    # Good social evidence may have kept somebody from a decline that all the rest asks for: without it, it is the rest that declines.
    assert [move for move in moved if move[1] == "decline" and move[2] != "G"] == []
    assert moved, "the worst social evidence should send somebody to a person"


def _rewrite(path: Path, assignments: str) -> None:
    if path.exists():
        con = duckdb.connect()
        con.execute(f"CREATE TABLE t AS SELECT * FROM '{path}'")
        con.execute(f"UPDATE t SET {assignments}")
        con.execute(f"COPY t TO '{path}' (FORMAT parquet)")


# 8. Whole or not at all

def test_a_stage_that_fails_leaves_the_run_as_it_was(lender_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(lender_run, run)
    before = tables(run)
    (run / "config" / "limit.toml").write_text("nonsense = [")
    failed = call("limit", run, "--yes")
    assert failed.code == 2 and failed.err.startswith("error: config-unreadable") and len(failed.err.splitlines()) == 1
    assert tables(run) == before and not (run / ".beside").exists()


def test_a_name_that_is_taken_is_not_written_over(lender, lender_run):
    before = tables(lender_run)
    refused = call("run", lender, "--out", lender_run, "--as-of", AS_OF)
    assert refused.code == 2 and "run-exists" in refused.err
    assert tables(lender_run) == before


# 9. Nobody is shown

def test_no_identifier_stands_outside_inputs_or_on_the_screen(lender, tmp_path):
    run = tmp_path / "run"
    said = done("run", lender, "--out", run, "--as-of", AS_OF, "--log-format", "jsonl")
    people = set()
    with open(lender / "applicants.csv", encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            people |= {row[k] for k in ("id_number", "phone", "bank_card", "contact_phone", "name", "device_id") if len(row[k]) >= 2}
    some = ask(f"SELECT application_id FROM '{run}/decisions.parquet' ORDER BY ALL")[::150]
    screen = said.out + said.err + "".join(done("explain", run, a, "--lang", lang).out for (a,) in some for lang in ("en", "zh"))
    screen += done("sql", run, "select * from applicants", "--format", "jsonl").out
    for path in [p for p in run.rglob("*") if p.is_file() and "inputs" not in p.relative_to(run).parts]:
        if path.suffix == ".parquet":
            screen += "\n".join(map(str, ask(f"SELECT * FROM '{path}'")))
        elif path.suffix in (".json", ".jsonl"):
            screen += path.read_text(errors="replace")
    found = {token for token in re.findall(r"[0-9A-Za-z\-]{4,40}|[\u4e00-\u9fff]{2,4}", screen) if token in people}
    assert len(people) > 1000 and {t[:3] for t in found} == set()
    assert os.stat(run / "inputs").st_mode & 0o077 == 0


# resume

def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(lender, lender_run, tmp_path):
    import signal
    import subprocess
    import sys
    import time

    out = tmp_path / "run"
    for seconds in (0.9, 1.6, 2.3):
        child = subprocess.Popen([sys.executable, "-m", "qqloan_cli", "run", str(lender), "--out", str(out), "--as-of", AS_OF, "--resume"],
                                 cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.wait()
    if not out.exists():
        done("run", lender, "--out", out, "--as-of", AS_OF, "--resume")
    same(lender_run, out)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".run")) in ([], [".run.lock"])


def test_resume_refuses_another_request(lender, tmp_path):
    hidden = tmp_path / ".run.building"
    hidden.mkdir()
    (hidden / "run.json").write_text("{}")
    (hidden / ".request").write_text(json.dumps({"as_of": "2020-01-01"}))
    refused = call("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, "--resume")
    assert refused.code == 2 and "resume-differs" in refused.err
