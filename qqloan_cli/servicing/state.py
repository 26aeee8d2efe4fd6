"""What stands on a day: every loan drawn by then, as it is known now or was known on another day, and beside it what was said on the day itself."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.loans.due_dates import DAY, add_months
from qqloan_cli.policy.servicing import CLASSES, Classes
from qqloan_cli.servicing.account import FAR, Accounts
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.columns import day_number
from qqloan_cli.servicing.lanes import Agreements, bind, bind_since, play
from qqloan_cli.servicing.parts import as_one

_HERE = Path(__file__).parent
_MEMORY_MB = 1_500


def write_state(book: Book, at: datetime.date, known_at: datetime.date | None, out: Path, workers: int) -> int:
    """Writes the contract ``state`` to ``out``, whole or not at all; returns its rows. Raises UsageError at a day that is not closed."""
    book.must_be_closed(at, "--at")
    known = known_at or book.closed_to
    if not at <= known <= book.closed_to:
        raise UsageError("known-at-wrong", f"what was known on {known} cannot be asked of {at}", "--known-at", f"Name a day from {at} to {book.closed_to}.")
    return as_one(book, "state", out, workers, lambda beside: _State(book, at, known, beside))


class _State:
    def __init__(self, book: Book, at: datetime.date, known: datetime.date, beside: Path) -> None:
        self.book, self.at, self.known, self.beside, self.agreements = book, at, known, beside, Agreements.of(book)

    def __call__(self, bucket: int) -> None:
        con = connect(1, _MEMORY_MB)
        try:
            on_day(con, self.book, bucket, self.agreements, self.at, self.known)
            put(con, "state", self.beside / f"{bucket:03d}.parquet", "stated", True)
        finally:
            con.close()


def on_day(con, book: Book, bucket: int, agreements: Agreements, at: datetime.date, known: datetime.date) -> None:
    """Leaves ``stated`` (contract state) of a bucket's loans."""
    if at == book.closed_to and book.stands(bucket):
        bind_since(con, book, bucket, at, at, "all")
    else:
        bind(con, book, bucket, at, known)
    of_bucket(con, agreements, at, known)


def of_bucket(con, agreements: Agreements, at: datetime.date, known: datetime.date) -> None:
    """Leaves ``stated`` (contract state) of what ``lanes.bind`` made ready."""
    con.execute("SET VARIABLE state_at = $1::DATE", [at])
    con.execute("SET VARIABLE classes = $1", [list(CLASSES)])
    con.execute("SET VARIABLE by_borrower = $1::BOOLEAN", [agreements.classes.by == "borrower"])
    con.execute("""CREATE OR REPLACE TEMP TABLE lanes_taken AS
        SELECT row_number() OVER (ORDER BY loan_id, known_from) - 1 AS lane, *, max(known_from) OVER (PARTITION BY loan_id) = known_from AS is_now,
          known_from <= getvariable('state_at') AND known_to > getvariable('state_at') AS is_then
        FROM lanes QUALIFY is_now OR is_then""")
    con.execute("CREATE OR REPLACE TEMP TABLE figures (lane BIGINT, " + ", ".join(f"{name} {type}" for name, type in _FIGURES.items()) + ")")
    for played in play(con, agreements):
        con.register("some_figures", _figures(played.lane, played.to(at), at, agreements.classes, _pauses(con)))
        con.execute("INSERT INTO figures SELECT * FROM some_figures")
        con.unregister("some_figures")
    con.execute((_HERE / "state.sql").read_text(encoding="utf-8"))


_FIGURES = {c.name: "BIGINT" if c.type in ("INTEGER", "BIGINT") else c.type for c in CONTRACTS["state"].columns if c.name not in ("loan_id", "application_id", "applicant_id", "restated", "dpd_said", "owed_said_fen")}


