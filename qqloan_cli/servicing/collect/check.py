"""Which contacts of a period broke which rule, and how sure the rule is; gaps in the numbering of the records, and which need not be kept any more."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import connect
from qqloan_cli.errors import UsageError
from qqloan_cli.servicing.book import DAY, Book
from qqloan_cli.servicing.collect.rules import Conduct, run

NO_BREACH = "may-be-erased"


def check(book: Book, first: datetime.date, last: datetime.date, config: Path) -> tuple[pa.Table, dict]:
    """Contract ``breaches``, and counts: contacts looked at, breaches, contacts that have one, may_be_erased; and notes. A contact is
    held against what stood before it, and against the rules of its own day."""
    if first > last:
        raise UsageError("period-wrong", f"{first} is after {last}", "--from", "Name an earlier day.")
    conduct = Conduct.of(config)
    with tempfile.TemporaryDirectory(prefix="qqloan-check-") as scratch:
        con = connect(2, 2_400, Path(scratch))
        try:
            conduct.bind(con)
            for name, value, type in (("first", first, "DATE"), ("last", last, "DATE"), ("until", last + DAY, "DATE"), *_keeping(conduct, last)):
                con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
            con.execute(f"CREATE TEMP VIEW log AS {book.source('contact_log')}")
            con.execute(f"CREATE TEMP VIEW book_events AS {book.source('events')}")
            run(con, "made", "standing", "holds", "judge", "check")
            rows = con.sql(CONTRACTS["breaches"].select("breaches")).to_arrow_table()
            [(contacts,)] = con.execute("SELECT count(*) FROM told").fetchall()
            [(breaches, contacts_with, erasable)] = con.execute(
                """SELECT count(*) FILTER (WHERE breach <> $1), count(DISTINCT contact_id) FILTER (WHERE breach NOT IN ($1, 'numbering-gap')), count(*) FILTER (WHERE breach = $1)
                FROM breaches""", [NO_BREACH]).fetchall()
        finally:
            con.close()
    return rows, {"contacts": contacts, "breaches": breaches, "contacts_with_breach": contacts_with, "may_be_erased": erasable, "notes": conduct.notes(first, last)}


def _keeping(conduct: Conduct, day: datetime.date) -> list[tuple]:
    months, rule = conduct.keep_months(day)
    law = next((one for one in conduct.rules if one.id == rule), None)
    return [
        ("keep_months", months, "INTEGER"), ("keep_rule", rule, "VARCHAR"), ("keep_force", law.kind if law else "policy", "VARCHAR"), ("keep_certainty", law.certainty if law else "H", "VARCHAR"),
        ("keep_document", law.document if law else conduct.policy.records.basis, "VARCHAR"), ("keep_verified", law.verified_through if law else None, "DATE"),
    ]
