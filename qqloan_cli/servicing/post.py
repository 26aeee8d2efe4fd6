"""A file of events into a book: idempotent by event_id; rows that cannot be are refused, with their reason."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

from qqloan_cli.engine.session import connect
from qqloan_cli.intake import refuse
from qqloan_cli.intake.files import find
from qqloan_cli.intake.single import take
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.take_in import day_of, keep

_HERE = Path(__file__).parent


def post(book: Book, paths: list[Path], received_on: datetime.date | None, config: Path, source: str | None, dry_run: bool = False) -> dict:
    """Returns the counts: rows, posted, repeated, refused, unmatched (of the posted) and money_fen. With ``dry_run`` nothing is
    written. Raises UsageError at a day that is closed; nothing is posted then."""
    day, files = day_of(book, received_on), find(paths)
    number, beside = book.new_folder("posts")
    with tempfile.TemporaryDirectory(prefix="qqloan-post-") as scratch:
        con = connect(2, scratch=Path(scratch))
        try:
            take(con, "repayments", files, config, source, Path(scratch))
            con.execute("SET VARIABLE received_on = $1::DATE", [day])
            con.execute(f"CREATE TEMP TABLE known_events AS SELECT * FROM ({book.source('events')}) SEMI JOIN (SELECT DISTINCT trim(event_id) AS event_id FROM checked WHERE NOT _bad) USING (event_id)")
            con.execute(f"CREATE TEMP VIEW book_loans AS {_loans_by_bucket(book)}")
            refuse.names(con, files)
            con.execute((_HERE / "post.sql").read_text(encoding="utf-8"))
            con.execute(f"CREATE TEMP VIEW all_events AS SELECT event_id, value_date FROM ({book.source('events')})")
            con.execute((_HERE / "reach.sql").read_text(encoding="utf-8"))
            for table, rule, why in (("conflicts", "event-conflict", "another event with this event_id says something else"), ("too_late", "cancel-too-late", "the loan is drawn by then")):
                con.execute(f"INSERT INTO refused SELECT src_file, n.name, src_row, 'event_id', '{rule}', '{why}', mask(event_id) FROM {table} JOIN file_names AS n ON n.no = src_file")
            refused = refuse.rows(con)
            counts = dict(zip(("posted", "unmatched", "money_fen"), con.execute("""
                SELECT count(*), count(*) FILTER (WHERE bucket IS NULL AND kind IN ('repayment', 'prepayment')),
                  coalesce(sum(amount_fen) FILTER (WHERE kind IN ('repayment', 'prepayment')), 0)::BIGINT FROM fresh""").fetchall()[0]))
            repeated = con.execute("SELECT count(*) FROM repeated").fetchall()[0][0]
            told = {
                "number": number, "files": [{"name": file.name, "sha256": file.digest()} for file in files], "received_on": day.isoformat(),
                "rows": counts["posted"] + repeated + refused, "posted": counts["posted"], "repeated": repeated, "refused": refused,
                "unmatched": counts["unmatched"], "money_fen": counts["money_fen"], **dict(zip(("aside", "last_day"), con.execute("FROM reach").fetchall()[0])),
            }
            if dry_run:
                beside.rmdir()
                return told
            keep(con, book, "repayments", "events", "events", told, beside, "posts")
            return told
        finally:
            con.close()


def _loans_by_bucket(book: Book) -> str:
    parts = [
        f"SELECT loan_id, drawn_on, CAST({bucket} AS USMALLINT) AS bucket FROM ({book.source('loans', bucket)})" for bucket in range(book.buckets)
    ]
    return "\nUNION ALL\n".join(parts)
