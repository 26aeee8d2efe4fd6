"""A file into a book: the business day on which it came, and what of it is kept and what refused, in place whole or not at all."""

from __future__ import annotations

import datetime
from pathlib import Path

from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.intake import refuse
from qqloan_cli.servicing.book import Book


def day_of(book: Book, received_on: datetime.date | None) -> datetime.date:
    """The first day that is not closed, or a later one. Raises UsageError at one that is."""
    day = received_on or book.today
    if book.closed_to is not None and day <= book.closed_to:
        raise UsageError("day-closed", f"{day} is closed", "--received", f"What comes now is known from {book.today} on.")
    return day


def keep(con, book: Book, given: str, kept: str, folder: str, told: dict, beside: Path, step: str) -> None:
    """``fresh`` (contract ``kept``) and the refused rows of the input ``given`` go to their places, and book.json has ``told`` under ``step``."""
    number = f"{told['number']:05d}"
    put(con, kept, beside / "fresh.parquet", "fresh", True)
    refuse.write(con, given, beside / "part.parquet")
    refuse.gather(con, [beside / "part.parquet"], beside / "quarantine.parquet")
    (beside / "part.parquet").unlink()
    book.put_in_place(beside / "quarantine.parquet", book.root / "quarantine" / f"{number if folder == 'events' else f'{folder}-{number}'}.parquet")
    book.put_in_place(beside / "fresh.parquet", book.root / folder / f"{number}.parquet")
    beside.rmdir()
    book.document[step].append(told)
    book.save()
