"""Schedules of many loans against numpy-financial on the same loans, as JSON lines.

    python tests/benchmarks/bench_schedule.py [--loans 100000]

numpy-financial is given whole arrays (ipmt and ppmt), twice: in one call over loans x months, and by hand a term at a time, so
that it computes no month beyond a loan's own. It rounds nothing, so it does less than we do. The interest of both must agree
but for what rounding month by month adds up to.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import time

import numpy as np
import numpy_financial as npf

from qqloan_cli.loans.schedule import Terms, schedule


def book(loans: int, seed: int = 7) -> Terms:
    rng = np.random.default_rng(seed)
    return Terms(
        rng.integers(1_000_00, 300_000_00, loans), rng.integers(30_000, 240_000, loans), rng.choice([6, 12, 24, 36], loans), np.zeros(1, np.int64),
    )


def peer(terms: Terms) -> tuple[np.ndarray, np.ndarray]:
    """Interest and principal [loans, months] in one call each; what lies beyond a loan's term is of no use."""
    month = np.arange(1, terms.months + 1)[None, :]
    rate, term, amount = (terms.annual_rate_ppm / 12e6)[:, None], terms.term_months[:, None], terms.principal_fen[:, None].astype(float)
    return -npf.ipmt(rate, month, term, amount), -npf.ppmt(rate, month, term, amount)


def peer_by_term(terms: Terms) -> tuple[np.ndarray, np.ndarray]:
    """The same, a term at a time."""
    interest, principal = (np.zeros((len(terms), terms.months)) for _ in range(2))
    for term in np.unique(terms.term_months):
        at = terms.term_months == term
        interest[at, :term], principal[at, :term] = peer(terms[at])
    return interest, principal


def best(work, times: int) -> tuple[float, object]:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        result = work()
        found.append(time.perf_counter() - started)
    return min(found), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=100_000)
    terms = book(parser.parse_args().loans)
    ours, made = best(lambda: schedule(terms), 5)
    theirs, _ = best(lambda: peer(terms), 3)
    by_term, (interest, _) = best(lambda: peer_by_term(terms), 3)
    rows = int(terms.term_months.sum())
    print(json.dumps({
        "bench": "schedule", "date": datetime.date.today().isoformat(), "loans": len(terms), "instalments": rows, "cores": len(os.sched_getaffinity(0)),
        "seconds": round(ours, 3), "instalments_per_second": round(rows / ours), "peer": f"numpy-financial {npf.__version__}", "peer_seconds": round(theirs, 3),
        "ratio": round(theirs / ours, 1), "peer_by_term_seconds": round(by_term, 3), "ratio_by_term": round(by_term / ours, 1), "furthest_interest_fen": round(float(np.abs(made.interest_fen - interest).max()), 3),
        "principal_adds_up": bool((made.principal_fen.sum(axis=1) == terms.principal_fen).all()),
    }))


if __name__ == "__main__":
    main()
