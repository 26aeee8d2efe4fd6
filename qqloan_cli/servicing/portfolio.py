"""A book as it stands on a day: classes with their provisions, stages with their expected loss, concentration, and what each month yielded."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.servicing import CLASSES, load_servicing
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.state import write_state

VIEWS = {"classes": "class", "stages": "stage", "concentration": "what", "yields": "month"}
_ORDER = {"classes": f"list_position([{', '.join(literal(name) for name in CLASSES)}], class)"}


def portfolio(book: Book, at: datetime.date, workers: int) -> dict[str, pa.Table]:
    """Each of VIEWS. Raises UsageError at a day that is not closed, or a book without loans."""
    if not book.configs:
        raise UsageError("book-empty", "nothing was opened into the book", str(book.root), "qqloan servicing open RUN --book BOOK.")
    policy = load_servicing(book.configs[-1])
    with tempfile.TemporaryDirectory(prefix="qqloan-portfolio-") as scratch:
        out = Path(scratch) / "state.parquet"
        write_state(book, at, None, out, workers)
        con = connect(2, scratch=Path(scratch))
        try:
            con.execute(f"CREATE TEMP VIEW state AS FROM read_parquet({literal(str(out))})")
            con.execute(f"CREATE TEMP VIEW ledger AS {book.source('ledger')}")
            for table in ("loans", "funded_by", "events"):
                con.execute(f"CREATE TEMP VIEW {table} AS {book.source(table)}")
            con.register("provision", pa.table({"class": list(CLASSES), "rate": [float(getattr(policy.provisions, name)) for name in CLASSES]}))
            late = policy.expected_loss.pd_12m_late
            con.register("late_pd", pa.table({"bucket": list(late), "pd": [float(pd) for pd in late.values()]}))
            for name, value, type in (
                ("lgd", float(policy.expected_loss.lgd), "DOUBLE"), ("stage_2", policy.expected_loss.stage_2_from_dpd, "INTEGER"),
                ("stage_3", policy.expected_loss.stage_3_from_dpd, "INTEGER"), ("watch", policy.classes.watch_months, "INTEGER"), ("state_at", at, "DATE"),
            ):
                con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
            con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
            return {name: con.sql(f"SELECT * FROM {name} ORDER BY {_ORDER.get(name, key)}").to_arrow_table() for name, key in VIEWS.items()}
        finally:
            con.close()
