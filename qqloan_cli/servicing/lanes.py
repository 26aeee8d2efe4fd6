"""A bucket of a book as columns: loans as they were known at their times (lanes), what happens in each, and the accounts that follow."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import literal
from qqloan_cli.loans.schedule import METHODS, Rounding
from qqloan_cli.policy.products import Product, load_products, ppm
from qqloan_cli.policy.servicing import Classes, Servicing, load_servicing
from qqloan_cli.servicing.account import FAR, KINDS, PAID, STANDS, Accounts, How
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.columns import columns, day_number

_HERE = Path(__file__).parent
_REAL_DAYS = {"30/360": 0, "act/365": 365, "act/360": 360}
_CODE = {kind: code for code, kind in enumerate(KINDS)}
BLOCK = 32_768  # lanes at a time: their instalments stay in the cache


@dataclass(frozen=True)
class Agreements:
    """What was agreed on, by run: what a loan was lent under does not change with a later configuration. ``classes`` are the latest's."""

    by_run: dict[str, tuple[dict[str, Product], Servicing]]
    classes: Classes

    @classmethod
    def of(cls, book: Book) -> "Agreements":
        by_run = {opened["run_id"]: (load_products(config), load_servicing(config)) for opened, config in zip(book.document["opens"], book.configs)}
        return cls(by_run, [servicing for _, servicing in by_run.values()][-1].classes)

    def how(self, run_id: str, name: str, method: str) -> How:
        products, servicing = self.by_run[run_id]
        agreed, product = servicing.of(name), products.get(name)
        return How(
            order=tuple(agreed.allocation), across=agreed.across, excess=agreed.excess, grace_days=agreed.grace_days, year_days=agreed.penalty_year_days,
            pause_stops_penalty=agreed.pause_stops_penalty, shorten=agreed.early == "shorten",
            early_fee_ppm=ppm(product.shown.early_repayment_rate) if product else 0, method=METHODS.index(method),
            real_days=_REAL_DAYS[product.day_count] if product else 0, principal_free=product.principal_free_months if product else 0,
            rounding=Rounding.of(product) if product else Rounding(),
            tolerance_fen=int(agreed.tolerance * 100), bad_dpd=servicing.classes.substandard, watch_months=servicing.classes.watch_months, cure_months=servicing.classes.cure_months,
        )


def bind(con, book: Book, bucket: int, upto: datetime.date, known_at: datetime.date, wanted: str | None = None) -> None:
    """Loans of the bucket from their drawdown on: ``loans`` drawn by ``upto``, or those of them that the query ``wanted`` (loan_id) names,
    ``instalments`` (of others too), and the tables of lanes.sql. Nothing is ``resumed``."""
    _say(con, upto=upto, known_at=known_at)
    only = f"SEMI JOIN ({wanted}) USING (loan_id)" if wanted else ""
    con.execute(f"CREATE OR REPLACE TEMP TABLE loans AS SELECT * FROM ({book.source('loans', bucket)}) {only} WHERE drawn_on <= getvariable('upto')")
    con.execute("CREATE OR REPLACE TEMP TABLE resumed (loan_id VARCHAR)")
    for name, contract in (("stood", "standing"), ("stood_instalments", "instalments")):
        con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {CONTRACTS[contract].empty()}")
    con.execute(f"CREATE OR REPLACE TEMP VIEW instalments AS {book.source('instalments', bucket)}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE told_events AS SELECT * FROM ({bucket_events(book, bucket)}) {'WHERE bucket IS NULL OR loan_id IN (SELECT loan_id FROM loans) OR ' + ASIDE if wanted else ''}")
    _lanes(con)


