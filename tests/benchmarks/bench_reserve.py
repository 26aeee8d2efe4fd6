"""The reserve pool of a book of many loans: the cells of its panel, and the paths of four scenarios. One JSON line.

    python tests/benchmarks/bench_reserve.py [LOANS] [PATHS] [FOLDER]

The panel is made set-based: loans drawn over three years in four regions, up to twelve months of each, late by a hash. The peers do the same
in the same run as one would write it down: shares of moves with pandas (of up to 200,000 loans, for its memory), and paths one after
another with NumPy, a matrix conditioned for each segment and month of each (a few of them; the time is by path). They must agree.
"""

from __future__ import annotations

import datetime
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from qqloan_cli.engine.session import connect
from qqloan_cli.policy.home import shipped
from qqloan_cli.policy.reserve import load_reserve
from qqloan_cli.servicing.reserve.cells import Cells, bind_panel, look
from qqloan_cli.servicing.reserve.project import Asked, project
from qqloan_cli.servicing.reserve.simulate import Chances, Paths, Stress, left_by

MONTHS, HISTORY, PEERS = 12, 12, 20


def made_here(path: Path, loans: int) -> int:
    con = connect(2, 3_000)
    con.execute(f"SET temp_directory = '{path.parent}'")
    con.execute(f"""COPY (
        WITH made AS (SELECT n, 'L' || lpad(CAST(n AS VARCHAR), 8, '0') AS loan_id, CAST(hash(n) % 36 AS INTEGER) - 24 AS first, 2000000 + CAST(hash(n + 7) % 100 AS BIGINT) * 50000 AS fen,
          ['440300', '410100', '610100', '210100'][1 + CAST(hash(n + 3) % 4 AS INTEGER)] AS region FROM range({loans}) t(n)),
        seen AS (SELECT *, m, last_day(DATE '2024-01-01' + INTERVAL (m) MONTH) AS month, m - first AS mob, hash(n * 31 + m // 4) % 1000 AS bad FROM made, range({HISTORY}) h(m) WHERE m >= first)
        SELECT loan_id, month, CAST(mob AS INTEGER) AS mob, CASE WHEN bad < 40 THEN least(m % 4 + 1, mob) * 30 - 10 ELSE 0 END AS dpd,
          'current' AS status, CAST(fen * greatest(48 - mob, 4) // 48 AS BIGINT) AS balance_fen, region
        FROM seen) TO '{path}' (FORMAT parquet)""")
    [(rows,)] = con.execute(f"SELECT count(*) FROM '{path}'").fetchall()
    con.close()
    return rows


def timed(function):
    started = time.perf_counter()
    found = function()
    return time.perf_counter() - started, found


def cells_of(path: Path, reserve) -> Cells:
    con = connect(2, 2_000, path.parent)
    try:
        return look(con, reserve, None, bind_panel(con, [path], None), MONTHS)
    finally:
        con.close()


