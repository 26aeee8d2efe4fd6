"""The days on which loans enter and leave stages, to the day: the accounts are taken from day to day once."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.servicing.account import Accounts
from qqloan_cli.servicing.book import DAY, Book
from qqloan_cli.servicing.columns import day_number
from qqloan_cli.servicing.lanes import Agreements, bind, play
from qqloan_cli.servicing.parts import as_one
from qqloan_cli.servicing.state import days_past_due

_MEMORY_MB = 1_500
_PARTS = ("principal", "interest", "penalty", "fees")


def write_entries(book: Book, first: datetime.date, last: datetime.date, from_dpd: list[int], out: Path, workers: int) -> int:
    """Writes the contract ``stage_entries``, as it is known now: a row where a loan's stage on a day from ``first`` to ``last`` is another
    than the day before, and of the day before ``first`` one where it is late. ``from_dpd`` are the stages' first days; what is written off
    stands in the stage after the last. Returns the rows."""
    return as_one(book, "stage_entries", out, workers, lambda beside: _Entries(book, first, last, np.asarray(from_dpd), beside))


class _Entries:
    def __init__(self, book: Book, first: datetime.date, last: datetime.date, from_dpd: np.ndarray, beside: Path) -> None:
        self.book, self.from_dpd, self.beside, self.agreements = book, from_dpd, beside, Agreements.of(book)
        self.days = [first + n * DAY for n in range(-1, (last - first).days + 1)]

    def __call__(self, bucket: int) -> None:
        con = connect(1, _MEMORY_MB)
        try:
            bind(con, self.book, bucket, self.days[-1], self.book.closed_to)
            con.execute("""CREATE TEMP TABLE lanes_taken AS
                SELECT row_number() OVER (ORDER BY loan_id) - 1 AS lane, * FROM lanes WHERE known_to = DATE '9999-12-31' OR known_to > getvariable('known_at')""")
            con.execute("CREATE TEMP TABLE changed (lane BIGINT, day DATE, stage BIGINT, owed_fen BIGINT)")
            for played in play(con, self.agreements):
                before = np.zeros(len(played.lane), np.int64)
                for day in self.days:
                    accounts = played.to(day)
                    stage = self._stage(accounts, day)
                    rows = np.flatnonzero(stage != before)
                    before = stage
                    if len(rows):
                        con.register("some_changed", pa.table({
                            "lane": played.lane[rows], "day": pa.array([day] * len(rows), pa.date32()), "stage": stage[rows], "owed_fen": sum(accounts.owed(part, rows) for part in _PARTS)}))
                        con.execute("INSERT INTO changed SELECT * FROM some_changed")
                        con.unregister("some_changed")
            con.execute("CREATE TEMP VIEW stage_entries AS SELECT loan_id, applicant_id, day, stage, owed_fen FROM changed JOIN lanes_taken USING (lane) JOIN loans USING (loan_id)")
            put(con, "stage_entries", self.beside / f"{bucket:03d}.parquet", "stage_entries", True)
        finally:
            con.close()

    def _stage(self, accounts: Accounts, day: datetime.date) -> np.ndarray:
        dpd, _ = days_past_due(accounts, np.int64(day_number(day)))
        return np.where(accounts.off, len(self.from_dpd) + 1, np.searchsorted(self.from_dpd, dpd, side="right"))