def bind_since(con, book: Book, bucket: int, since: datetime.date, upto: datetime.date, whom: str) -> None:
    """The same of loans that are to be looked at after ``since``, the last close (touched.sql): those that are ``anew`` from their
    drawdown on, those that are ``resumed`` from where they stood. ``whom``: touched, live (a month ends) or all."""
    _say(con, upto=upto, known_at=upto, since=since, whom=whom)
    con.execute(f"CREATE OR REPLACE TEMP TABLE all_loans AS SELECT * FROM ({book.source('loans', bucket)}) WHERE drawn_on <= getvariable('upto')")
    con.execute(f"CREATE OR REPLACE TEMP VIEW all_instalments AS {book.source('instalments', bucket)}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE recent_events AS {bucket_events(book, bucket, since)}")
    for name, path in book.standing(bucket).items():
        con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM read_parquet({literal(str(path))})")
    [(anew,)] = con.execute("""SELECT EXISTS (FROM recent_events WHERE kind IN ('match', 'reversal') OR received_on > greatest(value_date, getvariable('since')))
        OR EXISTS (FROM stood WHERE pauses > 0 AND getvariable('whom') = 'all')
        OR EXISTS (FROM all_loans ANTI JOIN stood USING (loan_id) WHERE opened_on <= getvariable('since'))""").fetchall()
    con.execute(f"CREATE OR REPLACE TEMP VIEW bucket_events AS {bucket_events(book, bucket) if anew else _without_a_loan(book, bucket)}")
    con.execute((_HERE / "touched.sql").read_text(encoding="utf-8"))
    _lanes(con)


def bucket_events(book: Book, bucket: int, since: datetime.date | None = None) -> str:
    """SQL of what was told about loans of the bucket, and of what may be about any bucket's: money without a loan, matches, reversals.
    With ``since`` only what happens after that day and up to ``upto``, came after it, or lasts over it."""
    own, aside = book.source("events", since=since), book.source("events", since=since, aside=True)
    after = "AND (value_date > getvariable('since') AND value_date <= getvariable('upto') OR received_on > getvariable('since') OR until >= getvariable('since') OR kind IN ('match', 'reversal'))" if since else ""
    return f"""SELECT * FROM ({own}) WHERE bucket = {bucket} {after}
        UNION ALL SELECT * FROM ({aside}) WHERE (bucket IS NULL OR bucket <> {bucket} AND {ASIDE}) {after}"""


def _without_a_loan(book: Book, bucket: int) -> str:
    """SQL of all that a loan may have which came into the book since."""
    return f"SELECT * FROM ({book.source('events', aside=True)}) WHERE bucket IS NULL OR kind IN ('match', 'reversal')\n UNION ALL SELECT * FROM recent_events WHERE bucket = {bucket} AND NOT {ASIDE}"


ASIDE = "kind IN ('match', 'reversal')"  # may be about a loan of another bucket


def _say(con, **days) -> None:
    for name, value in days.items():
        con.execute(f"SET VARIABLE {name} = $1{'' if isinstance(value, str) else '::DATE'}", [value])


def _lanes(con) -> None:
    for name in ("cancelled", "lanes"):
        con.execute((_HERE / f"{name}.sql").read_text(encoding="utf-8"))
    con.execute("""CREATE OR REPLACE TEMP TABLE broken AS
        WITH from_the_drawdown AS (SELECT loan_id, principal_fen FROM loans ANTI JOIN resumed USING (loan_id)),
        added AS (
          SELECT loan_id, sum(principal_fen) AS fen, min(instalment_no) = 1 AND max(instalment_no) = count(*) AS in_order
          FROM instalments SEMI JOIN from_the_drawdown USING (loan_id) GROUP BY loan_id
        )
        SELECT loan_id FROM from_the_drawdown LEFT JOIN added USING (loan_id) WHERE fen IS DISTINCT FROM principal_fen OR NOT in_order""")


class Played:
    """Accounts of some lanes on their way: ``to`` takes them to a day, and from there to a later one. ``lane``: numbers in ``lanes_taken``."""

    def __init__(self, lane: np.ndarray, accounts: Accounts, events: dict[str, np.ndarray], since: int | None) -> None:
        self.lane, self.accounts, self._events, self.is_resumed = lane, accounts, events, since is not None
        self._day = np.maximum(events["day"], accounts.drawn[events["spot"]])
        self._at = np.iinfo(np.int64).min if since is None else since

    def to(self, day: datetime.date) -> Accounts:
        upto = day_number(day)
        rows = np.flatnonzero((self._day > self._at) & (self._day <= upto))
        told = {name: self._events[name][rows] for name in ("event", "fen", "part", "rate_ppm", "term")}
        self.accounts.happen(self._events["spot"][rows], self._events["day"][rows], self._events["code"][rows], told, np.full(len(self.accounts), upto))
        self._at = upto
        return self.accounts


