"""The queue of a day: every borrower who is late, in order of what is to be expected of a contact, with what may be done, and why not."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.collections import Collections
from qqloan_cli.servicing.book import DAY, Book
from qqloan_cli.servicing.collect.arms import arm_of
from qqloan_cli.servicing.collect.chance import bind_chance, write_months
from qqloan_cli.servicing.collect.money import money_since
from qqloan_cli.servicing.collect.rules import Conduct, run
from qqloan_cli.servicing.state import write_state

RANKS = ("hold", "paused", "outside-hours", "agreed-hours", "calls-used-up", "tries-used-up", "third-party-refused", "third-party", "debt-told", "visit-alone")


def write_queue(book: Book, day: datetime.date, minute: int | None, capacity: int | None, config: Path, out: Path, workers: int, panel: Path | None = None) -> dict:
    """Writes the contract ``queue`` to ``out``. ``minute`` of the day from which one asks: contacts made before it count; None: the day
    has not begun. ``panel``: of this book, where one is at hand. Returns counts and notes. Raises UsageError where neither the day nor the one before it is closed."""
    if book.closed_to is None or day > book.closed_to + DAY:
        raise UsageError("day-not-closed", f"{day - DAY} is not closed", "--at", f"qqloan servicing close --book {book.root} --to {day - DAY} closes it.")
    conduct, state_on = Conduct.of(config), min(day, book.closed_to)
    now = datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(minutes=minute or 0)
    with tempfile.TemporaryDirectory(prefix="qqloan-queue-") as scratch:
        where = Path(scratch)
        write_state(book, state_on, None, where / "state.parquet", workers)
        months = panel or write_months(book, conduct.policy, state_on, where / "panel.parquet", workers)
        con = connect(2, 2_400, where)
        try:
            con.execute(f"CREATE TEMP VIEW state AS SELECT * FROM read_parquet({literal(str(where / 'state.parquet'))})")
            con.execute(f"CREATE TEMP VIEW loans AS SELECT loan_id, applicant_id FROM ({book.source('loans')})")
            conduct.bind(con)
            for name, value, type in (
                ("day", day, "DATE"), ("now_at", now, "TIMESTAMP"), ("state_on", state_on, "DATE"), ("first_minute", conduct.hours(day)[0], "INTEGER"), ("last_minute", conduct.hours(day)[1], "INTEGER"),
                ("most_calls", conduct.most("calls_connected_max", day), "INTEGER"), ("most_tries", conduct.most("tries_unanswered_max", day), "INTEGER"), ("capacity", capacity, "BIGINT"),
            ):
                con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
            bind_chance(con, conduct.policy, months, state_on)
            con.execute(f"CREATE TEMP TABLE arms_of AS SELECT DISTINCT applicant_id, {arm_of(conduct.policy.arms)} AS arm FROM state WHERE status = 'overdue'")
            con.register("stages", stages(conduct.policy))
            con.execute(f"CREATE TEMP TABLE pauses AS {paused_on(book, day)}")
            run(con, "late")
            con.execute(f"CREATE TEMP TABLE said AS SELECT * FROM ({book.source('contact_log')}) WHERE begun_at < getvariable('now_at') AND applicant_id IN (SELECT applicant_id FROM late)")
            con.execute("CREATE TEMP TABLE history AS SELECT * FROM said WHERE kind = 'contact'")
            con.register("numbers_had", _numbers(conduct.policy))
            con.register("ranks", pa.table({"breach": RANKS, "rank": list(range(len(RANKS)))}))
            con.register("steps", _steps(conduct.policy))
            _promised(con, book, state_on)
            run(con, "might", "standing", "holds", "judge", "queue")
            rows = put(con, "queue", out, "queue", True)
            return {"day": day.isoformat(), "now_at": now.isoformat(timespec="minutes"), "state_on": state_on.isoformat(), "borrowers": rows, **_counted(con), "notes": conduct.notes(day, day)}
        finally:
            con.close()


def stages(policy: Collections) -> pa.Table:
    """stage, stage_no (from 1), from_dpd, until_dpd (not in it)."""
    first = [stage.from_dpd for stage in policy.stage]
    return pa.table({
        "stage": [stage.name for stage in policy.stage], "stage_no": pa.array(range(1, len(first) + 1), pa.int32()), "from_dpd": pa.array(first, pa.int32()),
        "until_dpd": pa.array([*first[1:], 1_000_000], pa.int32()),
    })


def paused_on(book: Book, day: datetime.date) -> str:
    """SQL of the loans whose payments are paused on a day."""
    when = f"DATE {literal(day.isoformat())}"
    return f"""WITH told AS ({book.source('events')})
        SELECT DISTINCT loan_id FROM told ANTI JOIN (SELECT reverses AS event_id FROM told WHERE kind = 'reversal') AS undone USING (event_id)
        WHERE kind = 'pause' AND {when} BETWEEN value_date AND until"""


def _numbers(policy: Collections) -> pa.Table:
    had = [(f"own_{n}", "debtor") for n in range(1, policy.slots.own + 1)] + [(f"contact_{n}", "contact") for n in range(1, policy.slots.contact + 1)]
    return pa.table({"target": [target for target, _ in had], "party": [party for _, party in had]})


def _steps(policy: Collections) -> pa.Table:
    steps = [(arm, stage, step) for arm, by_stage in policy.strategy.items() for stage, step in by_stage.items()]
    return pa.table({
        "arm": [arm for arm, _, _ in steps], "stage": [stage for _, stage, _ in steps], "channels": pa.array([step.channels for *_, step in steps], pa.list_(pa.string())),
        "script": [step.script for *_, step in steps],
    })


def _promised(con, book: Book, as_of: datetime.date) -> None:
    """Leaves ``promised``: what became of each borrower's last promise."""
    con.execute("""CREATE TEMP TABLE promises AS
        SELECT row_number() OVER (ORDER BY applicant_id) AS promise_no, applicant_id, loan_id, begun_at, promise_date, promise_amount_fen FROM history WHERE outcome = 'promise'
        QUALIFY row_number() OVER (PARTITION BY applicant_id ORDER BY begun_at DESC, contact_id DESC) = 1""")
    [(first,)] = con.execute("SELECT min(CAST(begun_at AS DATE)) FROM promises").fetchall()
    con.execute("SET VARIABLE as_of = $1::DATE", [as_of])
    con.execute(f"CREATE TEMP VIEW money AS {money_since(book, first or datetime.date.max)}")
    con.execute("CREATE TEMP VIEW book_loans AS SELECT loan_id, applicant_id FROM loans SEMI JOIN promises USING (applicant_id)")
    run(con, "promised")
    con.execute("CREATE TEMP TABLE promised AS SELECT applicant_id, promise, promise_date, promise_amount_fen FROM promises JOIN kept USING (promise_no)")


def _counted(con) -> dict:
    """By stage and by planned channel: borrowers, owed and expected; and why nothing may be done, where nothing may."""
    of = "count(*) AS borrowers, CAST(sum(owed_fen) AS BIGINT) AS owed_fen, CAST(sum(expected_fen) AS BIGINT) AS expected_fen"
    return {
        "by_stage": con.sql(f"SELECT stage, arm, coalesce(channel, 'none') AS channel, {of} FROM queue GROUP BY ALL ORDER BY min(dpd), stage, arm, channel").to_arrow_table(),
        "chances": con.sql("SELECT arm, bucket, loans, paid, chance, chance_from FROM chances ORDER BY arm, bucket").to_arrow_table(),
    }
