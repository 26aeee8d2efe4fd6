"""The book's money against what a channel or a funder says: every difference found, aged, and explained where the book knows why."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import connect
from qqloan_cli.errors import UsageError
from qqloan_cli.intake.files import find
from qqloan_cli.intake.single import take
from qqloan_cli.servicing.book import Book


def reconcile(book: Book, paths: list[Path], first: datetime.date, last: datetime.date, config: Path, source: str | None) -> tuple[dict, pa.Table]:
    """(breaks, difference_fen: the book less the files, file_rows_refused) and one row a difference, whose fen add up to it. The files have contract repayments' columns, or those of the mapping ``source``."""
    if first > last:
        raise UsageError("period-wrong", f"{first} is after {last}", "--from", "Name an earlier day.")
    with tempfile.TemporaryDirectory(prefix="qqloan-reconcile-") as scratch:
        con = connect(2, scratch=Path(scratch))
        try:
            take(con, "repayments", find(paths), config, source, Path(scratch))
            con.execute("""CREATE TEMP TABLE theirs AS SELECT trim(event_id) AS event_id, nullif(trim(loan_id), '') AS loan_id, coalesce(nullif(trim(kind), ''), 'repayment') AS kind,
                value_date, amount_fen, nullif(trim(reverses), '') AS reverses FROM checked WHERE NOT _bad""")
            con.execute(f"CREATE TEMP TABLE ours AS {book.source('events')}")
            con.execute(f"CREATE TEMP TABLE book_loans AS SELECT loan_id FROM ({book.source('loans')})")
            con.execute("SET VARIABLE first = $1::DATE", [first])
            con.execute("SET VARIABLE last = $1::DATE", [last])
            con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
            ours, theirs = con.execute("SELECT coalesce(sum(our_fen), 0)::BIGINT, coalesce(sum(their_fen), 0)::BIGINT FROM breaks").fetchall()[0]
            rows = con.sql("SELECT * FROM breaks ORDER BY what, event_id").to_arrow_table()
            refused = con.execute("SELECT count(*) FROM checked WHERE _bad").fetchall()[0][0]
        finally:
            con.close()
    return {"breaks": len(rows), "difference_fen": ours - theirs, "file_rows_refused": refused}, rows
