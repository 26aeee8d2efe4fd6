"""The close of a day, and of all days before it that were not closed: the ledger up to then, and what was set aside.

The ledger is a function of the book's runs and events and of the day, not of when it was asked: three missed nights are three nights.
"""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.engine.workers import each
from qqloan_cli.errors import UsageError
from qqloan_cli.servicing import months
from qqloan_cli.servicing.account import FAR, PAID, STANDS, Accounts
from qqloan_cli.servicing.book import STANDING, Book, month_ends
from qqloan_cli.servicing.lanes import Agreements, bind, bind_since, play
from qqloan_cli.servicing.moves import ACCOUNTS

_HERE = Path(__file__).parent
UNMATCHED = "unmatched"
_MEMORY_MB = 1_500
GATHERED = 24  # posts: fewer are read as they came


def close(book: Book, to: datetime.date, workers: int) -> dict:
    """Returns the counts: from and to, entries written, loans and exceptions. Raises UsageError at a day that is closed already."""
    if book.closed_to is not None and to <= book.closed_to:
        raise UsageError("day-closed", f"{book.closed_to} is closed already", "--to", f"The next is {book.today}.")
    if to < book.today:
        raise UsageError("day-before-book", f"the book begins on {book.today}", "--to", "Name a later day.")
    beside = book.root / ".closing"
    shutil.rmtree(beside, ignore_errors=True)
    for place in (beside, beside / "standing", beside / "months"):
        place.mkdir()
    parts = [*range(book.buckets), None]
    counts, excepted = {"entries": 0, "loans": 0}, []
    for _, (made, exceptions) in each(parts, _Closing(book, to, beside), book.workers(workers)):
        excepted += exceptions
        for name, number in made.items():
            counts[name] += number
    _write_exceptions(excepted, beside / "exceptions.parquet")
    for path in sorted(beside.glob("*-*.parquet")):
        book.put_in_place(path, book.root / "ledger" / path.name)
    for path in (*sorted((beside / "months").iterdir()), *sorted((beside / "standing").iterdir())):
        book.put_in_place(path, book.root / path.relative_to(beside))
    book.put_in_place(beside / "exceptions.parquet", book.root / "exceptions.parquet")
    shutil.rmtree(beside)
    told = {"from": book.today.isoformat(), "to": to.isoformat(), **counts, "exceptions": len(set(excepted))}
    book.document |= {"closed_to": to.isoformat(), "standing": STANDING}
    gone = _gather(book)
    book.save()
    for path in gone:
        path.unlink(missing_ok=True)
    for path in (book.root / "standing").iterdir():
        if to.isoformat() not in path.name:
            path.unlink()
    return told


def _gather(book: Book) -> list[Path]:
    """Posts of which nothing happens any more, many small files, into one; returns the files that it stands for."""
    past = [post for post in book.document["posts"] if "gathered" not in post and max(post.get("last_day", "9"), post.get("received_on", "9")) <= book.document["closed_to"]]
    if len(past) < GATHERED:
        return []
    files = [book.events(post) for post in past]
    name = f"{past[0]['number']:05d}-{past[-1]['number']:05d}"
    con = connect(2, _MEMORY_MB)
    try:
        put(con, "events", book.root / "events" / f"{name}.parquet", f"read_parquet([{', '.join(literal(str(path)) for path in files)}])", True)
    finally:
        con.close()
    for post in past:
        post["gathered"] = name
    return files


