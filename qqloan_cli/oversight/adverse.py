"""Notices before adverse data goes to the credit bureau: a letter for every loan of a book that is overdue at the end of a day."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError
from qqloan_cli.oversight import letters as common
from qqloan_cli.oversight.notices import Written
from qqloan_cli.policy.notices import load_letters
from qqloan_cli.policy.products import Product, load_products
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.state import write_state

_TEXT = Path(__file__).with_name("adverse_text.sql")


def write_adverse(book: Book, at: datetime.date, since: datetime.date | None, config: Path, folder: Path, langs: tuple[str, ...], loan: str | None, runs: list[Run], workers: int) -> Written:
    """Leaves ``folder/000.parquet`` (contract notices). ``since``: only what has been overdue from this day on; ``runs``: whose applicants' names go in.

    Raises UsageError at a day that is not closed.
    """
    texts = load_letters(config)
    days = texts.settings.days
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="qqloan-notice-") as scratch:
        state = Path(scratch) / "state.parquet"
        write_state(book, at, None, state, workers)
        con = connect(1, scratch=Path(scratch))
        try:
            con.execute(f"CREATE TEMP VIEW state AS SELECT * FROM read_parquet({literal(str(state))}) WHERE {literal(loan or '')} IN ('', loan_id)")
            con.execute(f"CREATE TEMP VIEW loans AS {book.source('loans')}")
            common.furnish(con, texts, _products(book), langs, ("adverse",))
            con.execute(f"CREATE TEMP TABLE people AS {_people(con, runs)}")
            for name, value, type in (("dated", at, "DATE"), ("pay_by", at + datetime.timedelta(days.pay_before_report), "DATE"), ("from_dpd", texts.settings.adverse.from_dpd, "INTEGER"), ("overdue_since", since, "DATE")):
                con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
            con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
            common.templates(con, texts, "SELECT DISTINCT 'adverse', mask FROM late ORDER BY ALL", langs, at)
            [(count, named)] = con.execute("SELECT count(*), count(name) FROM late").fetchall()
            if loan is not None and not count:
                raise UsageError("loan-not-overdue", "no such loan is overdue on that day", f"--application {loan[:60]}", "qqloan servicing state --book BOOK --at DATE says what is.")
            common.write(con, _TEXT, count, folder / "000.parquet")
        finally:
            con.close()
    return Written({("adverse", lang): count for lang in langs}, named * len(langs), texts.notes(("adverse",), at))


def _products(book: Book) -> dict[str, Product]:
    """Of every run that was opened into the book, the latest's word counting."""
    found: dict[str, Product] = {}
    for config in book.configs:
        found |= load_products(config)
    return found


def _people(con, runs: list[Run]) -> str:
    """SQL of (applicant_id, name, id_number), as a person's last application has them."""
    if not runs:
        return "SELECT CAST(NULL AS VARCHAR) AS applicant_id, CAST(NULL AS VARCHAR) AS name, CAST(NULL AS VARCHAR) AS id_number WHERE false"
    for number, run in enumerate(runs):
        run.bind(con, "applicants", name=f"applicants_{number}")
    given = " UNION ALL ".join(f"SELECT applicant_id, applied_at, application_id, name, id_number FROM applicants_{number}" for number in range(len(runs)))
    return f"""SELECT applicant_id, name, id_number FROM ({given}) WHERE name IS NOT NULL AND name <> '' AND applicant_id IN (SELECT applicant_id FROM loans)
        QUALIFY row_number() OVER (PARTITION BY applicant_id ORDER BY applied_at DESC, application_id DESC) = 1"""
