"""A bucket of a book as columns: loans as they were known at their times (lanes), what happens in each, and the accounts that follow."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.loans.schedule import METHODS, Rounding
from qqloan_cli.policy.products import Product, load_products, ppm
from qqloan_cli.policy.servicing import Classes, Servicing, load_servicing
from qqloan_cli.servicing.account import FAR, KINDS, Accounts, How
from qqloan_cli.servicing.book import Book

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
        )


def bind(con, book: Book, bucket: int, upto: datetime.date, known_at: datetime.date, since: datetime.date | None = None) -> None:
    """The tables of lanes.sql, and ``loans`` and ``instalments`` of the bucket: loans drawn by ``upto``. With ``since``, those alone to
    which something happens after it (touched.sql)."""
    con.execute("SET VARIABLE upto = $1::DATE", [upto])
    con.execute("SET VARIABLE known_at = $1::DATE", [known_at])
    con.execute(f"CREATE OR REPLACE TEMP TABLE loans AS SELECT * FROM ({book.source('loans', bucket)}) WHERE drawn_on <= getvariable('upto')")
    con.execute(f"CREATE OR REPLACE TEMP VIEW all_instalments AS {book.source('instalments', bucket)}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE told_events AS SELECT * FROM ({book.source('events')}) WHERE bucket = {bucket} OR bucket IS NULL OR kind IN ('match', 'reversal')")
    if since is not None:
        con.execute("SET VARIABLE since = $1::DATE", [since])
        con.execute((_HERE / "touched.sql").read_text(encoding="utf-8"))
        con.execute("CREATE OR REPLACE TEMP TABLE loans AS SELECT * FROM loans SEMI JOIN touched USING (loan_id)")
        con.execute("CREATE OR REPLACE TEMP TABLE told_events AS SELECT * FROM told_events WHERE bucket IS NULL OR kind IN ('match', 'reversal') OR loan_id IN (FROM touched)")
    con.execute("CREATE OR REPLACE TEMP TABLE instalments AS SELECT * FROM all_instalments SEMI JOIN loans USING (loan_id)")
    con.execute((_HERE / "lanes.sql").read_text(encoding="utf-8"))
    con.execute("""CREATE OR REPLACE TEMP TABLE broken AS
        WITH added AS (SELECT loan_id, sum(principal_fen) AS fen, min(instalment_no) = 1 AND max(instalment_no) = count(*) AS in_order FROM instalments GROUP BY loan_id)
        SELECT loan_id FROM loans LEFT JOIN added USING (loan_id) WHERE fen IS DISTINCT FROM principal_fen OR NOT in_order""")


class Played:
    """Accounts of some lanes on their way: ``to`` takes them to a day, and from there to a later one. ``lane``: numbers in ``lanes_taken``."""

    def __init__(self, lane: np.ndarray, accounts: Accounts, events: dict[str, np.ndarray]) -> None:
        self.lane, self.accounts, self._events = lane, accounts, events
        self._day = np.maximum(events["day"], accounts.drawn[events["spot"]])
        self._at = np.iinfo(np.int64).min

    def to(self, day: datetime.date) -> Accounts:
        upto = _day(day)
        rows = np.flatnonzero((self._day > self._at) & (self._day <= upto))
        told = {name: self._events[name][rows] for name in ("event", "fen", "part", "rate_ppm", "term")}
        self.accounts.happen(self._events["spot"][rows], self._events["day"][rows], self._events["code"][rows], told, np.full(len(self.accounts), upto))
        self._at = upto
        return self.accounts


def play(con, agreements: Agreements) -> Iterator[Played]:
    """The lanes of the table ``lanes_taken`` (lane, loan_id, known_from) with what happens to them up to a day: a ``Played`` for some at a time."""
    told = con.execute("SELECT DISTINCT run_id, product, method FROM lanes_taken JOIN loans USING (loan_id) ORDER BY ALL").fetchall()
    hows = [agreements.how(*one) for one in told]
    distinct = list(dict.fromkeys(hows))  # most runs agree on the same
    con.register("agreed_by", pa.table({
        **{name: pa.array([one[i] for one in told], pa.string()) for i, name in enumerate(("run_id", "product", "method"))}, "agreed": pa.array([distinct.index(how) for how in hows], pa.int64())}))
    for number, how in enumerate(distinct):
        con.execute(f"""CREATE OR REPLACE TEMP TABLE chosen AS
            SELECT row_number() OVER (ORDER BY lane) - 1 AS place, lane, loan_id, known_from, drawn_on, annual_rate_ppm, penalty_rate_ppm
            FROM lanes_taken JOIN loans USING (loan_id) ANTI JOIN broken USING (loan_id) JOIN agreed_by USING (run_id, product, method)
            WHERE agreed = {number}""")
        [(count,)] = con.execute("SELECT count(*) FROM chosen").fetchall()
        for start in range(0, count, BLOCK):
            yield _block(con, how, start, min(start + BLOCK, count))


def _block(con, how: How, start: int, end: int) -> Played:
    con.execute(f"CREATE OR REPLACE TEMP TABLE block AS SELECT *, place - {start} AS spot FROM chosen WHERE place >= {start} AND place < {end}")
    loans = _columns(con, "SELECT lane, drawn_on, annual_rate_ppm, penalty_rate_ppm FROM block ORDER BY spot")
    parts = _columns(con, "SELECT spot, instalment_no - 1 AS k, due_date, fee_fen, interest_fen, principal_fen FROM block JOIN instalments USING (loan_id)")
    n, m = end - start, int(parts["k"].max(initial=0)) + 1
    due, amounts = np.full((n, m), FAR), np.zeros((3, n, m), np.int64)
    due[parts["spot"], parts["k"]] = parts["due_date"]
    for part, name in enumerate(("fee_fen", "interest_fen", "principal_fen")):
        amounts[part, parts["spot"], parts["k"]] = parts[name]
    accounts = Accounts(how, loans["drawn_on"], loans["annual_rate_ppm"], loans["penalty_rate_ppm"], due, amounts)
    codes = ", ".join(f"('{kind}', {code})" for kind, code in _CODE.items())
    events = _columns(con, f"""
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
    return Played(loans["lane"], accounts, events)


def _columns(con, query: str) -> dict[str, np.ndarray]:
    """Whole columns in int64; dates as days since 1970."""
    table = con.sql(query).to_arrow_table().combine_chunks()
    return {name: (table[name].cast(pa.int32()) if pa.types.is_date(table[name].type) else table[name]).to_numpy().astype(np.int64) for name in table.column_names}


def _day(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days