class _Closing:
    """A bucket's work, or with None that on money without a loan."""

    def __init__(self, book: Book, to: datetime.date, beside: Path) -> None:
        self.book, self.to, self.beside, self.agreements = book, to, beside, Agreements.of(book)
        self.since = book.closed_to
        self.months = month_ends(book.today, to)

    def __call__(self, bucket: int | None) -> tuple[dict[str, int], list[tuple]]:
        con = connect(1, _MEMORY_MB)
        try:
            con.execute("SET VARIABLE upto = $1::DATE", [self.to])
            if bucket is None:
                return self._unmatched(con)
            goes_on = self.book.stands(bucket)
            if goes_on:
                bind_since(con, self.book, bucket, self.since, self.to, "live" if self.months else "touched")
            else:
                bind(con, self.book, bucket, self.to, self.to)
            if goes_on and not self.months and con.execute("SELECT count(*) FROM loans").fetchall() == [(0,)]:
                return self._nothing_happened(con, bucket)
            con.execute("CREATE TEMP TABLE lanes_taken AS SELECT row_number() OVER (ORDER BY loan_id, known_from) - 1 AS lane, * FROM lanes")
            con.register("accounts", pa.table({"code": pa.array(range(len(ACCOUNTS)), pa.int64()), "account": pa.array(ACCOUNTS, pa.string())}))
            refused = self._play(con)
            con.execute((_HERE / "close.sql").read_text(encoding="utf-8"))
            self._stand(con, bucket)
            exceptions = con.execute("SELECT loan_id, NULL, NULL, 'the instalments do not add up to the loan' FROM broken").fetchall()
            if refused:
                lane, event, why = zip(*refused)
                con.register("set_aside", pa.table({"lane": lane, "event": event, "reason": why}))
                exceptions += con.execute("""
                    SELECT DISTINCT loan_id, event_id, value_date, reason
                    FROM set_aside JOIN loan_events USING (event) JOIN played_last USING (lane, loan_id)""").fetchall()  # as it is known now
            if goes_on:
                exceptions += self._set_aside_before(con)
            [(loans,)] = con.execute("SELECT count(*) FROM loans").fetchall()
            return {"entries": self._write(con, f"{bucket:03d}"), "loans": loans}, exceptions
        finally:
            con.close()

    def _nothing_happened(self, con, bucket: int) -> tuple[dict[str, int], list[tuple]]:
        for path, new in zip(self.book.standing(bucket).values(), self.book.standing_on(bucket, self.to).values()):
            shutil.copyfile(path, self.beside / "standing" / new.name)
        return {"entries": 0, "loans": 0}, self._set_aside_before(con)

    def _set_aside_before(self, con) -> list[tuple]:
        """What was set aside of loans that are not told anew."""
        before = literal(str(self.book.root / "exceptions.parquet"))
        return con.execute(f"SELECT e.* FROM read_parquet({before}) AS e SEMI JOIN all_loans USING (loan_id) ANTI JOIN anew USING (loan_id)").fetchall()

    def _play(self, con) -> list[tuple[int, int, str]]:
        """Leaves moves, how the accounts stand, the instalments that changed, and months; returns (lane, event, why) of what was refused."""
        con.execute("CREATE TEMP TABLE moves (lane BIGINT, day BIGINT, event BIGINT, debit BIGINT, credit BIGINT, fen BIGINT)")
        con.execute(f"CREATE TEMP TABLE stands (lane BIGINT, {', '.join(f'{name} BIGINT' for name in (*STANDS, *PAID))})")
        con.execute("CREATE TEMP TABLE changed_instalments (lane BIGINT, instalment_no BIGINT, due BIGINT, fee_fen BIGINT, interest_fen BIGINT, principal_fen BIGINT)")
        months.begin(con)
        refused = []
        for played in play(con, self.agreements):
            if self.since is not None and not played.is_resumed:  # what ended before is not seen again
                months.see(con, played, months.last_end(self.since))
            for month in self.months:
                months.see(con, played, month)
            accounts = played.to(self.to)
            columns = accounts.moves.columns()
            columns["lane"] = played.lane[columns["lane"]]
            for table, rows in (("moves", columns), ("stands", {"lane": played.lane, **accounts.standing()}), ("changed_instalments", _changed(played.lane, accounts))):
                con.register("some_rows", pa.table(rows))
                con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM some_rows")
                con.unregister("some_rows")
            refused += [(int(played.lane[of]), event, why) for of, event, why in accounts.refused]
        return refused

    def _stand(self, con, bucket: int) -> None:
        """Where the next close goes on, and the ends of months, into files."""
        con.execute("SET VARIABLE since = $1::DATE", [self.since])
        con.execute("SET VARIABLE first = $1::DATE", [self.book.today])
        con.execute((_HERE / "stand.sql").read_text(encoding="utf-8"))
        for table, (name, path) in zip(("standing", "instalments"), self.book.standing_on(bucket, self.to).items()):
            put(con, table, self.beside / "standing" / path.name, f"new_{name}", True)
        for month in self.months:
            put(con, "months", self.beside / "months" / f"{bucket:03d}-{month:%Y-%m}.parquet", f"(SELECT * FROM new_months WHERE month = DATE '{month}')", True)

    def _unmatched(self, con) -> tuple[dict[str, int], list[tuple]]:
        con.execute(f"CREATE TEMP VIEW told_events AS {self.book.source('events')}")
        con.execute(f"CREATE TEMP VIEW loans AS SELECT loan_id, opened_on, drawn_on FROM ({self.book.source('loans')})")
        for name in ("cancelled", "unmatched"):
            con.execute((_HERE / f"{name}.sql").read_text(encoding="utf-8"))
        return {"entries": self._write(con, UNMATCHED), "loans": 0}, con.execute("FROM waiting").fetchall()

    def _write(self, con, name: str) -> int:
        """What is booked after the last close, into the files of its months, beside what stands there. Returns how many entries."""
        con.execute("CREATE OR REPLACE TEMP TABLE fresh AS SELECT *, strftime(posted_at, '%Y-%m') AS month FROM entries WHERE posted_at > coalesce($1::DATE, DATE '0001-01-01')", [self.since])
        for (month,) in con.execute("SELECT DISTINCT month FROM fresh ORDER BY 1").fetchall():
            file = f"{name}-{month}.parquet"
            stands, rows = self.book.root / "ledger" / file, f"SELECT * EXCLUDE (month) FROM fresh WHERE month = {literal(month)}"
            if stands.exists() and self.since is not None:  # but what a close that was killed left there
                rows += f" UNION ALL SELECT * FROM read_parquet({literal(str(stands))}) WHERE posted_at <= DATE {literal(self.since.isoformat())}"
            put(con, "ledger", self.beside / file, f"({rows})", True)
        return con.execute("SELECT count(*) FROM fresh").fetchall()[0][0]


def _changed(lane: np.ndarray, accounts: Accounts) -> dict[str, np.ndarray]:
    """Instalments of accounts in which they are others than at the drawdown: columns."""
    who, k = np.nonzero((accounts.due < FAR) & accounts.changed[:, None])
    fee, interest, principal = accounts.amounts[:, who, k]
    return {"lane": lane[who], "instalment_no": k + 1, "due": accounts.due[who, k], "fee_fen": fee, "interest_fen": interest, "principal_fen": principal}


def _write_exceptions(rows: list[tuple], path: Path) -> None:
    loan, event, day, reason = zip(*dict.fromkeys(rows)) if rows else ((), (), (), ())
    con = connect(1)
    try:
        con.register("excepted", pa.table({"loan_id": pa.array(loan, pa.string()), "event_id": pa.array(event, pa.string()), "value_date": pa.array(day, pa.date32()), "reason": pa.array(reason, pa.string())}))
        put(con, "exceptions", path, "excepted", True)
    finally:
        con.close()
