"""What a funder says that loans brought it, against what settlement gave it: every difference to the fen, loan by loan."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect
from qqloan_cli.errors import UsageError
from qqloan_cli.intake.files import find
from qqloan_cli.intake.single import take
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.settle import settle_agreed, settled

PARTS = ("principal", "interest", "penalty", "fees", "recovered", "outstanding")


def reconcile_funder(book: Book, paths: list[Path], funder: str, first: datetime.date, last: datetime.date, config: Path, source: str | None) -> tuple[dict, pa.Table]:
    """(breaks, difference_fen: the book less the files, outstanding principal not counted, file_rows_refused) and one row a loan and part
    that differ. The files have the columns of contract funder_statements, or those of the mapping ``source``. Raises UsageError at a
    source that funds nothing of the book, or days that are not closed."""
    book.must_be_closed(last, "--to")
    if first > last:
        raise UsageError("period-wrong", f"{first} is after {last}", "--from", "Name an earlier day.")
    ours, by_value = (_ours(book, funder, first, last, by) for by in ("posted_at", "value_date"))
    with tempfile.TemporaryDirectory(prefix="qqloan-reconcile-") as scratch:
        con = connect(2, scratch=Path(scratch))
        try:
            take(con, "funder_statements", find(paths), config, source, Path(scratch))
            con.register("ours", ours)
            con.register("by_value", by_value)
            for table in ("ledger", "events"):
                con.execute(f"CREATE TEMP VIEW {table} AS {book.source(table)}")
            con.execute(f"CREATE TEMP TABLE book_loans AS SELECT loan_id FROM ({book.source('loans')})")
            con.execute("SET VARIABLE first = $1::DATE", [first])
            con.execute("SET VARIABLE last = $1::DATE", [last])
            con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
            [(difference,)] = con.execute("SELECT coalesce(sum(difference_fen), 0)::BIGINT FROM breaks WHERE part <> 'outstanding'").fetchall()
            [(refused,)] = con.execute("SELECT count(*) FROM checked WHERE _bad").fetchall()
            rows = con.sql("SELECT * FROM breaks ORDER BY loan_id, part").to_arrow_table()
        finally:
            con.close()
    return {"breaks": len(rows), "difference_fen": difference, "file_rows_refused": refused}, rows


def _ours(book: Book, funder: str, first: datetime.date, last: datetime.date, by: str) -> pa.Table:
    """loan_id, part and fen of what is not nothing."""
    with settled(book, first, last, by) as (con, sources, distinct):
        if funder not in sources:
            raise UsageError("funder-unknown", f"{funder} has no money in the book", "--funder", f"There are: {', '.join(sources)}.")
        found = []
        for agreed, servicing in enumerate(distinct):
            brought: dict[str, np.ndarray] = {}
            _, owned = settle_agreed(con, agreed, servicing, sources, brought, funder)
            names = con.sql(f"SELECT loan_id FROM loans WHERE agreed = {agreed} ORDER BY loan").to_arrow_table()["loan_id"]
            for part in PARTS:
                fen = owned[:, sources.index(funder)] if part == "outstanding" else brought[part]
                some = np.flatnonzero(fen)
                found.append(pa.table({"loan_id": names.take(pa.array(some)), "part": pa.array([part] * len(some), pa.string()), "fen": fen[some]}))
    return pa.concat_tables(found)
