"""What a line is like at the end of a day, as it was known on that day: its loans' states and their past, of the months before."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.line_facts import LATENESS, MONTHS
from qqloan_cli.servicing.book import DAY, Book, month_ends
from qqloan_cli.servicing.lanes import Agreements, bind, play
from qqloan_cli.servicing.parts import as_one
from qqloan_cli.servicing.state import days_past_due, of_bucket

_HERE = Path(__file__).parent
_MEMORY_MB = 1_500
_EPOCH = datetime.date(1970, 1, 1)


def must_have_lines(book: Book) -> None:
    """Raises UsageError at a run that was opened before a book had lines."""
    for opened in book.document["opens"]:
        if not (book.opened(opened["number"]) / "lines").is_dir():
            raise UsageError("book-without-lines", f"the lines of {opened['run_id']} are not in the book", str(book.root), f"It was opened before a book had lines: qqloan servicing open RUN --book {book.root} adds them.")


def figures_of(con, book: Book, bucket: int, at: datetime.date, agreements: Agreements, late_after_days: int) -> None:
    """Leaves ``line_figures`` (figures.sql) of a bucket's lines. Nothing that came after the day is looked at; a tranche that was cancelled before
    its drawdown is no loan."""
    bind(con, book, bucket, at, at)
    con.execute("SET VARIABLE state_at = $1::DATE", [at])
    con.execute("SET VARIABLE late_after = $1::INTEGER", [late_after_days])
    con.execute("CREATE OR REPLACE TEMP TABLE drawn_loans AS SELECT * FROM loans WHERE opened_on <= getvariable('state_at')")
    con.execute(f"CREATE OR REPLACE TEMP TABLE loans AS SELECT * FROM ({book.source('loans', bucket)}) WHERE opened_on <= getvariable('state_at') AND drawn_on > getvariable('state_at')")
    con.execute((_HERE.parent / "cancelled.sql").read_text(encoding="utf-8"))
    con.execute("CREATE OR REPLACE TEMP TABLE promised AS SELECT loan_id, application_id, principal_fen FROM loans ANTI JOIN cancelled USING (loan_id)")
    con.execute("CREATE OR REPLACE TEMP TABLE loans AS FROM drawn_loans")
    of_bucket(con, agreements, at, at)
    con.execute(f"CREATE OR REPLACE TEMP TABLE book_lines AS SELECT * FROM ({book.source('lines', bucket)}) WHERE opened_on <= getvariable('state_at')")
    _past(con, agreements, at)
    worst = ", ".join(f"max(d{ago}) AS d{ago}" for ago in range(1, MONTHS + 1))
    late = "WHEN d0 > getvariable('late_after') THEN getvariable('state_at') " + " ".join(
        f"WHEN d{ago} > getvariable('late_after') THEN last_day(getvariable('state_at') - to_months({ago}))" for ago in range(1, MONTHS + 1))
    sql = (_HERE / "figures.sql").read_text(encoding="utf-8")
    lateness = ", ".join(f"CAST({expression} AS INTEGER) AS {name}" for name, expression in LATENESS.items())
    for place, text in (("worst_past", worst), ("late_past", late), ("lateness", lateness)):
        sql = sql.replace(f"/*{place}*/", text)
    con.execute(sql)


def _past(con, agreements: Agreements, at: datetime.date) -> None:
    """Days past due at the ends of the months before, by loan; missing before its drawdown."""
    con.execute("CREATE OR REPLACE TEMP TABLE some_past (lane BIGINT, " + ", ".join(f"d{ago} BIGINT" for ago in range(1, MONTHS + 1)) + ")")
    [(first,)] = con.execute("SELECT min(drawn_on) FROM loans").fetchall()
    ends = {(at.year - end.year) * 12 + at.month - end.month: end for end in (month_ends(first, at - DAY) if first is not None else [])}
    ends = {ago: end for ago, end in ends.items() if 1 <= ago <= MONTHS}
    for played in play(con, agreements) if ends else ():
        found = {f"d{ago}": pa.nulls(len(played.lane), pa.int64()) for ago in range(1, MONTHS + 1)}
        for ago in sorted(ends, reverse=True):
            day, accounts = (ends[ago] - _EPOCH).days, played.to(ends[ago])
            found[f"d{ago}"] = pa.array(days_past_due(accounts, np.int64(day))[0], pa.int64(), mask=accounts.drawn > day)
        con.register("played_past", pa.table({"lane": played.lane, **found}))
        con.execute("INSERT INTO some_past SELECT * FROM played_past")
        con.unregister("played_past")
    con.execute("CREATE OR REPLACE TEMP TABLE past AS SELECT lanes_taken.loan_id, some_past.* EXCLUDE (lane) FROM some_past JOIN lanes_taken USING (lane)")


# --- every month's end, to learn from ---


def write_history(book: Book, first: datetime.date, last: datetime.date, out: Path, workers: int, late_after_days: int) -> int:
    """Writes the contract ``line_months`` of the months that end from ``first`` to ``last``, each as it was known on its last day; returns its
    rows. A line is in it from the month of its first drawdown. Raises UsageError at days that are not closed."""
    book.must_be_closed(last, "--to")
    must_have_lines(book)
    months = month_ends(first, last)
    if not months:
        raise UsageError("no-month", f"no month ends from {first} to {last}", "--from", "Name an earlier day.")
    return as_one(book, "line_months", out, workers, lambda beside: _History(book, months, beside, late_after_days))


class _History:
    def __init__(self, book: Book, months: list[datetime.date], beside: Path, late_after_days: int) -> None:
        self.book, self.months, self.beside, self.late_after_days, self.agreements = book, months, beside, late_after_days, Agreements.of(book)

    def __call__(self, bucket: int) -> None:
        for month in self.months:
            con = connect(1, _MEMORY_MB)
            try:
                figures_of(con, self.book, bucket, month, self.agreements, self.late_after_days)
                con.execute("CREATE TEMP VIEW months AS SELECT *, getvariable('state_at') AS month FROM line_figures WHERE months_on_book IS NOT NULL AND instalments_fallen IS NOT NULL")
                put(con, "line_months", self.beside / f"{bucket:03d}-{month}.parquet", "months", True)
            finally:
                con.close()
