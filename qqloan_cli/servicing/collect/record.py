"""A file of contacts, holds and releases into a book: idempotent by contact_id; rows that cannot be are refused, with their reason."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import connect
from qqloan_cli.intake import refuse
from qqloan_cli.intake.files import find
from qqloan_cli.intake.single import take
from qqloan_cli.policy.collections import Collections, load_collections
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.take_in import day_of, keep

_SQL = Path(__file__).with_suffix(".sql")


def record(book: Book, paths: list[Path], received_on: datetime.date | None, config: Path, source: str | None, dry_run: bool = False) -> dict:
    """Returns the counts: rows, recorded, repeated, refused, and of the recorded contacts, connected, holds, releases and at_midnight
    (contacts that begin at 00:00 sharp: a file without times of day reads so). With ``dry_run`` nothing is written. Raises UsageError at a day that is closed; nothing is recorded then."""
    day, policy, files = day_of(book, received_on), load_collections(config), find(paths)
    book.document.setdefault("contacts", [])
    number, beside = book.new_folder("contacts")
    with tempfile.TemporaryDirectory(prefix="qqloan-record-") as scratch:
        con = connect(2, scratch=Path(scratch))
        try:
            take(con, "contacts", files, config, source, Path(scratch))
            con.execute("SET VARIABLE received_on = $1::DATE", [day])
            con.execute("CREATE TEMP TABLE told_of AS SELECT DISTINCT trim(contact_id) AS contact_id FROM checked WHERE NOT _bad")
            con.execute(f"CREATE TEMP TABLE known_contacts AS SELECT * FROM ({book.source('contact_log')}) SEMI JOIN told_of USING (contact_id)")
            con.execute(f"CREATE TEMP VIEW book_loans AS SELECT loan_id, applicant_id FROM ({book.source('loans')})")
            con.register("lifts", _lifts(policy))
            refuse.names(con, files)
            con.execute(_SQL.read_text(encoding="utf-8"))
            con.execute("INSERT INTO refused SELECT src_file, n.name, src_row, \"column\", rule, reason, mask(shown) FROM cannot_be JOIN file_names AS n ON n.no = src_file")
            refused = refuse.rows(con)
            counts = dict(zip(("recorded", "contacts", "connected", "holds", "releases", "at_midnight"), con.execute("""
                SELECT count(*), count(*) FILTER (WHERE kind = 'contact'), count(*) FILTER (WHERE kind = 'contact' AND connected), count(*) FILTER (WHERE kind = 'hold'),
                  count(*) FILTER (WHERE kind = 'release'), count(*) FILTER (WHERE kind = 'contact' AND begun_at = date_trunc('day', begun_at)) FROM fresh""").fetchall()[0]))
            [(repeated,)] = con.execute("SELECT count(*) FROM repeated").fetchall()
            told = {
                "number": number, "files": [{"name": file.name, "sha256": file.digest()} for file in files], "received_on": day.isoformat(),
                "rows": counts["recorded"] + repeated + refused, **counts, "repeated": repeated, "refused": refused,
            }
            if dry_run:
                beside.rmdir()
                return told
            keep(con, book, "contacts", "contact_log", "contacts", told, beside, "contacts")
            return told
        finally:
            con.close()


def _lifts(policy: Collections) -> pa.Table:
    """hold, role: who may lift which."""
    pairs = [(name, role) for name, hold in policy.hold.items() for role in hold.lifted_by]
    return pa.table({"hold": [name for name, _ in pairs], "role": [role for _, role in pairs]})
