"""A made-up batch as the limit stage leaves it, for tests of what comes after: funding, tranches, schedules, decisions."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from conftest import AS_OF, ROOT

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.walk import walk
from qqloan_cli.stages import decisions, disburse, fund

STAGES = (fund.STAGE, disburse.STAGE, decisions.STAGE)
METHOD = {"bridge_loan": "interest_only"}


def rows(n: int, seed: int = 0) -> list[dict]:
    """Applications of three products, two in three approved."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(n):
        product = str(rng.choice(["cash_loan", "renovation_loan", "bridge_loan"]))
        amount = int(rng.integers(100, 5_000)) * 10_000 + int(rng.integers(0, 2)) * 33_33
        approved = rng.random() < 0.67
        term = int(rng.choice([3, 6, 12] if product == "bridge_loan" else [12, 24, 36]))
        made.append({
            "application_id": f"A{number:05d}", "applicant_id": f"P{number:05d}", "applied_at": f"2026-11-{1 + number % 20:02d} 10:00:00",
            "product": product, "licence": "bank", "region": [None, "440300", "110000", "540100"][int(rng.integers(0, 4))],
            "requested_amount_fen": amount, "requested_term_months": term, "decision": "approve" if approved else str(rng.choice(["refer", "decline"])),
            "reason_codes": ["R-OK"], "score": int(rng.integers(500, 700)), "pd": float(rng.beta(1, 30)), "grade": str(rng.choice(list("ABCDEF"))),
            "rules_hit": [], "rules_unknown": [], "policy_version": "p",
            **({
                "amount_fen": amount, "term_months": term, "method": METHOD.get(product, "equal_instalment"),
                "annual_rate": f"{rng.integers(60_000, 220_000) / 1e6:.6f}", "monthly_fee_rate": "0.000500" if product == "renovation_loan" else "0.000000",
                "upfront_fee_fen": amount * 3 // 1000 if product == "bridge_loan" else 0, "all_in_annual_cost": "0.200000",
            } if approved else {}),
        })
    return made


def made_run(folder: Path, applications: list[dict], buckets: int = 2, as_of: str = AS_OF, config: dict[str, tuple[str, str]] | None = None) -> Run:
    """A run that stands where limit has just ended. ``config``: file -> (old, new), changes to the shipped configuration."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "configs", folder / "config")
    for name, (old, new) in (config or {}).items():
        path = folder / "config" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    run = Run(folder, {"as_of": as_of, "buckets": buckets, "stages": {}, "timings": {}, "warnings": []})
    con = connect()
    for bucket in range(buckets):
        mine = [row for row in applications if bucket_of(row["applicant_id"], buckets) == bucket]
        _write(con, run.file("limit", bucket), "limit", mine)
        _write(con, run.file("score", bucket), "score", [{**row, "model_version": "m"} for row in mine])
        _write(con, run.file("applicants", bucket), "applicants", mine)
    con.close()
    return run


def _write(con, path: Path, name: str, given: list[dict]) -> None:
    contract = CONTRACTS[name]
    lists = [c.name for c in contract.columns if c.type.endswith("[]")]
    table = pa.table({
        c.name: pa.array([row.get(c.name) for row in given], pa.list_(pa.string())) if c.name in lists and "STRUCT" not in c.type
        else pa.array([None if row.get(c.name) is None or c.name in lists else str(row[c.name]) for row in given], pa.string())
        for c in contract.columns
    })
    con.register("given", table)
    path.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY ({contract.select('given', order=False)}) TO '{path}' (FORMAT parquet)")
    con.unregister("given")


def taken(run: Run, workers: int = 1) -> Run:
    walk(run, STAGES, workers, SILENT)
    return run


def table(run: Run, name: str) -> list[dict]:
    return [row for path in run.whole(name) for row in pq.read_table(path).to_pylist()]