def _figures(lane: np.ndarray, accounts: Accounts, at: datetime.date, classes: Classes, paused_days) -> pa.Table:
    day, n = np.int64(day_number(at)), len(accounts)
    lanes = np.arange(n)
    owed = {name: accounts.owed(name) for name in ("principal", "interest", "penalty", "fees")}
    in_all = sum(owed.values())
    dpd, oldest_due = days_past_due(accounts, day)
    delinquent = np.maximum(dpd - accounts.how.grace_days - paused_days(oldest_due), 0)
    paid = nothing_left(accounts)
    status = np.where(accounts.off, "written_off", np.where(paid, "paid", np.where(dpd > 0, "overdue", "current")))
    place = np.minimum(accounts.fallen, accounts.due.shape[1] - 1)
    to_come = (accounts.count - accounts.fallen) * ~accounts.off
    next_due = np.where(to_come > 0, accounts.due[lanes, place], FAR)
    return pa.table({
        "lane": lane, "status": status.tolist(), "dpd": dpd, "delinquent_days": delinquent,
        "class": [CLASSES[code] for code in classed(accounts, dpd, day, classes).tolist()],
        "principal_fen": accounts.outstanding, "principal_due_fen": owed["principal"], "interest_fen": owed["interest"], "penalty_fen": owed["penalty"], "fees_fen": owed["fees"],
        "accrued_interest_fen": np.where(to_come > 0, accounts.accrued(lanes, np.maximum(np.full(n, day), accounts.drawn)), 0),
        "advance_fen": accounts.advance_fen, "written_off_fen": accounts.off_fen, "recovered_fen": accounts.recovered,
        "oldest_due_date": _dates(oldest_due), "next_due_date": _dates(next_due),
        "next_due_fen": pa.array(accounts.amounts[:, lanes, place].sum(axis=0), mask=next_due == FAR),
        "instalments_fallen": accounts.fallen, "instalments_to_come": to_come,
        "restructured_on": _dates(accounts.restructured), "re_aged": accounts.re_aged, "owed_fen": in_all,
    })


def nothing_left(accounts: Accounts) -> np.ndarray:
    """Neither of principal, nor of anything that is owed."""
    return ~accounts.off & (accounts.outstanding == 0) & (sum(accounts.owed(name) for name in ("principal", "interest", "penalty", "fees")) == 0)


def days_past_due(accounts: Accounts, day: np.int64) -> tuple[np.ndarray, np.ndarray]:
    """Days since the oldest unpaid due date, 0 on the date itself and where nothing is unpaid; and that date, FAR where nothing is."""
    oldest = accounts.oldest(more_than_fen=accounts.how.tolerance_fen)
    late = oldest < accounts.fallen
    oldest_due = np.where(late, accounts.due[np.arange(len(accounts)), np.minimum(oldest, accounts.due.shape[1] - 1)], FAR)
    return np.where(late, np.maximum(day - oldest_due, 0), 0), oldest_due


def classed(accounts: Accounts, dpd: np.ndarray, day: np.int64, classes: Classes) -> np.ndarray:
    """The least class (its number in CLASSES) that days past due, a restructuring under watch, a cure under way or a write-off leave possible."""
    least = np.searchsorted([classes.special_mention, classes.substandard, classes.doubtful, classes.loss], dpd, side="right")
    least = np.where((least == 1) & (dpd <= classes.technical_days), 0, least)
    restructured = np.where(accounts.restructured < FAR, accounts.restructured, -1)
    least = np.where(_not_proven(accounts, restructured, day, classes.watch_months, classes.watch_periods), np.maximum(least, accounts.at_least), least)
    least = np.where(_not_proven(accounts, accounts.bad_last, day, classes.cure_months, classes.cure_periods), np.maximum(least, CLASSES.index("substandard")), least)
    return np.where(accounts.off, len(CLASSES) - 1, np.where(accounts.outstanding > 0, least, 0))


def _not_proven(accounts: Accounts, since: np.ndarray, day: np.int64, months: int, periods: int) -> np.ndarray:
    """Whether not so many months, or not so many instalments, have passed since a day (below 0: never)."""
    found, who = np.zeros(len(accounts), bool), np.flatnonzero(since >= 0)
    ends = add_months(since[who].astype(DAY), months).astype(np.int64)
    passed = ((accounts.due[who] > since[who][:, None]) & (accounts.due[who] <= day)).sum(axis=1)
    found[who] = (day < ends) | (passed < periods)
    return found


def _dates(days: np.ndarray) -> pa.Array:
    never = days >= FAR
    return pa.array(np.where(never, 0, days).astype(np.int32), pa.int32(), mask=never).cast(pa.date32())


def _pauses(con):
    """A function: days of pauses between the oldest due dates and the day."""
    table = con.sql("""
        SELECT b.spot, value_date - DATE '1970-01-01' AS first, least(until + 1, getvariable('state_at')) - DATE '1970-01-01' AS upto
        FROM block AS b JOIN loan_events AS e USING (loan_id)
        WHERE kind = 'pause' AND e.value_date <= getvariable('state_at') AND counts_in(b.known_from, e.value_date, e.known_from, e.known_to)""").to_arrow_table()
    who, first, upto = (table[name].to_numpy().astype(np.int64) for name in ("spot", "first", "upto"))

    def days(oldest_due: np.ndarray) -> np.ndarray:
        found = np.zeros(len(oldest_due), np.int64)
        np.add.at(found, who, np.maximum(upto - np.maximum(first, oldest_due[who]), 0))
        return found

    return days
