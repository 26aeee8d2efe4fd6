"""A channel's list of a queue: whom, by which number, in which hours, how often yet. Numbers of people are joined where that is asked for, and stand nowhere else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.contracts.collections import CHANNELS, TO_A_NUMBER
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, duckdb_error, literal
from qqloan_cli.errors import InputError, UsageError
from qqloan_cli.policy.collections import load_collections


def contact_list(queue: Path, channel: str, config: Path, runs: list[Run]) -> tuple[pa.Table, dict]:
    """The rows, and counts: borrowers in the queue, listed, and withheld by reason, which add up. A borrower's rows are tried in dial_order until one connects."""
    if channel not in CHANNELS:
        raise UsageError("channel-unknown", f"there is no channel {channel}", "--channel", f"There are: {', '.join(CHANNELS)}.")
    con = connect(2)
    try:
        _bind(con, queue)
        by_number = channel in TO_A_NUMBER
        for name, value, type in (
            ("channel", channel, "VARCHAR"), ("by_number", by_number, "BOOLEAN"), ("with_phones", bool(runs), "BOOLEAN"), ("third_script", load_collections(config).scripts.third_party, "VARCHAR"),
        ):
            con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
        con.execute(f"CREATE TEMP TABLE phones AS {_phones(con, runs)}")
        con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
        rows = con.sql(f"SELECT * {'' if runs else 'EXCLUDE (phone)'} FROM listed ORDER BY priority, dial_order").to_arrow_table()
        [(in_queue, listed)] = con.execute("SELECT (SELECT count(*) FROM queue), (SELECT count(DISTINCT applicant_id) FROM listed)").fetchall()
        withheld = dict(con.execute("SELECT reason, count(*) FROM withheld GROUP BY reason ORDER BY reason").fetchall())
    finally:
        con.close()
    return rows, {"queue": in_queue, "listed": listed, "rows": len(rows), "withheld": withheld}


def _bind(con, queue: Path) -> None:
    try:
        told = dict(con.execute(f"SELECT CAST(key AS VARCHAR), CAST(value AS VARCHAR) FROM parquet_kv_metadata({literal(str(queue))})").fetchall())
        con.execute(f"CREATE TEMP VIEW queue AS SELECT * FROM read_parquet({literal(str(queue))})")
    except duckdb_error():
        raise InputError("queue-unreadable", "the file cannot be read as Parquet", str(queue), "qqloan collections queue writes one.") from None
    if told.get("contract") != "queue":
        raise InputError("queue-is-none", "the file is no queue", str(queue), "qqloan collections queue writes one.")


def _phones(con, runs: list[Run]) -> str:
    """SQL of (applicant_id, target, phone): the first own number and the first contact's, as the last application has them."""
    if not runs:
        return "SELECT CAST(NULL AS VARCHAR) AS applicant_id, CAST(NULL AS VARCHAR) AS target, CAST(NULL AS VARCHAR) AS phone WHERE false"
    for number, run in enumerate(runs):
        run.bind(con, "applicants", name=f"applicants_{number}")
    given = " UNION ALL ".join(f"SELECT applicant_id, applied_at, application_id, phone, contact_phone FROM applicants_{number}" for number in range(len(runs)))
    return f"""WITH last_said AS (SELECT * FROM ({given}) SEMI JOIN queue USING (applicant_id) QUALIFY row_number() OVER (PARTITION BY applicant_id ORDER BY applied_at DESC, application_id DESC) = 1)
        SELECT applicant_id, 'own_1' AS target, phone FROM last_said WHERE phone IS NOT NULL UNION ALL SELECT applicant_id, 'contact_1', contact_phone FROM last_said WHERE contact_phone IS NOT NULL"""
