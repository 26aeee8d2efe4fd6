"""What each source of funds is to have of a period's money, to the fen: its share of every loan's principal, interest, penalty, fees, recoveries and losses."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError
from qqloan_cli.loans.shares import largest_remainder
from qqloan_cli.policy.servicing import load_servicing
from qqloan_cli.servicing.book import Book

WHAT = ("drawn", "principal", "interest", "penalty", "fees", "recovered", "written_off", "capitalised")
_PAID_OUT = ("principal", "interest", "penalty", "fees", "recovered")


def settle(book: Book, first: datetime.date, last: datetime.date) -> pa.Table:
    """One row a source: every part of WHAT in the period, what is to be paid out, and its principal at the end, in fen.

    A loan's sum since it began goes over its sources by largest remainder, and a period has the difference of two such sums: the sources
    of a loan always add up to the loan, and periods to the whole. Raises UsageError at days that are not closed.
    """
    book.must_be_closed(last, "--to")
    if first > last:
        raise UsageError("period-wrong", f"{first} is after {last}", "--from", "Name an earlier day.")
    goes_to = load_servicing(book.configs[-1]).settlement
    con = connect(2)
    try:
        con.execute(f"CREATE TEMP VIEW ledger AS {book.source('ledger')}")
        con.execute(f"CREATE TEMP TABLE funded_by AS {book.source('funded_by')}")
        con.execute("CREATE TEMP TABLE numbered AS SELECT loan_id, row_number() OVER (ORDER BY loan_id) - 1 AS loan FROM (SELECT DISTINCT loan_id FROM funded_by)")
        con.execute("SET VARIABLE first = $1::DATE", [first])
        con.execute("SET VARIABLE last = $1::DATE", [last])
        con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
        sources = sorted({name for name, in con.execute("SELECT DISTINCT source FROM funded_by").fetchall()} | set(goes_to.named))
        weights = _weights(con, sources)
        moved, stands = {}, np.zeros(len(sources), np.int64)
        for what in WHAT:
            flows = con.sql(f"SELECT loan, before_fen, by_end_fen FROM flows JOIN numbered USING (loan_id) WHERE what = {literal(what)} ORDER BY loan").to_arrow_table()
            loan, before, by_end = (flows[name].to_numpy().astype(np.int64) for name in ("loan", "before_fen", "by_end_fen"))
            alone = getattr(goes_to, what, "shares")
            of = weights[loan] if alone == "shares" else np.tile([int(source == alone) for source in sources], (len(loan), 1))
            upto = largest_remainder(by_end, of).sum(axis=0)
            moved[what] = upto - largest_remainder(before, of).sum(axis=0)
            stands += upto * {"drawn": 1, "capitalised": 1, "principal": -1, "written_off": -1}.get(what, 0)
    finally:
        con.close()
    return pa.table({
        "source": sources, **{f"{what}_fen": moved[what] for what in WHAT}, "to_pay_out_fen": sum(moved[what] for what in _PAID_OUT), "outstanding_fen": stands,
    })


def _weights(con, sources: list[str]) -> np.ndarray:
    """Fen that each source lent of each loan: [loans, sources]."""
    lent = con.sql("SELECT loan, source, amount_fen FROM funded_by JOIN numbered USING (loan_id)").to_arrow_table()
    place = np.array([sources.index(name) for name in lent["source"].to_pylist()], np.int64)
    weights = np.zeros((int(lent["loan"].to_numpy().max(initial=-1)) + 1, len(sources)), np.int64)
    weights[lent["loan"].to_numpy(), place] = lent["amount_fen"].to_numpy()
    return weights
