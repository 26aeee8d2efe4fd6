"""What a model is worth: discrimination, calibration, drift. Pure NumPy; names as the field has them.

``bad`` is 0 or 1, ``pd`` a probability, ``risk`` any number that is higher where
risk is higher. Arrays are one-dimensional and of the same length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qqloan_cli.errors import InputError
from qqloan_cli.scoring.logistic import logistic

PSI_FILL = 0.0001  # stands for an empty bin, and is stated wherever a PSI is


def auc(bad, risk, weight=None) -> float:
    """Chance that a bad one ranks above a good one, ties counting half. Weights are counts (a bootstrap's, for instance)."""
    bad, weight = np.asarray(bad, float), np.ones(len(bad)) if weight is None else np.asarray(weight, float)
    _, place = np.unique(np.asarray(risk), return_inverse=True)
    bads = np.bincount(place, bad * weight)
    goods = np.bincount(place, (1 - bad) * weight)
    below = np.cumsum(goods) - goods
    pairs = bads.sum() * goods.sum()
    if pairs == 0:
        raise InputError("one-class-only", "good and bad outcomes are both needed to rank", hint="Bring outcomes of both kinds.")
    return float((bads * (below + goods / 2)).sum() / pairs)


def gini(bad, risk) -> float:
    return 2 * auc(bad, risk) - 1


def ks(bad, risk) -> float:
    """Largest distance between the cumulative shares of bads and of goods."""
    bad = np.asarray(bad, float)
    _, place = np.unique(np.asarray(risk), return_inverse=True)
    bads, goods = np.cumsum(np.bincount(place, bad)), np.cumsum(np.bincount(place, 1 - bad))
    if bads[-1] == 0 or goods[-1] == 0:
        raise InputError("one-class-only", "good and bad outcomes are both needed to rank", hint="Bring outcomes of both kinds.")
    return float(np.abs(bads / bads[-1] - goods / goods[-1]).max())


def brier(bad, pd) -> float:
    return float(np.mean((np.asarray(pd, float) - np.asarray(bad, float)) ** 2))


def log_loss(bad, pd) -> float:
    bad, pd = np.asarray(bad, float), np.clip(np.asarray(pd, float), 1e-15, 1 - 1e-15)
    return float(-np.mean(bad * np.log(pd) + (1 - bad) * np.log1p(-pd)))


class Reliability(NamedTuple):
    """Per bin of about equal count, from low pd to high: rows, mean pd, share that went bad. Equal pds stay in one bin."""

    count: np.ndarray
    expected: np.ndarray
    observed: np.ndarray


def reliability(bad, pd, bins: int = 10) -> Reliability:
    bad, pd = np.asarray(bad, float), np.asarray(pd, float)
    part = np.searchsorted(np.sort(pd), pd, side="left") * bins // max(1, len(pd))
    count = np.bincount(part, minlength=bins)
    there = count > 0
    return Reliability(
        count[there], np.bincount(part, pd, minlength=bins)[there] / count[there], np.bincount(part, bad, minlength=bins)[there] / count[there]
    )


def ece(bad, pd, bins: int = 10) -> float:
    """Expected calibration error over bins of about equal count."""
    table = reliability(bad, pd, bins)
    return float((table.count * np.abs(table.expected - table.observed)).sum() / table.count.sum())


def calibration_line(bad, pd) -> tuple[float, float]:
    """Slope and intercept of the outcome's log odds on the predicted log odds; 1 and 0 where calibration is perfect."""
    pd = np.clip(np.asarray(pd, float), 1e-12, 1 - 1e-12)
    slope, intercept = logistic(np.log(pd / (1 - pd))[:, None], np.asarray(bad, float))
    return float(slope), float(intercept)


def hosmer_lemeshow(n, observed, expected) -> float:
    """The statistic over groups: ``n`` rows, ``observed`` and ``expected`` bads in each."""
    n, observed, expected = (np.asarray(values, float) for values in (n, observed, expected))
    return float(((observed - expected) ** 2 / (expected * (1 - expected / n))).sum())


def tenths(shares) -> np.ndarray:
    """Which tenth of the reference each of its bins belongs to, by the middle of its cumulative share; 10 for the last bin, of missing values."""
    shares = np.asarray(shares, float)
    known = shares[:-1].sum()
    middle = (np.cumsum(shares[:-1]) - shares[:-1] / 2) / (known if known > 0 else 1)
    return np.append(np.minimum(np.floor(10 * middle), 9).astype(int), 10)


class Psi(NamedTuple):
    """``fill`` is the share that stood for an empty bin; ``empty`` and ``new`` are the bins empty in the actual and in the expected sample."""

    value: float
    by_bin: np.ndarray
    fill: float
    empty: tuple[int, ...]
    new: tuple[int, ...]


def psi(expected, actual, fill: float = PSI_FILL) -> Psi:
    """Population stability index of two counts (or shares) over the same bins. An empty bin counts as ``fill``."""
    expected, actual = np.asarray(expected, float), np.asarray(actual, float)
    if expected.sum() <= 0 or actual.sum() <= 0:
        raise InputError("sample-empty", "a stability index needs rows in both samples", hint="Bring a sample that is not empty.")
    expected, actual = expected / expected.sum(), actual / actual.sum()
    e, a = np.where(expected == 0, fill, expected), np.where(actual == 0, fill, actual)
    by_bin = (a - e) * np.log(a / e)
    return Psi(
        float(by_bin.sum()), by_bin, fill,
        tuple(int(i) for i in np.flatnonzero((actual == 0) & (expected > 0))), tuple(int(i) for i in np.flatnonzero((expected == 0) & (actual > 0))),
    )


class Evidence(NamedTuple):
    woe: np.ndarray
    iv_by_bin: np.ndarray
    iv: float


def weight_of_evidence(good, bad, empty: float = 0.5) -> Evidence:
    """ln(share of goods / share of bads) per bin, and the information value. An empty cell counts as ``empty`` rows, in the totals too."""
    good, bad = np.asarray(good, float), np.asarray(bad, float)
    good, bad = np.where(good == 0, empty, good), np.where(bad == 0, empty, bad)
    good, bad = good / good.sum(), bad / bad.sum()
    woe = np.log(good / bad)
    by_bin = (good - bad) * woe
    return Evidence(woe, by_bin, float(by_bin.sum()))


def bootstrap(bad, pd, measure, rounds: int, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of ``measure(bad, pd, weight)`` under resampling of rows."""
    rng, n = np.random.default_rng(seed), len(bad)
    values = []
    for _ in range(rounds):
        weight = np.bincount(rng.integers(0, n, n), minlength=n)
        drawn = np.asarray(bad)[weight > 0]
        if drawn.min() != drawn.max():
            values.append(measure(bad, pd, weight))
    if not values:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
