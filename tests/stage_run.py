"""One stage over a few rows written by hand: for tests of income and credit that speak of lines, not of files."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import ROOT

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import Stage, furnish, perform

APPLIED = "2026-11-20 10:00:00"


def perform_stage(stage: Stage, folder: Path, config: Path | None = None, **tables: list[dict]) -> dict[str, list[dict]]:
    """Runs ``stage`` over rows given as dictionaries (missing columns are null, src_row counts up). Returns its tables as dictionaries."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config").exists():
        (folder / "config").symlink_to(config or ROOT / "configs")
    run = Run(folder, {"as_of": "2026-11-24", "buckets": 1, "stages": {}, "timings": {}})
    (folder / "run.json").write_text(json.dumps(run.document))
    con = connect()
    for name, rows in tables.items():
        _write(con, run, name, [{"src_file": 0, "src_row": number, **row} for number, row in enumerate(rows, 1)])
    values = stage.prepare(run, con)
    try:
        furnish(con, values)
        perform(stage, run, 0, con, values)
    finally:
        con.close()
    return {name: pq.read_table(run.file(name, 0)).to_pylist() for name in stage.writes}


def _write(con, run: Run, name: str, rows: list[dict]) -> None:
    contract = CONTRACTS[name]
    columns = {c.name: pa.array([_text(row.get(c.name)) for row in rows], pa.string()) for c in contract.columns}
    con.register("rows", pa.table(columns))
    path = run.file(name, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY ({contract.select('rows')}) TO '{path}' (FORMAT parquet)")
    con.unregister("rows")


def _text(value) -> str | None:
    return None if value is None else str(value)


def applicant(key: str = "P1", applied_at: str = APPLIED, **more) -> dict:
    return {"application_id": f"A-{key}", "applicant_id": key, "applied_at": applied_at, "requested_amount_fen": 5_000_000, **more}


def months_before(count: int, day: int, last: str = "2026-11") -> list[datetime.date]:
    """The same day of ``count`` months, the last of them ``last``, oldest first."""
    year, month = map(int, last.split("-"))
    ends = [divmod(year * 12 + month - 1 - back, 12) for back in range(count)]
    return [datetime.date(y, m + 1, day) for y, m in reversed(ends)]


def line(on, yuan: float, memo: str | None = None, who: str | None = None, key: str = "P1", account: str = "1", **more) -> dict:
    return {
        "applicant_id": key, "account": account, "booked_at": f"{on} 09:00:00" if len(str(on)) == 10 else on,
        "amount_fen": round(yuan * 100), "memo": memo, "counterparty": who, **more,
    }
