"""Measures of a portfolio from its panel: ageing, roll rates, vintages, early default, cures, and a year's moves between buckets.

A panel has a row a loan and month: our own (panel.py), or any lender's with loan_id, month, dpd and balance. A book's own months are
measured bucket by bucket by ``measured_book.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect, duckdb_error, literal
from qqloan_cli.errors import InputError, UsageError
from qqloan_cli.servicing import transitions

BUCKETS = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M6+")
KEYS = {"ageing": ("month", "bucket"), "rolls": ("from_month", "from_bucket", "to_bucket"), "vintages": ("cohort", "mob"), "early": ("cohort",), "cures": ("defaulted_in",)}
MEASURES = (*KEYS, "transitions")
_HERE = Path(__file__).with_name("measured")  # a file of SQL a measure
_NEEDED = ("loan_id", "month", "dpd")
_OTHERS = {
    "balance_fen": "BIGINT", "status": "VARCHAR", "mob": "INTEGER", "drawn_on": "DATE", "first_due_on": "DATE", "oldest_due_date": "DATE", "principal_fen": "BIGINT",
}


def measure(paths: list[Path], wanted: str, con=None) -> pa.Table:
    """One of MEASURES of a panel in Parquet or CSV. Raises InputError where the files are no panel."""
    if wanted not in MEASURES:
        raise UsageError("measure-unknown", f"there is no measure {wanted}", "--measure", f"There are: {', '.join(MEASURES)}.")
    own = con is None
    con = con or connect(2)
    try:
        _bind(con, paths)
        con.execute("CREATE OR REPLACE TEMP TABLE panel_end AS SELECT max(month) AS seen_to FROM panel")
        name = "rolls" if wanted == "transitions" else wanted
        for part in ("aged", name, f"{name}_shares"):
            con.execute(script(part))
        if wanted == "transitions":
            return _year(con)
        return taken(con, wanted)
    finally:
        if own:
            con.close()


def taken(con, name: str) -> pa.Table:
    return con.sql(f"SELECT * FROM {name} ORDER BY {', '.join(KEYS[name])}").to_arrow_table()


def script(name: str) -> str:
    """The SQL of a measure (``aged`` first, for it is what all read), which leaves NAME_counted: whole numbers that add up over parts of a
    portfolio; or of NAME_shares, which makes NAME of them."""
    return (_HERE / f"{name}.sql").read_text(encoding="utf-8")


def _bind(con, paths: list[Path]) -> None:
    readers = [f"{'read_csv' if path.suffix.lower() == '.csv' else 'read_parquet'}({literal(str(path))})" for path in paths]
    have = [_columns(con, path, reader) for path, reader in zip(paths, readers)]
    names = [name for name in (*_NEEDED, *_OTHERS) if any(name in of for of in have)]
    for path, of in zip(paths, have):
        lacks = [name for name in names if name not in of]
        if lacks:
            raise InputError("panel-files-differ", f"the file lacks {', '.join(lacks)}, which others have", str(path), "Files that are measured together have the same columns, in any order.")
    con.execute("CREATE OR REPLACE TEMP TABLE told AS " + " UNION ALL ".join(f"SELECT {', '.join(names)} FROM {reader}" for reader in readers))
    types = {"loan_id": "VARCHAR", "month": "DATE", "dpd": "BIGINT"} | _OTHERS
    [(rows, *unread)] = con.execute(f"SELECT count(*), {', '.join(f'count({name}) - count(TRY_CAST({name} AS {types[name]}))' for name in names)} FROM told").fetchall()
    if not rows:
        raise InputError("panel-empty", "the panel has no rows", str(paths[0]), "A measure of nothing is none: name the files of the months that are wanted.")
    for name, many in zip(names, unread):
        if many:
            raise InputError("panel-value", f"{many:,} values of {name} cannot be read", str(paths[0]), f"{types[name]} is wanted{', e.g. 2026-01-31' if types[name] == 'DATE' else ''}.")
    values = ", ".join(f"{_said(name, type) if name in names else _instead(name)} AS {name}" for name, type in _OTHERS.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE panel AS SELECT CAST(loan_id AS VARCHAR) AS loan_id, last_day(CAST(month AS DATE)) AS month, CAST(dpd AS BIGINT) AS dpd, {values} FROM told")
    con.execute("DROP TABLE told")
    con.execute("UPDATE panel SET dpd = 0 WHERE dpd IS NULL AND status IN ('paid', 'written_off')")
    lacking = con.execute("SELECT count(*) FROM panel WHERE loan_id IS NULL OR month IS NULL OR dpd IS NULL OR dpd < 0").fetchall()[0][0]
    if lacking:
        what = f"{lacking:,} rows have no loan_id, no month, or no days past due of 0 or more"
        raise InputError("panel-row-lacks", what, str(paths[0]), "How late a loan is cannot be guessed: leave such rows out, or say paid or written_off as their status.")
    twice = con.execute("SELECT count(*) FROM (SELECT 1 FROM panel GROUP BY loan_id, month HAVING count(*) > 1)").fetchall()[0][0]
    if twice:
        raise InputError("panel-twice", f"{twice:,} loans stand twice in a month", str(paths[0]), "A row a loan and month is wanted.")


def _columns(con, path: Path, reader: str) -> list[str]:
    try:
        names = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()]
    except duckdb_error():
        raise InputError("panel-unreadable", "the file cannot be read", str(path), "A panel is Parquet or CSV: qqloan servicing panel writes one.") from None
    lacks = [name for name in _NEEDED if name not in names]
    if lacks:
        raise InputError("panel-lacks", f"the panel lacks {', '.join(lacks)}", str(path), "A panel has loan_id, month and dpd; balance_fen and drawn_on where they are known.")
    return names


def _said(name: str, type: str) -> str:
    """As the panel says it; when a loan was drawn, where a row does not."""
    return f"coalesce(CAST({name} AS {type}), {_instead(name)})" if name in ("drawn_on", "mob") else f"CAST({name} AS {type})"


def _instead(name: str) -> str:
    """Where a panel does not say: a loan was drawn in the first month that it is seen in, of one fen, and is in no state but its lateness."""
    return {
        "balance_fen": "CAST(1 AS BIGINT)", "principal_fen": "CAST(1 AS BIGINT)", "status": "CAST(NULL AS VARCHAR)",
        "drawn_on": "min(CAST(month AS DATE)) OVER (PARTITION BY loan_id)",
        "mob": "CAST(datediff('month', min(CAST(month AS DATE)) OVER (PARTITION BY loan_id), CAST(month AS DATE)) AS INTEGER)",
    }.get(name, "CAST(NULL AS DATE)")


def _year(con) -> pa.Table:
    """Shares of loans by bucket after twelve months: by cohort (a month's shares, twelve times) and by duration. Of loans that left, no move is known."""
    codes = {name: code for code, name in enumerate((*BUCKETS, "paid", "written_off"))}
    counts, left = np.zeros((len(codes), len(codes))), np.zeros(len(codes))
    for from_, to, loans in con.execute("SELECT from_bucket, to_bucket, sum(loans) FROM rolls GROUP BY ALL").fetchall():
        if to == "left":
            left[codes[from_]] += int(loans)
        else:
            counts[codes[from_], codes[to]] += int(loans)
    by_cohort = np.linalg.matrix_power(transitions.cohort(counts), 12)
    by_duration = transitions.over(transitions.generator(counts, counts.sum(axis=1) / 12), 1.0)
    names = list(codes)
    return pa.table({
        "from_bucket": [a for a in BUCKETS for _ in names], "to_bucket": names * len(BUCKETS),
        "moves": counts[: len(BUCKETS)].astype(np.int64).ravel(), "left": np.repeat(left[: len(BUCKETS)].astype(np.int64), len(names)),
        "cohort_12m": by_cohort[: len(BUCKETS)].ravel().round(6), "duration_12m": by_duration[: len(BUCKETS)].ravel().round(6),
    })