def play(con, agreements: Agreements) -> Iterator[Played]:
    """The lanes of the table ``lanes_taken`` (lane, loan_id, known_from) with what happens to them up to a day: a ``Played`` for some at a time.
    Loans that are ``resumed`` go on from where they ``stood``."""
    told = con.execute("SELECT DISTINCT run_id, product, method FROM lanes_taken JOIN loans USING (loan_id) ORDER BY ALL").fetchall()
    hows = [agreements.how(*one) for one in told]
    distinct = list(dict.fromkeys(hows))  # most runs agree on the same
    con.register("agreed_by", pa.table({
        **{name: pa.array([one[i] for one in told], pa.string()) for i, name in enumerate(("run_id", "product", "method"))}, "agreed": pa.array([distinct.index(how) for how in hows], pa.int64())}))
    con.execute("""CREATE OR REPLACE TEMP TABLE chosen AS
        SELECT agreed, resumed.loan_id IS NOT NULL AS is_resumed, row_number() OVER (PARTITION BY agreed, resumed.loan_id IS NOT NULL ORDER BY lane) - 1 AS place,
          lane, loan_id, known_from, drawn_on, annual_rate_ppm, penalty_rate_ppm
        FROM lanes_taken JOIN loans USING (loan_id) ANTI JOIN broken USING (loan_id) JOIN agreed_by USING (run_id, product, method) LEFT JOIN resumed USING (loan_id)""")
    for number, is_resumed, count in con.execute("SELECT agreed, is_resumed, count(*) FROM chosen GROUP BY ALL ORDER BY ALL").fetchall():
        for start in range(0, count, BLOCK):
            con.execute(f"""CREATE OR REPLACE TEMP TABLE block AS SELECT * EXCLUDE (agreed, is_resumed), place - {start} AS spot FROM chosen
                WHERE agreed = {number} AND is_resumed = {is_resumed} AND place >= {start} AND place < {start + BLOCK}""")
            yield _block(con, distinct[number], min(BLOCK, count - start), is_resumed)


def _block(con, how: How, n: int, resumed: bool) -> Played:
    loans = columns(con, "SELECT lane, drawn_on, annual_rate_ppm, penalty_rate_ppm FROM block ORDER BY spot")
    parts = columns(con, "SELECT spot, instalment_no - 1 AS k, due_date, fee_fen, interest_fen, principal_fen FROM block JOIN instalments USING (loan_id)")
    m = int(parts["k"].max(initial=0)) + 1
    due, amounts = np.full((n, m), FAR), np.zeros((3, n, m), np.int64)
    due[parts["spot"], parts["k"]] = parts["due_date"]
    for part, name in enumerate(("fee_fen", "interest_fen", "principal_fen")):
        amounts[part, parts["spot"], parts["k"]] = parts[name]
    if resumed:
        stood = columns(con, f"SELECT {', '.join((*STANDS, *PAID))} FROM block JOIN stood USING (loan_id) ORDER BY spot")
        accounts = Accounts.resumed(how, loans["drawn_on"], loans["penalty_rate_ppm"], due, amounts, stood)
    else:
        accounts = Accounts(how, loans["drawn_on"], loans["annual_rate_ppm"], loans["penalty_rate_ppm"], due, amounts)
    codes = ", ".join(f"('{kind}', {code})" for kind, code in _CODE.items())
    events = columns(con, f"""
        WITH inside AS (
          SELECT spot, e.event, value_date AS day, kind, amount_fen, component, rate_ppm, term_months, event_id, until
          FROM block JOIN loan_events AS e USING (loan_id)
          WHERE e.value_date <= getvariable('upto') AND counts_in(block.known_from, e.value_date, e.known_from, e.known_to)
        ),
        steps AS (
          SELECT * FROM inside
          UNION ALL
          SELECT spot, event, until + 1, 'resume', NULL, NULL, NULL, NULL, event_id, NULL FROM inside WHERE kind = 'pause' AND until + 1 <= getvariable('upto')
        )
        SELECT spot, event, day, code, coalesce(amount_fen, 0) AS fen, coalesce(rate_ppm, -1) AS rate_ppm, coalesce(term_months, 0) AS term,
          CASE component WHEN 'fees' THEN 0 WHEN 'penalty' THEN 1 WHEN 'interest' THEN 2 ELSE 3 END AS part
        FROM steps JOIN (VALUES {codes}) AS codes(kind, code) USING (kind)
        ORDER BY spot, day, code, event""")
    since = day_number(con.execute("SELECT getvariable('since')").fetchall()[0][0]) if resumed else None
    return Played(loans["lane"], accounts, events, since)