def with_pandas(path: Path, loans: int) -> pd.Series:
    """Balances that moved, by region, band, bucket and bucket after."""
    panel = pd.read_parquet(path, filters=[("loan_id", "<", f"L{loans:08d}")])
    panel["state"] = ((panel["dpd"] + 29) // 30).clip(upper=7)
    panel["band"] = pd.cut(panel["mob"], [-1, 2, 5, 11, 23, 10_000], labels=False)
    panel["month"] = pd.to_datetime(panel["month"])
    panel = panel.sort_values(["loan_id", "month"])
    after = panel.groupby("loan_id")[["month", "state"]].shift(-1)
    panel["to"] = after["state"].where(after["month"] == panel["month"] + pd.offsets.MonthEnd(1))
    return panel.dropna(subset=["to"]).groupby(["region", "band", "state", "to"])["balance_fen"].sum()


def one_path(cells: Cells, chances: Chances, z: np.ndarray) -> float:
    """Compensation of a path, as one would write it down: no path knows of another."""
    e, moves, trigger = cells.exposure, cells.moves, chances.trigger
    live, paid = e.balance.copy(), float((e.balance[:, trigger:].sum(axis=1) * e.covered[e.region]).sum())
    live[:, trigger:] = 0
    order = [9, 7, 6, 5, 4, 3, 2, 1, 0, 8]
    for month in range(MONTHS):
        for region in range(len(e.covered)):
            for band, (low, high) in enumerate(zip(moves.bands, [*moves.bands[1:], 10**6])):
                rows = np.flatnonzero((e.region == region) & (e.mob + month >= low) & (e.mob + month < high))
                if not len(rows):
                    continue
                shares = np.empty((8, 10))
                worst = np.clip(np.cumsum(moves.shares[region, band][:, order], axis=1), 0, 1)
                given = norm.cdf((norm.ppf(worst) - np.sqrt(chances.correlation) * z[month, region]) / np.sqrt(1 - chances.correlation))
                given[:, -1] = 1
                shares[:, order] = np.diff(given, axis=1, prepend=0)
                stays = left_by(moves.falls[region, band, month])
                stays[:, 8:] = 1
                rolled = live[rows] @ (shares * stays)
                paid += e.covered[region] * (rolled[:, trigger:8].sum() + rolled[:, 9].sum())
                live[rows] = rolled[:, :8]
                live[rows, trigger:] = 0
    return paid


def main() -> None:
    loans = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    paths = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    config = shipped("configs")
    reserve = load_reserve(config)
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as scratch:
        panel = Path(scratch) / "panel.parquet"
        making, rows = timed(lambda: made_here(panel, loans))
        reading, cells = timed(lambda: cells_of(panel, reserve))
        whole, found = timed(lambda: project(Asked(config, None, [panel], None, [], MONTHS, paths, 1, 0.99, 2)))
        viewing, _ = timed(lambda: [found.view(name) for name in ("summary", "months")])
        some = min(loans, 200_000)
        pandas_s, theirs = timed(lambda: with_pandas(panel, some))
    if loans == some and int(theirs.sum()) != int(cells.moved_fen):
        raise SystemExit("the two disagree on what moved")
    chances = Chances(reserve.factor.correlation, reserve.factor.between_regions, reserve.factor.persistence, False, reserve.cover.trigger, 0.8, 0.01)
    run = Paths(cells.exposure, cells.moves, chances, MONTHS, 1)
    stress = Stress("baseline", np.zeros(len(cells.exposure.covered)))
    ours = run.run(stress, 0, PEERS)["compensation"].sum(axis=1)
    z, _ = run.factors(stress, 0, PEERS)
    peer_s, peers = timed(lambda: [one_path(cells, chances, z[:, :, path]) for path in range(PEERS)])
    if not np.allclose(ours, peers, rtol=1e-4):
        raise SystemExit("the two disagree on what the pool pays")
    simulating = whole - reading
    print(json.dumps({
        "bench": "reserve", "date": str(datetime.date.today()), "loans": loans, "panel_rows": rows, "cells": len(cells.exposure.mob), "paths": paths, "scenarios": len(found.going), "months": MONTHS,
        "panel_made_s": round(making, 2), "cells_s": round(reading, 2), "project_s": round(whole, 2), "simulate_s": round(simulating, 2), "views_s": round(viewing, 2),
        "pandas_moves_s": round(pandas_s, 2), "pandas_loans": some, "moves_times_pandas_by_row": round(pandas_s / some / (reading / loans), 1),
        "numpy_path_ms": round(1e3 * peer_s / PEERS, 2), "our_path_ms": round(1e3 * simulating / paths / len(found.going), 4), "path_times_numpy": round(peer_s / PEERS / (simulating / paths / len(found.going)), 1),
        "largest_difference": float(f"{np.abs(ours / peers - 1).max():.1e}"),
    }))


if __name__ == "__main__":
    main()
