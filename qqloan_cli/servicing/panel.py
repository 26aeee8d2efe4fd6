"""Every loan at the end of every month: what ageing, roll rates and vintages are measured on. The accounts are taken from month to month once."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.servicing.account import FAR
from qqloan_cli.servicing.book import Book, month_ends
from qqloan_cli.servicing.lanes import Agreements, bind, play
from qqloan_cli.servicing.parts import as_one
from qqloan_cli.servicing.state import days_past_due

_MEMORY_MB = 1_500
_STATUS = ("current", "overdue", "paid", "written_off")


def write_panel(book: Book, first: datetime.date, last: datetime.date, out: Path, workers: int) -> int:
    """Writes the contract ``panel``, as it is known now, of the months that end from ``first`` to ``last``; returns its rows. A loan is
    in it from the month of its drawdown to the one in which nothing is left of it. Raises UsageError at days that are not closed."""
    book.must_be_closed(last, "--to")
    months = month_ends(first, last)
    if not months:
        raise UsageError("no-month", f"no month ends from {first} to {last}", "--from", "Name an earlier day.")
    return write_days(book, months, out, workers)


def write_days(book: Book, days: list[datetime.date], out: Path, workers: int) -> int:
    """The same at the end of any days, in their order; ``month`` is the day."""
    return as_one(book, "panel", out, workers, lambda beside: _Panel(book, days, beside))


class _Panel:
    def __init__(self, book: Book, months: list[datetime.date], beside: Path) -> None:
        self.book, self.months, self.beside, self.agreements = book, months, beside, Agreements.of(book)

    def __call__(self, bucket: int) -> None:
        con = connect(1, _MEMORY_MB)
        try:
            bind(con, self.book, bucket, self.months[-1], self.book.closed_to)
            con.execute("""CREATE TEMP TABLE lanes_taken AS
                SELECT row_number() OVER (ORDER BY loan_id) - 1 AS lane, * FROM lanes WHERE known_to = DATE '9999-12-31' OR known_to > getvariable('known_at')""")
            con.execute("CREATE TEMP TABLE seen (lane BIGINT, month DATE, status TINYINT, dpd BIGINT, balance_fen BIGINT, oldest BIGINT)")
            for played in play(con, self.agreements):
                for month in self.months:
                    con.register("some_seen", _at(played, month))
                    con.execute("INSERT INTO seen SELECT * FROM some_seen")
                    con.unregister("some_seen")
            con.execute("CREATE TEMP TABLE first_due AS SELECT loan_id, min(due_date) AS first_due_on FROM instalments GROUP BY ALL")
            names = ", ".join(literal(name) for name in _STATUS)
            con.execute(f"""CREATE TEMP VIEW panel AS
                WITH named AS (
                  SELECT loan_id, month, datediff('month', drawn_on, month) AS mob, list_extract([{names}], status + 1) AS status, dpd, balance_fen, principal_fen, drawn_on, first_due_on,
                    CASE WHEN oldest < {int(FAR)} THEN DATE '1970-01-01' + CAST(oldest AS INTEGER) END AS oldest_due_date, product, region, grade
                  FROM seen JOIN lanes_taken USING (lane) JOIN loans USING (loan_id) JOIN first_due USING (loan_id)
                  WHERE drawn_on <= month
                )
                SELECT * FROM named QUALIFY status <> 'paid' OR coalesce(lag(status) OVER (PARTITION BY loan_id ORDER BY month), '') <> 'paid'""")
            put(con, "panel", self.beside / f"{bucket:03d}.parquet", "panel", True)
        finally:
            con.close()


def _at(played, month: datetime.date) -> pa.Table:
    accounts = played.to(month)
    dpd, oldest = days_past_due(accounts, np.int64((month - datetime.date(1970, 1, 1)).days))
    nothing = (accounts.outstanding == 0) & (accounts.fallen >= accounts.count) & (oldest == FAR)
    status = np.where(accounts.off, 3, np.where(nothing, 2, np.where(dpd > 0, 1, 0)))
    balance = np.where(accounts.off, np.maximum(accounts.off_fen - accounts.recovered, 0), accounts.outstanding)
    return pa.table({
        "lane": played.lane, "month": pa.array([month] * len(accounts), pa.date32()), "status": pa.array(status, pa.int8()), "dpd": dpd, "balance_fen": balance, "oldest": oldest,
    })
