"""How often the sequential tests are wrong over a year of nights, and how soon they find a change, beside testing every night at 5 %.

    python tests/benchmarks/bench_sequential.py [PATHS]
"""

from __future__ import annotations

import sys

import numpy as np

from qqloan_cli.oversight import sequential

NIGHTS, BASELINE, ROWS, RATE, ALPHA, MISS = 365, 5, 1_000, 0.55, 0.05, 0.005


def main(paths: int) -> None:
    rng = np.random.default_rng(20_261_124)
    print(f"{paths:,} series of {NIGHTS} nights of {ROWS:,} applications; the rate is {RATE:.0%} until it moves on night 180")
    print(f"{'rate moves by':>14} {'tolerance':>10} {'wrong before':>13} {'found':>7} {'median nights':>14} {'each night at 5 %: wrong before':>32}")
    for shift in (0.0, -0.03, -0.05, -0.08, -0.15):
        for tolerance in (0.0, 0.03):
            rate = np.where(np.arange(NIGHTS + BASELINE) < 180 + BASELINE, RATE, RATE + shift)
            early, found, after, nightly = 0, 0, [], 0
            for _ in range(paths):
                hits = rng.binomial(ROWS, rate)
                over = np.flatnonzero(sequential.of_rate(hits, np.full(len(hits), ROWS), BASELINE, tolerance, MISS).evidence >= 1 / (ALPHA - MISS))
                first = over[0] if len(over) else None
                early += first is not None and (first < 180 or shift == 0.0)
                if first is not None and first >= 180 and shift:
                    found += 1
                    after.append(first - 180 + 1)
                before = hits[:BASELINE].sum() / (ROWS * BASELINE)
                error = np.sqrt(before * (1 - before) * (1 / ROWS + 1 / (ROWS * BASELINE)))
                nightly += (np.abs(hits[BASELINE : BASELINE + 180] / ROWS - before) > 1.96 * error).any()
            print(f"{shift:>14.0%} {tolerance:>10.2f} {early / paths:>13.2%} {found / paths:>7.1%} {np.median(after) if after else float('nan'):>14.0f} {nightly / paths:>32.1%}")
    rng, wrong = np.random.default_rng(7), 0
    for _ in range(paths // 4):
        pd, night = rng.beta(1, 20, 12_000), np.repeat(np.arange(24), 500)
        wrong += (sequential.of_calibration(rng.random(12_000) < pd, pd, night, 1.0).evidence >= 1 / ALPHA).any()
    print(f"calibration, {paths // 4:,} series of 24 months of 500 outcomes that keep to their pds, no tolerance: wrong {wrong / (paths // 4):.2%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
