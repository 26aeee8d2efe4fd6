"""A book as it stands on a day: classes with their provisions, stages with their expected loss, concentration, and what each month yielded.

Every bucket counts its own, in whole numbers; they are added, and shares are taken of the sums.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.engine.workers import each
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.servicing import CLASSES, Servicing, load_servicing
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.lanes import Agreements
from qqloan_cli.servicing.parts import add_up, counted
from qqloan_cli.servicing.state import on_day

VIEWS = {"classes": ("class",), "stages": ("stage",), "concentration": ("what", "whose"), "yields": ("month",)}
_ORDER = {"classes": f"list_position([{', '.join(literal(name) for name in CLASSES)}], class)", "concentration": "what"}
_HERE = Path(__file__).parent
_MEMORY_MB = 1_500


def portfolio(book: Book, at: datetime.date, workers: int, states: Path | None = None) -> dict[str, pa.Table]:
    """Each of VIEWS. ``states``: a folder for every loan's state (contract ``state``), a file a bucket. Raises UsageError at a day that is
    not closed, or a book without loans."""
    book.must_be_closed(at, "--at")
    if not book.configs:
        raise UsageError("book-empty", "nothing was opened into the book", str(book.root), "qqloan servicing open RUN --book BOOK.")
    policy = load_servicing(book.configs[-1])
    parts = [part for _, part in each(list(range(book.buckets)), _Standing(book, at, policy, states), book.workers(workers))]
    con = connect(1)
    try:
        con.execute("SET VARIABLE lgd = $1::DOUBLE", [float(policy.expected_loss.lgd)])
        add_up(con, parts, VIEWS)
        con.execute((_HERE / "portfolio_shares.sql").read_text(encoding="utf-8"))
        return {name: con.sql(f"SELECT * FROM {name} ORDER BY {_ORDER.get(name, keys[0])}").to_arrow_table() for name, keys in VIEWS.items()}
    finally:
        con.close()


class _Standing:
    def __init__(self, book: Book, at: datetime.date, policy: Servicing, states: Path | None) -> None:
        self.book, self.at, self.policy, self.states, self.agreements = book, at, policy, states, Agreements.of(book)

    def __call__(self, bucket: int) -> dict[str, pa.Table]:
        state = self._state(bucket)
        con = connect(1, _MEMORY_MB)
        try:
            con.register("state", state)
            for table in ("loans", "funded_by", "events", "ledger"):
                con.execute(f"CREATE TEMP VIEW {table} AS {self.book.source(table, bucket)}")
            self._bind_policy(con)
            con.execute((_HERE / "portfolio.sql").read_text(encoding="utf-8"))
            return counted(con, VIEWS)
        finally:
            con.close()

    def _state(self, bucket: int) -> pa.Table:
        con = connect(1, _MEMORY_MB)
        try:
            on_day(con, self.book, bucket, self.agreements, self.at, self.book.closed_to)
            if self.states is not None:
                put(con, "state", self.states / f"{bucket:03d}.parquet", "stated", True)
            return con.sql("FROM stated").to_arrow_table()
        finally:
            con.close()

    def _bind_policy(self, con) -> None:
        con.register("provision", pa.table({"class": list(CLASSES), "rate": [float(getattr(self.policy.provisions, name)) for name in CLASSES]}))
        late = self.policy.expected_loss.pd_12m_late
        con.register("late_pd", pa.table({"bucket": list(late), "pd": [float(pd) for pd in late.values()]}))
        for name, value, type in (
            ("lgd", float(self.policy.expected_loss.lgd), "DOUBLE"), ("stage_2", self.policy.expected_loss.stage_2_from_dpd, "INTEGER"),
            ("stage_3", self.policy.expected_loss.stage_3_from_dpd, "INTEGER"), ("watch", self.policy.classes.watch_months, "INTEGER"), ("state_at", self.at, "DATE"),
        ):
            con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
