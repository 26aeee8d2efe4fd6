"""Tests that may be looked at every night: how often they are wrong is bounded over the whole series, not each night anew.

An e-process (testing by betting; Shafer 2021, Ramdas et al. 2023): somebody begins with one yuan and bets every night against "nothing has
changed", at odds that are fair or worse if that is so. What is owned is then a supermartingale, and by Ville's inequality the chance that it
ever reaches 1/alpha, at whatever night one stops, is at most alpha. The bets here are likelihood ratios: each night's count tilted by theta,
exp(theta x) over the largest mean that it can have while nothing has changed. Half the yuan bets on more and half on less, spread over the
sizes ``TILTS`` and over the nights on which a change may have begun (1/(s (s + 1)) on the s-th), so that a late change is found soon.

What it takes for granted: applications of a night go each their own way given the nights before; the night's own rate may stray within the
tolerance, and be any other there each night. Where the rate to be held is not known it is bounded by the baseline's own interval
(Clopper-Pearson), whose chance to be wrong is taken off alpha.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

TILTS = np.array([0.03, 0.06, 0.12, 0.25, 0.5, 1.0])  # sizes of a change that is bet on, in log odds


class Series(NamedTuple):
    """``evidence`` after each night that was tested; ``lower`` and ``upper``: between what the rate may be."""

    evidence: np.ndarray
    lower: float
    upper: float


def of_rate(hits, rows, baseline: int, tolerance: float, miss: float) -> Series:
    """Nights' ``hits`` among ``rows``: the first ``baseline`` nights say what the rate is (their interval is wrong with the chance ``miss``), the
    rest is tested. No more than alpha - ``miss`` is left of alpha: alarm at evidence of 1 / (alpha - miss)."""
    hits, rows = np.asarray(hits, float), np.asarray(rows, float)
    x, n = hits[:baseline].sum(), rows[:baseline].sum()
    low = betaincinv(x, n - x + 1, miss / 2) if x > 0 else 0.0
    high = betaincinv(x + 1, n - x, 1 - miss / 2) if x < n else 1.0
    low, high = max(0.0, float(low) - tolerance), min(1.0, float(high) + tolerance)
    x, n = hits[baseline:, None], rows[baseline:, None]
    more = TILTS * x - n * np.log1p(high * np.expm1(TILTS))
    less = -TILTS * x - n * np.log1p(low * np.expm1(-TILTS))
    return Series(_owned(more, less), low, high)


def of_calibration(bad, pd, night, tolerance: float) -> Series:
    """Outcomes against their own pds, in order of ``night`` (whole numbers from 0, rising). The odds may be off by the factor ``tolerance``."""
    bad, pd, night = np.asarray(bad, float), np.clip(np.asarray(pd, float), 1e-12, 1 - 1e-12), np.asarray(night)
    nights = int(night.max()) + 1 if len(night) else 0
    odds = pd / (1 - pd)
    high, low = odds * tolerance / (1 + odds * tolerance), odds / tolerance / (1 + odds / tolerance)
    x = np.bincount(night, bad, nights)
    more = np.column_stack([tilt * x - np.bincount(night, np.log1p(high * np.expm1(tilt)), nights) for tilt in TILTS])
    less = np.column_stack([-tilt * x - np.bincount(night, np.log1p(low * np.expm1(-tilt)), nights) for tilt in TILTS])
    return Series(_owned(more, less), 1 / tolerance, tolerance)


def _owned(more: np.ndarray, less: np.ndarray) -> np.ndarray:
    """What is owned after each night: bets on more and on less, on every tilt, begun on every night so far, and what waits for later ones."""
    gains = np.concatenate([more, less], axis=1)
    owned, at_work = np.empty(len(gains)), np.full(gains.shape[1], -np.inf)
    for night, gain in enumerate(gains, 1):
        at_work = np.logaddexp(at_work, -np.log(night * (night + 1.0))) + gain
        owned[night - 1] = np.exp(np.minimum(at_work, 700)).mean() + 1 / (night + 1)
    return owned
