"""Every loan at the end of every month: what ageing, roll rates and vintages are measured on. The accounts are taken from month to month once."""

from __future__ import annotations

import datetime
from pathlib import Path

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.servicing import months
from qqloan_cli.servicing.book import Book, month_ends
from qqloan_cli.servicing.lanes import Agreements, bind, play
from qqloan_cli.servicing.parts import as_one

_MEMORY_MB = 1_500


def write_panel(book: Book, first: datetime.date, last: datetime.date, out: Path, workers: int) -> int:
    """Writes the contract ``panel``, as it is known now, of the months that end from ``first`` to ``last``; returns its rows. A loan is
    in it from the month of its drawdown to the one in which nothing is left of it. Raises UsageError at days that are not closed."""
    book.must_be_closed(last, "--to")
    ends = month_ends(first, last)
    if not ends:
        raise UsageError("no-month", f"no month ends from {first} to {last}", "--from", "Name an earlier day.")
    return write_days(book, ends, out, workers)


def write_days(book: Book, days: list[datetime.date], out: Path, workers: int) -> int:
    """The same at the end of any days, in their order; ``month`` is the day."""
    return as_one(book, "panel", out, workers, lambda beside: _Panel(book, days, beside))


class _Panel:
    def __init__(self, book: Book, months: list[datetime.date], beside: Path) -> None:
        self.making, self.beside = Panel(book, months), beside

    def __call__(self, bucket: int) -> None:
        con = connect(1, _MEMORY_MB)
        try:
            self.making.of_bucket(con, bucket)
            put(con, "panel", self.beside / f"{bucket:03d}.parquet", "panel", True)
        finally:
            con.close()


class Panel:
    """Makes a bucket's part."""

    def __init__(self, book: Book, months: list[datetime.date]) -> None:
        self.book, self.months, self.agreements = book, months, Agreements.of(book)

    def of_bucket(self, con, bucket: int) -> None:
        """Leaves ``panel`` (contract panel)."""
        kept = self._kept(con, bucket)
        bind(con, self.book, bucket, self.months[-1], self.book.closed_to, "FROM to_replay" if kept else None)
        con.execute("""CREATE TEMP TABLE lanes_taken AS
            SELECT row_number() OVER (ORDER BY loan_id) - 1 AS lane, * FROM lanes WHERE known_to = DATE '9999-12-31' OR known_to > getvariable('known_at')""")
        months.begin(con)
        for played in play(con, self.agreements):
            for month in (months.before(self.months[0]), *self.months):
                months.see(con, played, month)
        con.execute(f"CREATE TEMP TABLE book_loans AS {self.book.source('loans', bucket)}")
        con.execute(f"CREATE TEMP TABLE first_due AS SELECT loan_id, min(due_date) AS first_due_on FROM ({self.book.source('instalments', bucket)}) GROUP BY ALL")
        con.execute("SET VARIABLE first = $1::DATE", [self.months[0]])
        con.execute(f"CREATE TEMP VIEW kept_months AS {kept or 'SELECT * EXCLUDE (known_from, known_to) FROM seen_months WHERE false'}")
        con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))

    def _kept(self, con, bucket: int) -> str | None:
        """SQL of the months that closes left, of loans of which nothing more was learnt since; leaves ``to_replay`` of the others. None
        where all are to be replayed."""
        if not self.book.stands(bucket) or self.months != month_ends(self.months[0], self.months[-1]):
            return None
        paths = [self.book.root / "months" / f"{bucket:03d}-{month:%Y-%m}.parquet" for month in self.months]
        if not all(path.is_file() for path in paths):
            return None
        stood, _ = self.book.standing(bucket).values()
        con.execute(f"""CREATE TEMP TABLE to_replay AS
            SELECT loan_id FROM ({self.book.source('loans', bucket)}) LEFT JOIN read_parquet({literal(str(stood))}) AS stood USING (loan_id)
            WHERE drawn_on <= $1 AND (stood.loan_id IS NULL OR anew_on > $2)""", [self.months[-1], self.months[0]])
        return f"SELECT * FROM read_parquet([{', '.join(literal(str(path)) for path in paths)}]) ANTI JOIN to_replay USING (loan_id)"
