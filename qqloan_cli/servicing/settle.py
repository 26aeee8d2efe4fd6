"""What each source of funds is to have of a period's money, to the fen: its share of every loan's principal, interest, penalty, fees, recoveries
and losses; what a guarantor paid it for its claims, what it was bought out for, and what the guarantee costs it."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError
from qqloan_cli.loans.shares import largest_remainder
from qqloan_cli.policy.servicing import Servicing, load_servicing
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.columns import columns

_HERE = Path(__file__).parent
WHAT = ("drawn", "principal", "interest", "penalty", "fees", "recovered", "written_off", "capitalised")
BETWEEN = ("guarantee_fee", "compensated", "bought_back")  # from one source to another: they add up to nothing
_PAID_OUT = ("principal", "interest", "penalty", "fees", "recovered", *BETWEEN)
_STANDS = {"drawn": 1, "capitalised": 1, "principal": -1, "written_off": -1}


def settle(book: Book, first: datetime.date, last: datetime.date) -> pa.Table:
    """One row a source: every part of WHAT and BETWEEN in the period, what is to be paid out, and its principal at the end, in fen.

    A loan's sum since its owners have it goes over them by largest remainder, and a period has the difference of two such sums: the sources
    of a loan always add up to the loan, and periods to the whole. Each loan is settled as was agreed when it was lent. Raises UsageError
    at days that are not closed.
    """
    book.must_be_closed(last, "--to")
    if first > last:
        raise UsageError("period-wrong", f"{first} is after {last}", "--from", "Name an earlier day.")
    with settled(book, first, last) as (con, sources, distinct):
        found = {what: np.zeros(len(sources), np.int64) for what in (*WHAT, *BETWEEN, "outstanding")}
        for agreed, servicing in enumerate(distinct):
            sums, owned = settle_agreed(con, agreed, servicing, sources)
            for what, fen in {**sums, "outstanding": owned.sum(axis=0)}.items():
                found[what] += fen
    return pa.table({
        "source": sources, **{f"{what}_fen": found[what] for what in (*WHAT, *BETWEEN)}, "to_pay_out_fen": sum(found[what] for what in _PAID_OUT), "outstanding_fen": found["outstanding"],
    })


@contextlib.contextmanager
def settled(book: Book, first: datetime.date, last: datetime.date, by: str = "posted_at") -> Iterator[tuple[object, list[str], list[Servicing]]]:
    """A session with the tables of settle.sql and ``loans`` (loan_id, agreed, loan: its number there), everybody who has money in
    them, by name, and the agreements under which they were lent. ``by``: posted_at, or value_date as some others count."""
    by_run = {opened["run_id"]: load_servicing(config) for opened, config in zip(book.document["opens"], book.configs)}
    distinct: list[Servicing] = []
    for agreed in by_run.values():
        if not any(agreed.settles_as(other) for other in distinct):
            distinct.append(agreed)
    con = connect(2)
    try:
        for table in ("events", "funded_by"):
            con.execute(f"CREATE TEMP VIEW {table} AS {book.source(table)}")
        con.execute(f"CREATE TEMP VIEW ledger AS SELECT * REPLACE ({by} AS posted_at) FROM ({book.source('ledger')})")
        number = [next(i for i, other in enumerate(distinct) if agreed.settles_as(other)) for agreed in by_run.values()]
        con.register("agreed_by", pa.table({"run_id": list(by_run), "agreed": pa.array(number, pa.int64())}))
        con.execute(f"""CREATE TEMP TABLE loans AS SELECT loan_id, agreed, row_number() OVER (PARTITION BY agreed ORDER BY loan_id) - 1 AS loan
            FROM ({book.source('loans')}) JOIN agreed_by USING (run_id)""")
        con.execute("SET VARIABLE first = $1::DATE", [first])
        con.execute("SET VARIABLE last = $1::DATE", [last])
        con.execute("SET VARIABLE upto = $1::DATE", [last])
        for name in ("passed_on", "settle"):
            con.execute((_HERE / f"{name}.sql").read_text(encoding="utf-8"))
        sources = {name for name, in con.execute("SELECT DISTINCT source FROM funded_by").fetchall()}
        yield con, sorted(sources.union(*(agreed.named for agreed in distinct))), distinct
    finally:
        con.close()


def settle_agreed(con, agreed: int, servicing: Servicing, sources: list[str], one: dict[str, np.ndarray] | None = None, of_one: str = "") -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Of the loans that were lent under one agreement: sums by source, and each one's principal in each at the end [loans, sources], in
    fen. From one set of owners to the next, as claims pass on. ``one`` is filled with what each loan brought the source ``of_one`` [loans]."""
    weights = _lent(con, agreed, sources)
    stands, received, received_before = np.zeros_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    found = {what: np.zeros(len(sources), np.int64) for what in (*WHAT, *BETWEEN)}
    taken = columns(con, f"SELECT loan, nth, kind = 'compensation' AS is_compensation, day >= getvariable('first') AS is_now, amount_fen FROM takeovers JOIN loans USING (loan_id) WHERE agreed = {agreed} ORDER BY loan")
    for owners in range(int(taken["nth"].max(initial=0)) + 1):
        if owners:
            rows = taken["nth"] == owners
            for is_compensation in (1, 0):
                passing = rows & (taken["is_compensation"] == is_compensation)
                terms = servicing.compensation if is_compensation else servicing.buy_back
                if terms is None or not passing.any():
                    continue
                loan, of = taken["loan"][passing], np.array([name in terms.of for name in sources])
                moved = np.where(of, stands[loan], 0)
                some = moved.sum(axis=1) > 0
                loan, moved = loan[some], moved[some]
                paid = largest_remainder(taken["amount_fen"][passing][some], moved)
                now = taken["is_now"][passing][some] == 1
                to = sources.index(terms.to)
                what = found["compensated" if is_compensation else "bought_back"]
                what += paid[now].sum(axis=0)
                what[to] -= paid[now].sum()
                stands[loan] -= moved
                stands[loan, to] += moved.sum(axis=1)
            loan = taken["loan"][rows]
            weights[loan] = np.where(stands[loan].sum(axis=1, keepdims=True) > 0, np.maximum(stands[loan], 0), weights[loan])
        for what in WHAT:
            flows = columns(con, f"SELECT loan, before_fen, by_end_fen FROM flows JOIN loans USING (loan_id) WHERE agreed = {agreed} AND owners = {owners} AND what = {literal(what)} ORDER BY loan")
            alone = getattr(servicing.settlement, what, "shares")
            of = weights[flows["loan"]] if alone == "shares" else np.tile([int(source == alone) for source in sources], (len(flows["loan"]), 1))
            before, by_end = _shares(flows["before_fen"], of), _shares(flows["by_end_fen"], of)
            found[what] += by_end.sum(axis=0) - before.sum(axis=0)
            if one is not None:
                one.setdefault(what, np.zeros(len(weights), np.int64))[flows["loan"]] += (by_end - before)[:, sources.index(of_one)]
            stands[flows["loan"]] += by_end * _STANDS.get(what, 0)
            if what == "interest":
                received[flows["loan"]] += by_end
                received_before[flows["loan"]] += before
    if servicing.compensation is not None and servicing.compensation.fee_of_interest:
        of, ppm = np.array([name in servicing.compensation.of for name in sources]), int(servicing.compensation.fee_of_interest * 1_000_000)
        fee = (np.where(of, received, 0) * ppm // 1_000_000 - np.where(of, received_before, 0) * ppm // 1_000_000).sum(axis=0)
        found["guarantee_fee"] -= fee
        found["guarantee_fee"][sources.index(servicing.compensation.to)] += fee.sum()
    return found, stands


def _shares(fen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Also of what is taken back, which is below zero."""
    return np.sign(fen)[:, None] * largest_remainder(np.abs(fen), weights)


def _lent(con, agreed: int, sources: list[str]) -> np.ndarray:
    """Fen that each source lent of each loan: [loans, sources]."""
    con.register("sources", pa.table({"source": sources, "place": pa.array(range(len(sources)), pa.int64())}))
    lent = columns(con, f"SELECT loan, place, amount_fen FROM funded_by JOIN loans USING (loan_id) JOIN sources USING (source) WHERE agreed = {agreed}")
    weights = np.zeros((int(lent["loan"].max(initial=-1)) + 1, len(sources)), np.int64)
    weights[lent["loan"], lent["place"]] = lent["amount_fen"]
    return weights
