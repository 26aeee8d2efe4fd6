"""The measures of a book's months (measures.py), bucket by bucket side by side: memory is a bucket's, and no panel need be written."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.engine.workers import each
from qqloan_cli.servicing.book import Book, month_ends
from qqloan_cli.servicing.measures import KEYS, script, taken
from qqloan_cli.servicing.panel import Panel
from qqloan_cli.servicing.parts import add_up, counted

_MEMORY_MB = 1_500


def measured_book(book: Book, at: datetime.date, workers: int, panels: Path | None = None) -> dict[str, pa.Table]:
    """Ageing, rolls, vintages, early and cures of the months that ended by a closed day. ``panels``: a folder for every loan's months
    (contract ``panel``), a file a bucket. Raises UsageError at a day that is not closed."""
    book.must_be_closed(at, "--at")
    ends = month_ends(datetime.date.fromisoformat(book.document["opened_on"]), at)
    parts = [part for _, part in each(list(range(book.buckets)) if ends else [], _Months(book, ends, panels), book.workers(workers))]
    con = connect(1)
    try:
        add_up(con, parts or [_of_nothing()], KEYS)
        for name in KEYS:
            con.execute(script(f"{name}_shares"))
        return {name: taken(con, name) for name in KEYS}
    finally:
        con.close()


class _Months:
    def __init__(self, book: Book, ends: list[datetime.date], panels: Path | None) -> None:
        self.making, self.ends, self.panels = Panel(book, ends), ends, panels

    def __call__(self, bucket: int) -> dict[str, pa.Table]:
        con = connect(1, _MEMORY_MB)
        try:
            self.making.of_bucket(con, bucket)
            if self.panels is not None:
                put(con, "panel", self.panels / f"{bucket:03d}.parquet", "panel", True)
            return _measured(con, self.ends[-1])
        finally:
            con.close()


def _of_nothing() -> dict[str, pa.Table]:
    con = connect(1)
    try:
        con.execute(f"CREATE TEMP TABLE panel AS {CONTRACTS['panel'].empty()}")
        return _measured(con, None)
    finally:
        con.close()


def _measured(con, seen_to: datetime.date | None) -> dict[str, pa.Table]:
    con.execute("CREATE OR REPLACE TEMP TABLE panel_end AS SELECT $1::DATE AS seen_to", [seen_to])
    con.execute(script("aged"))
    for name in KEYS:
        con.execute(script(name))
    return counted(con, KEYS)
