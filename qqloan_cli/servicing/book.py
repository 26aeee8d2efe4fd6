"""A book of loans: a folder that takes in runs, files of events, and closes of days.

    book.json                            buckets, the last day that was closed, what was taken in
    opens/00001/loans/000.parquet ...    loans, instalments and funded_by of a run, by bucket; config/ that it was decided under
    events/00001.parquet ...             what a file told, as it was posted
    contacts/00001.parquet ...           what a file told of contacts, holds and their release (qqloan collections record)
    quarantine/00001.parquet ...         rows of that file that were refused; contacts-00001.parquet of a file of contacts
    ledger/000-2026-12.parquet ...       double entry, by bucket and month of posting; unmatched-2026-12 for money without a loan
    exceptions.parquet                   events and loans that the last close set aside

Every step adds a file or folder under a new name, in one rename; what stands is never changed, but for the ledger of the month that is
being closed. Dates are business dates: what is posted after a day was closed is known from the day after it.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
from pathlib import Path

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.files import write_json
from qqloan_cli.engine.session import literal
from qqloan_cli.errors import InputError, UsageError

DAY = datetime.timedelta(1)
WORTH_SEVERAL = 5_000  # loans


class Book:
    """``document`` is book.json."""

    def __init__(self, root: Path, document: dict) -> None:
        self.root, self.document = root, document

    @classmethod
    def open(cls, root: Path) -> "Book":
        path = root / "book.json"
        if not path.is_file():
            raise UsageError("book-not-found", "no book stands here", str(root), "Make one with qqloan servicing open RUN --book BOOK.")
        try:
            return cls(root, json.loads(path.read_text(encoding="utf-8")))
        except ValueError:
            raise InputError("book-json-broken", "book.json cannot be read", str(path), "Take the book from a backup, or open its runs and post its files again.") from None

    @classmethod
    def begin(cls, root: Path, buckets: int, day: datetime.date) -> "Book":
        root.mkdir(parents=True, exist_ok=True)
        return cls(root, {"schema_version": 1, "buckets": buckets, "opened_on": day.isoformat(), "closed_to": None, "opens": [], "posts": []})

    def save(self) -> None:
        write_json(self.root / "book.json", self.document)

    @property
    def buckets(self) -> int:
        return self.document["buckets"]

    @property
    def closed_to(self) -> datetime.date | None:
        return datetime.date.fromisoformat(self.document["closed_to"]) if self.document["closed_to"] else None

    @property
    def today(self) -> datetime.date:
        """The business day that is not closed yet."""
        return self.closed_to + DAY if self.closed_to else datetime.date.fromisoformat(self.document["opened_on"])

    @property
    def configs(self) -> list[Path]:
        """The configuration of every run, the latest last."""
        return [self.root / "opens" / f"{opened['number']:05d}" / "config" for opened in self.document["opens"]]

    def must_be_closed(self, day: datetime.date, option: str) -> None:
        """Raises UsageError, naming the option, where it is not."""
        if self.closed_to is None or day > self.closed_to:
            raise UsageError("day-not-closed", f"{day} is not closed", option, f"qqloan servicing close --book {self.root} --to {day} closes it.")

    def workers(self, most: int) -> int:
        """How many processes are worth their start."""
        return most if sum(opened["loans"] for opened in self.document["opens"]) >= WORTH_SEVERAL else 1

    def files(self, table: str, bucket: int | None = None) -> list[Path]:
        """Of a bucket, or of all, what book.json knows of: what a killed step left is nobody's."""
        if table == "events":
            return [self.root / "events" / f"{post['number']:05d}.parquet" for post in self.document["posts"]]
        if table == "contact_log":
            return [self.root / "contacts" / f"{told['number']:05d}.parquet" for told in self.document.get("contacts", [])]
        if table == "ledger":
            return sorted((self.root / "ledger").glob("*.parquet"))
        name = "*.parquet" if bucket is None else f"{bucket:03d}.parquet"
        return [path for opened in self.document["opens"] for path in sorted((self.root / "opens" / f"{opened['number']:05d}" / table).glob(name))]

    def source(self, table: str, bucket: int | None = None) -> str:
        """SQL of the rows."""
        paths = self.files(table, bucket)
        return f"SELECT * FROM read_parquet([{', '.join(literal(str(path)) for path in paths)}])" if paths else CONTRACTS[table].empty()

    def new_folder(self, step: str) -> tuple[int, Path]:
        """The number of the next open or post, and an empty place beside where it goes."""
        number = len(self.document[step]) + 1
        beside = self.root / f".{step}-{number:05d}"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        return number, beside

    def put_in_place(self, beside: Path, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.rmtree(path)  # of a step that was killed before book.json knew of it
        os.replace(beside, path)


def month_ends(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    """The last days of months from ``first`` to ``last``."""
    found, day = [], first
    while True:
        end = (day.replace(day=28) + 4 * DAY).replace(day=1) - DAY
        if end > last:
            return found
        found.append(end)
        day = end + DAY
