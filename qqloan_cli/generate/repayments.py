"""What the borrowers of a run did: paid, late, short, twice, or not at all; were reversed, and named a loan that is not there. And the truth beside it."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.errors import UsageError

BEHAVIOURS = ("punctual", "late", "short", "stops", "cures", "pays_off")
_TWICE, _SAME_ROW, _REVERSED, _PAID_AGAIN, _UNMATCHED, _MATCHED = 0.01, 0.01, 0.015, 0.7, 0.006, 0.5


def write(run: Run, months: int, seed: int, out: Path) -> dict[str, int]:
    """Writes ``out`` (CSV, contract repayments) and the truth, a row a loan, to ``truth_of(out)``. Returns rows by kind of event. The same
    run and seed give the same bytes."""
    loans, due = _read(run, months)
    rng = np.random.default_rng(seed)
    n = len(loans["loan_id"])
    stops = rng.random(n) < np.clip(3 * loans["pd"] + 0.02, 0, 0.5)
    behaviour = np.where(stops, np.where(rng.random(n) < 0.4, 4, 3), np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2])[rng.integers(0, 10, n)])
    behaviour = np.where(rng.random(n) < 0.02, 5, behaviour)
    stops_at = rng.integers(1, max(months, 2) + 1, n)  # the first instalment that is not paid, or after which all is paid
    silent = rng.integers(20, 140, n)  # days until a loan that stopped pays what is behind

    of, at, k = due["loan"], due["due"], due["k"]
    kind = behaviour[of]
    m = len(of)
    pays = ~(((kind == 3) | (kind == 4)) & (k >= stops_at[of])) & ~((kind == 5) & (k > stops_at[of]))
    delay = np.where(rng.random(m) < 0.8, -rng.integers(0, 4, m), 0)
    delay = np.where((kind == 1) & (rng.random(m) < 0.6), rng.geometric(0.12, m), delay)
    share = np.where((kind == 2) & (rng.random(m) < 0.5), rng.integers(30, 96, m), 100)
    fen = due["fen"] * share // 100
    paid_on = np.maximum(at + delay, loans["drawn"][of])
    later = (share < 100) & (rng.random(m) < 0.6)

    # the first of a loan that cures: everything that is behind by then, and from then on each as it falls due
    cured_on = np.where(behaviour == 4, _nth_due(due, n, stops_at) + silent, 0)
    behind = (kind == 4) & (k >= stops_at[of])
    cure_day = np.maximum(cured_on[of], at)
    parts = [
        (of[pays], paid_on[pays], fen[pays], "repayment"),
        (of[later], paid_on[later] + 12, (due["fen"] - fen)[later], "repayment"),
        (of[behind], cure_day[behind], due["fen"][behind], "repayment"),
    ]
    off = np.flatnonzero((kind == 5) & (k == stops_at[of]) & (due["left_fen"] > 0))
    parts.append((of[off], paid_on[off] + 1, due["left_fen"][off] * 103 // 100, "prepayment"))
    loan, day, money = (np.concatenate([part[i] for part in parts]) for i in range(3))
    words = np.concatenate([np.full(len(part[0]), part[3], object) for part in parts])

    again = rng.random(len(loan)) < _TWICE
    loan, day, money, words = (np.concatenate([values, values[again]]) for values in (loan, day, money, words))
    order = np.lexsort((money, loan, day))
    loan, day, money, words = loan[order], day[order], money[order], words[order]
    end = _day(run.as_of) + 31 * months
    inside = (day <= end) & (money > 0)
    loan, day, money, words = loan[inside], day[inside], money[inside], words[inside]

    e = len(loan)
    turned_back, lost = rng.random(e) < _REVERSED, rng.random(e) < _UNMATCHED
    back_on, again_on, found_on = day + rng.integers(1, 4, e), day + rng.integers(4, 8, e), day + rng.integers(5, 21, e)
    paid_again, found = turned_back & (rng.random(e) < _PAID_AGAIN), lost & (rng.random(e) < _MATCHED)
    ids = np.array([f"E{number:08d}" for number in range(1, e + 1)], object)
    names = np.array(loans["loan_id"], object)[loan]
    named = np.where(lost, np.array([f"X{name}" for name in names], object), names)
    rows = [
        (ids, named, words, day, money, np.full(e, None, object)),
        (_more(ids, turned_back, "R"), named[turned_back], np.full(turned_back.sum(), "reversal", object), back_on[turned_back], None, ids[turned_back]),
        (_more(ids, paid_again, "A"), names[paid_again], np.full(paid_again.sum(), "repayment", object), again_on[paid_again], money[paid_again], np.full(paid_again.sum(), None, object)),
        (_more(ids, found, "M"), names[found], np.full(found.sum(), "match", object), found_on[found], None, ids[found]),
    ]
    same = rng.random(e) < _SAME_ROW
    rows.append(tuple(None if column is None else column[same] for column in rows[0]))
    table = pa.concat_tables([_table(*part) for part in rows]).sort_by([("value_date", "ascending"), ("event_id", "ascending")])
    _csv(table, out)
    counted = {name: np.bincount(loan[flag], minlength=n) for name, flag in (("reversed", turned_back), ("unmatched", lost), ("same_row", same))}
    _csv(pa.table({
        "loan_id": loans["loan_id"], "behaviour": [BEHAVIOURS[code] for code in behaviour.tolist()],
        "stops_with_instalment": pa.array(stops_at, mask=~np.isin(behaviour, (3, 4))), "cured_on": _dates(cured_on, cured_on == 0), **counted,
    }), truth_of(out))
    kinds = table["kind"].to_pylist()
    return {word: kinds.count(word) for word in sorted(set(kinds))}


def truth_of(out: Path) -> Path:
    return out.with_name(f"{out.stem}.truth{out.suffix}")


def _read(run: Run, months: int) -> tuple[dict, dict]:
    if not run.whole("schedule"):
        raise UsageError("run-without-plan", "the run has no disburse plan", str(run.root), "qqloan disburse-plan RUN makes one.")
    con = connect(1)
    try:
        for table in ("disburse_plan", "schedule", "limit"):
            run.bind(con, table)
        con.execute("""CREATE TEMP TABLE drawn AS
            SELECT application_id || '-' || tranche_no AS loan_id, application_id, tranche_no, min(pay_date) AS drawn_on FROM disburse_plan GROUP BY ALL""")
        con.execute("CREATE TEMP TABLE numbered AS SELECT *, row_number() OVER (ORDER BY loan_id) - 1 AS loan FROM drawn")
        loans = con.sql('SELECT loan_id, drawn_on - DATE \'1970-01-01\' AS drawn, coalesce(pd, 0.05) AS pd FROM numbered JOIN "limit" USING (application_id) ORDER BY loan').to_arrow_table()
        due = con.sql("""
            SELECT loan, row_number() OVER of AS k, due_date - DATE '1970-01-01' AS due, principal_fen + interest_fen + fee_fen AS fen,
              sum(principal_fen) OVER (PARTITION BY loan) - sum(principal_fen) OVER of AS left_fen
            FROM schedule JOIN numbered USING (application_id, tranche_no)
            WINDOW of AS (PARTITION BY loan ORDER BY instalment_no) ORDER BY loan, k""").to_arrow_table()
    finally:
        con.close()
    instalments = {name: due[name].to_numpy().astype(np.int64) for name in due.column_names}
    early = instalments["k"] <= months
    return (
        {"loan_id": loans["loan_id"].to_pylist(), "drawn": loans["drawn"].to_numpy().astype(np.int64), "pd": loans["pd"].to_numpy().astype(np.float64)},
        {name: values[early] for name, values in instalments.items()},
    )


def _nth_due(due: dict, n: int, which: np.ndarray) -> np.ndarray:
    """The due date of instalment ``which`` of each loan; the last that it has where it has fewer."""
    found = np.zeros(n, np.int64)
    some = due["k"] <= which[due["loan"]]
    np.maximum.at(found, due["loan"][some], due["due"][some])
    return found


def _more(ids: np.ndarray, some: np.ndarray, letter: str) -> np.ndarray:
    return np.array([f"{name}{letter}" for name in ids[some]], object)


def _table(ids, loan, kind, day, fen, reverses) -> pa.Table:
    amount = pa.nulls(len(ids), pa.string()) if fen is None else pa.array([f"{value // 100}.{value % 100:02d}" for value in fen.tolist()], pa.string())
    return pa.table({
        "event_id": pa.array(ids, pa.string()), "loan_id": pa.array(loan, pa.string()), "kind": pa.array(kind, pa.string()),
        "value_date": _dates(np.asarray(day)), "amount": amount, "reverses": pa.array(reverses, pa.string()),
    })


def _dates(days: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    return pa.array(days.astype(np.int32), pa.int32(), mask=missing).cast(pa.date32())


def _csv(table: pa.Table, out: Path) -> None:
    beside = out.with_name(f".{out.name}.tmp")
    pyarrow.csv.write_csv(table, beside)
    os.replace(beside, out)


def _day(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days
