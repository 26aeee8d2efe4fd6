"""A series of nights made of one run: the same applications on other dates, with what is to differ."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

import duckdb

DAY = datetime.date.fromisoformat


def night(run: Path, root: Path, as_of: str, approved: float | None = None, without: tuple[str, ...] = (), document: dict | None = None, **tables: str) -> Path:
    """A run at ``root`` as of another date. ``approved``: the share that is approved instead, by a hash of application and date. ``without``:
    inputs that did not come. ``tables``: SQL over ``old`` that a table is made of instead."""
    root.mkdir(parents=True)
    told = json.loads((run / "run.json").read_text(encoding="utf-8"))
    told = {**told, "as_of": as_of, **(document or {})}
    (root / "run.json").write_text(json.dumps(told), encoding="utf-8")
    if approved is not None:
        tables["decisions"] = (
            f"SELECT * REPLACE (CASE WHEN hash(application_id || '{as_of}') % 100000 < {round(approved * 100_000)} THEN 'approve' ELSE 'decline' END AS decision, "
            "coalesce(amount_fen, 3000000) AS amount_fen, coalesce(all_in_annual_cost, 0.12) AS all_in_annual_cost, coalesce(funded_fen, 3000000) AS funded_fen, "
            f"CAST('{as_of}' AS DATE) + 3 AS decide_by) FROM old"
        )
    for path in run.iterdir():
        if path.name.startswith(".") or path.name == "run.json" or path.stem in tables or path.name == "inputs":
            continue
        os.symlink(path, root / path.name)
    (root / "inputs").mkdir()
    for path in (run / "inputs").iterdir():
        if path.name not in without:
            os.symlink(path, root / "inputs" / path.name)
    for table, sql in tables.items():
        old = run / f"{table}.parquet"
        new = root / f"{table}.parquet"
        if not old.exists():
            old, new = run / table / "*.parquet", root / table / "000.parquet"
            new.parent.mkdir()
        con = duckdb.connect()
        con.execute(f"CREATE VIEW old AS SELECT * FROM read_parquet('{old}')")
        con.execute(f"COPY (SELECT * FROM ({sql}) ORDER BY application_id) TO '{new}' (FORMAT parquet)")
        con.close()
    return root


def dates(last: str, nights: int) -> list[str]:
    """The days up to ``last``, from the earliest."""
    return [(DAY(last) - datetime.timedelta(back)).isoformat() for back in range(nights - 1, -1, -1)]
