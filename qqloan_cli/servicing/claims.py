"""Which claims pass on next: loans so late that a guarantor is to pay their funders, or the lender is to buy them back. As a file to be posted."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import literal
from qqloan_cli.errors import UsageError
from qqloan_cli.loans.shares import largest_remainder
from qqloan_cli.policy.servicing import Servicing
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.settle import settle_agreed, settled
from qqloan_cli.servicing.state import write_state


def write_claims(book: Book, out: Path, workers: int) -> pa.Table:
    """Writes events of kinds compensation and buy_back as of the day after the last close to ``out`` (CSV), and returns kind, source,
    loans and fen. Posting them makes them so. Raises UsageError where nothing was closed yet."""
    at = book.closed_to
    if at is None:
        raise UsageError("day-not-closed", "no day is closed", "--book", f"qqloan servicing close --book {book.root} --to DATE closes some.")
    with tempfile.TemporaryDirectory(prefix="qqloan-claims-") as scratch, settled(book, at, at) as (con, sources, distinct):
        state = Path(scratch) / "state.parquet"
        write_state(book, at, None, state, workers)
        con.execute(f"CREATE TEMP VIEW state AS FROM read_parquet({literal(str(state))})")
        con.execute("CREATE TEMP TABLE claims (loan_id VARCHAR, kind VARCHAR, source VARCHAR, amount_fen BIGINT)")
        for agreed, servicing in enumerate(distinct):
            _claimed(con, agreed, servicing, sources)
        beside = out.with_name(f".{out.name}.{os.getpid()}")
        con.execute(f"""COPY (
            SELECT kind || '-' || loan_id || '-{book.today}' AS event_id, loan_id, kind, DATE '{book.today}' AS value_date, CAST(sum(amount_fen) / 100 AS DECIMAL(18, 2)) AS amount
            FROM (SELECT loan_id, kind, CAST(amount_fen AS DECIMAL(20, 0)) AS amount_fen FROM claims) GROUP BY loan_id, kind ORDER BY loan_id, kind
            ) TO {literal(str(beside))} (FORMAT csv, HEADER)""")
        os.replace(beside, out)
        return con.sql("SELECT kind, source, count(*) AS loans, CAST(sum(amount_fen) AS BIGINT) AS amount_fen FROM claims GROUP BY ALL ORDER BY ALL").to_arrow_table()


def _claimed(con, agreed: int, servicing: Servicing, sources: list[str]) -> None:
    _, owned = settle_agreed(con, agreed, servicing, sources)
    for kind, terms in (("compensation", servicing.compensation), ("buy_back", servicing.buy_back)):
        if terms is None:
            continue
        late = con.sql(f"""SELECT loan_id, loan, interest_fen FROM state JOIN loans USING (loan_id)
            WHERE agreed = {agreed} AND status = 'overdue' AND dpd >= {terms.from_dpd} ORDER BY loan""").to_arrow_table()
        loan, of = late["loan"].to_numpy(), np.array([name in terms.of for name in sources])
        stands = owned[loan]
        some = (stands * of).sum(axis=1) > 0
        loan_id, stands, interest = late["loan_id"].to_numpy(zero_copy_only=False)[some], stands[some], late["interest_fen"].to_numpy()[some]
        paid = np.where("principal" in terms.pays, stands, 0) * of
        if "interest" in terms.pays and servicing.settlement.interest == "shares":
            paid = paid + largest_remainder(interest, stands) * of
        who, source = np.nonzero(paid)
        con.register("some_claims", pa.table({"loan_id": pa.array(loan_id[who].tolist(), pa.string()), "kind": [kind] * len(who), "source": pa.array([sources[s] for s in source], pa.string()), "amount_fen": paid[who, source]}))
        con.execute("INSERT INTO claims SELECT * FROM some_claims")
        con.unregister("some_claims")
