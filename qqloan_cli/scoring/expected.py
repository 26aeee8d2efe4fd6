"""What probabilities of default say before an outcome is known, and how sure a figure of known outcomes is. Pure NumPy, whole columns.

``pd`` are probabilities, taken as they are: if they are calibrated, outcomes fall into the intervals so often as they say.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv, ndtri

from qqloan_cli.scoring.logistic import logistic

LEVEL = 0.95
EXACT = 2_000  # rows up to which the number of bad ones has its exact distribution


class Estimate(NamedTuple):
    """``value`` with its interval at ``LEVEL``; nan where there is none."""

    value: float
    lower: float
    upper: float


NONE = Estimate(float("nan"), float("nan"), float("nan"))


def expected_auc(pd) -> Estimate:
    """The AUC that ranking by ``pd`` is expected to have once outcomes are known, if each row goes bad with its pd, and the interval in which it
    will then lie. Rows that share a pd tie. nan where nobody can go bad, or nobody stay good.

    Expected pairs in order over expected pairs; the interval is of the outcomes' chance, by the delta method: what one more bad at a row's
    place would move.
    """
    value, place = np.unique(np.asarray(pd, float), return_inverse=True)
    count = np.bincount(place)
    bads, goods = count * value, count * (1 - value)
    all_bads, all_goods = bads.sum(), goods.sum()
    self_pairs = (count * value * (1 - value)).sum()  # a row is no pair with itself
    pairs = all_bads * all_goods - self_pairs
    if len(value) == 0 or pairs <= 0:
        return NONE
    below, above = np.cumsum(goods) - goods, all_bads - np.cumsum(bads)
    auc = ((bads * (below + goods / 2)).sum() - self_pairs / 2) / pairs
    moves = (below + goods / 2 - (1 - value) / 2 - auc * (all_goods - (1 - value))) - (above + bads / 2 - value / 2 - auc * (all_bads - value))
    half = _z() * np.sqrt((count * value * (1 - value) * moves**2).sum()) / pairs
    return Estimate(float(auc), float(max(0.0, auc - half)), float(min(1.0, auc + half)))


def expected_bad_rate(pd) -> Estimate:
    """Mean pd, and the interval of the share that will go bad: Poisson-binomial, exact up to ``EXACT`` rows, then normal with its skewness."""
    pd = np.asarray(pd, float)
    n = len(pd)
    if not n:
        return NONE
    tail = (1 - LEVEL) / 2
    if n <= EXACT:
        chance = np.zeros(n + 1)
        chance[0] = 1.0
        for number, p in enumerate(pd, 1):
            chance[1 : number + 1] = chance[1 : number + 1] * (1 - p) + chance[:number] * p
            chance[0] *= 1 - p
        upto = np.cumsum(chance)
        low, high = int(np.searchsorted(upto, tail)), int(np.searchsorted(upto, 1 - tail - 1e-12))
    else:
        mean, variance = pd.sum(), (pd * (1 - pd)).sum()
        sd = np.sqrt(variance)
        skewness = (pd * (1 - pd) * (1 - 2 * pd)).sum() / sd**3 if sd > 0 else 0.0
        low, high = (float(np.clip(np.floor(mean + sd * (z + skewness * (z**2 - 1) / 6) + 0.5), 0, n)) for z in (-_z(), _z()))
    return Estimate(float(pd.mean()), low / n, min(high, n) / n)


def observed_to_expected(bad, pd) -> Estimate:
    """Bad ones over the sum of pds; the interval is exact for Poisson counts (Garwood), a little wide for what can go bad but once."""
    observed, expected = float(np.sum(bad)), float(np.sum(pd))
    if expected <= 0:
        return NONE
    tail = (1 - LEVEL) / 2
    low = gammaincinv(observed, tail) if observed > 0 else 0.0
    return Estimate(observed / expected, float(low / expected), float(gammaincinv(observed + 1, 1 - tail) / expected))


def share(hits: float, rows: float) -> Estimate:
    """A share with Wilson's interval."""
    if rows <= 0:
        return NONE
    z, p = _z(), hits / rows
    middle, half = p + z**2 / (2 * rows), z * np.sqrt(p * (1 - p) / rows + z**2 / (4 * rows**2))
    return Estimate(p, float(max(0.0, (middle - half) / (1 + z**2 / rows))), float(min(1.0, (middle + half) / (1 + z**2 / rows))))


def auc_with_interval(bad, risk) -> Estimate:
    """AUC with DeLong's interval. nan where outcomes are of one kind."""
    bad, risk = np.asarray(bad, bool), np.asarray(risk, float)
    m, n = int(bad.sum()), int((~bad).sum())
    if not m or not n:
        return NONE
    of_bad, of_good = np.sort(risk[bad]), np.sort(risk[~bad])
    above_goods = (np.searchsorted(of_good, of_bad, "left") + np.searchsorted(of_good, of_bad, "right")) / (2 * n)
    below_bads = 1 - (np.searchsorted(of_bad, of_good, "left") + np.searchsorted(of_bad, of_good, "right")) / (2 * m)
    auc = float(above_goods.mean())
    half = _z() * np.sqrt((above_goods.var(ddof=1) / m if m > 1 else 0.25) + (below_bads.var(ddof=1) / n if n > 1 else 0.25))
    return Estimate(auc, float(max(0.0, auc - half)), float(min(1.0, auc + half)))


def calibration(bad, pd) -> tuple[Estimate, Estimate]:
    """(slope, intercept) of the outcome's log odds on the predicted log odds, with intervals from the information of the fit."""
    bad = np.asarray(bad, float)
    if bad.min(initial=1) == bad.max(initial=0):
        return NONE, NONE
    pd = np.clip(np.asarray(pd, float), 1e-12, 1 - 1e-12)
    odds = np.log(pd / (1 - pd))
    slope, intercept = logistic(odds[:, None], bad)
    fitted = 1 / (1 + np.exp(-np.clip(slope * odds + intercept, -30, 30)))
    weight = fitted * (1 - fitted)
    information = np.array([[(weight * odds**2).sum(), (weight * odds).sum()], [(weight * odds).sum(), weight.sum()]])
    if np.linalg.cond(information) > 1e12:  # everybody has the same pd: no slope can be seen
        return NONE, NONE
    half = _z() * np.sqrt(np.diag(np.linalg.inv(information)))
    return tuple(Estimate(float(v), float(v - h), float(v + h)) for v, h in zip((slope, intercept), half))


def _z() -> float:
    return float(ndtri((1 + LEVEL) / 2))
