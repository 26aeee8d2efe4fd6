"""Loans at the end of a month: what a panel is made of. A close keeps them as it knew them; a panel replays those of which more was learnt since."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import literal
from qqloan_cli.servicing.account import FAR
from qqloan_cli.servicing.book import DAY, month_ends
from qqloan_cli.servicing.columns import day_number
from qqloan_cli.servicing.lanes import Played
from qqloan_cli.servicing.state import days_past_due, nothing_left

_STATUS = ("current", "overdue", "paid", "written_off")


def begin(con) -> None:
    con.execute("CREATE OR REPLACE TEMP TABLE seen (lane BIGINT, month DATE, status TINYINT, dpd BIGINT, balance_fen BIGINT, oldest BIGINT)")
    names = ", ".join(literal(name) for name in _STATUS)
    con.execute(f"""CREATE OR REPLACE TEMP VIEW seen_months AS
        SELECT loan_id, month, list_extract([{names}], status + 1) AS status, dpd, balance_fen,
          CASE WHEN oldest < {int(FAR)} THEN DATE '1970-01-01' + CAST(oldest AS INTEGER) END AS oldest_due_date, known_from, known_to
        FROM seen JOIN lanes_taken USING (lane) JOIN loans USING (loan_id)
        WHERE drawn_on <= month""")


def see(con, played: Played, month: datetime.date) -> None:
    """Takes the accounts to the month's end and notes how they stand."""
    accounts = played.to(month)
    dpd, oldest = days_past_due(accounts, np.int64(day_number(month)))
    status = np.where(accounts.off, 3, np.where(nothing_left(accounts), 2, np.where(dpd > 0, 1, 0)))
    balance = np.where(accounts.off, np.maximum(accounts.off_fen - accounts.recovered, 0), accounts.outstanding)
    con.register("some_seen", pa.table({
        "lane": played.lane, "month": pa.array([month] * len(accounts), pa.date32()), "status": pa.array(status, pa.int8()), "dpd": dpd, "balance_fen": balance, "oldest": oldest,
    }))
    con.execute("INSERT INTO seen SELECT * FROM some_seen")
    con.unregister("some_seen")


def before(month: datetime.date) -> datetime.date:
    """The end of the month before."""
    return month.replace(day=1) - DAY


def last_end(day: datetime.date) -> datetime.date:
    """The latest end of a month that is not after the day."""
    return month_ends(before(day), day)[-1]
