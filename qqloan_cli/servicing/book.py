"""A book of loans: a folder that takes in runs, files of events, and closes of days.

    book.json                            buckets, the last day that was closed, what was taken in
    opens/00001/loans/000.parquet ...    loans, instalments, funded_by and lines of a run, by bucket; config/ that it was decided under
    events/00001.parquet ...             what a file told, as it was posted; 00001-00031: what many told, gathered by a close
    contacts/00001.parquet ...           what a file told of contacts, holds and their release (qqloan collections record)
    quarantine/00001.parquet ...         rows of that file that were refused; contacts-00001.parquet of a file of contacts
    ledger/000-2026-12.parquet ...       double entry, by bucket and month of posting; unmatched-2026-12 for money without a loan
    standing/000-2026-12-31.parquet      every account as the last close left it, from which the next goes on; 000-2026-12-31-instalments
                                         of loans whose instalments are others than at the drawdown
    months/000-2026-12.parquet           every loan at the end of the month, as the close of it knew it: what a panel is made of
    exceptions.parquet                   events and loans that the last close set aside
    lines/2026-12-31.parquet ...         what a night's review decided on every line (qqloan review-lines)

Every step adds a file or folder under a new name, in one rename; what stands is never changed, but for the ledger of the month that is
being closed. `standing` and `months` say nothing that the runs and events do not: without them the next close begins at the drawdowns.
Dates are business dates: what is posted after a day was closed is known from the day after it.
"""

from __future__ import annotations

import datetime
import hashlib
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
STANDING = hashlib.sha256(repr(CONTRACTS["standing"].columns).encode()).hexdigest()[:12]


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

    def opened(self, number: int) -> Path:
        """Where what a run brought lies."""
        return self.root / "opens" / f"{number:05d}"

    @property
    def configs(self) -> list[Path]:
        """The configuration of every run, the latest last."""
        return [self.opened(opened["number"]) / "config" for opened in self.document["opens"]]

    def must_be_closed(self, day: datetime.date, option: str) -> None:
        """Raises UsageError, naming the option, where it is not."""
        if self.closed_to is None or day > self.closed_to:
            raise UsageError("day-not-closed", f"{day} is not closed", option, f"qqloan servicing close --book {self.root} --to {day} closes it.")

    def workers(self, most: int) -> int:
        """How many processes are worth their start."""
        return most if sum(opened["loans"] for opened in self.document["opens"]) >= WORTH_SEVERAL else 1

    def files(self, table: str, bucket: int | None = None, since: datetime.date | None = None, aside: bool = False) -> list[Path]:
        """Of a bucket, or of all, what book.json knows of: what a killed step left is nobody's. Of events: with ``since`` posts in which
        something came or happens after it, with ``aside`` those that have money without a loan, matches or reversals."""
        if table == "events":
            posts = [post for post in self.document["posts"] if since is None or max(post.get("last_day", "9"), post.get("received_on", "9")) > since.isoformat()]
            return list(dict.fromkeys(self.events(post) for post in posts if not aside or post.get("aside", 1)))
        if table == "contact_log":
            return [self.root / "contacts" / f"{told['number']:05d}.parquet" for told in self.document.get("contacts", [])]
        if table == "ledger":
            return sorted((self.root / "ledger").glob("*.parquet" if bucket is None else f"{bucket:03d}-*.parquet")) if self.closed_to else []
        name = "*.parquet" if bucket is None else f"{bucket:03d}.parquet"
        return [path for opened in self.document["opens"] for path in sorted((self.opened(opened["number"]) / table).glob(name))]

    def events(self, post: dict) -> Path:
        """Where the events of a post are: in a file of its own, or since a close gathered it, with others."""
        return self.root / "events" / f"{post.get('gathered', format(post['number'], '05d'))}.parquet"

    def standing(self, bucket: int) -> dict[str, Path]:
        """Where the last close left the bucket's accounts, and the instalments that it changed."""
        return self.standing_on(bucket, self.closed_to)

    def standing_on(self, bucket: int, day: datetime.date | None) -> dict[str, Path]:
        return {name: self.root / "standing" / f"{bucket:03d}-{day}{more}.parquet" for name, more in (("stood", ""), ("stood_instalments", "-instalments"))}

    def stands(self, bucket: int) -> bool:
        """Whether one may go on from there: what stands is of the last close, and has the columns that this version reads."""
        return self.document.get("standing") == STANDING and all(path.is_file() for path in self.standing(bucket).values())

    def source(self, table: str, bucket: int | None = None, since: datetime.date | None = None, aside: bool = False) -> str:
        """SQL of the rows."""
        paths = self.files(table, bucket, since, aside)
        if not paths:
            return CONTRACTS[table].empty()
        known = f" WHERE posted_at <= DATE {literal(str(self.closed_to))}" if table == "ledger" else ""  # a close that was killed left more
        return f"SELECT * FROM read_parquet([{', '.join(literal(str(path)) for path in paths)}]){known}"

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
