"""From a margin to a probability that means what it says. Every method keeps the order of the margins.

A calibration is a small document: ``{"method": "beta", "a": ..., "b": ..., "c": ...}``.
It maps log odds to log odds, so points and probabilities come from one number.
"""

from __future__ import annotations

import numpy as np

from qqloan_cli.errors import ConfigError
from qqloan_cli.scoring.logistic import logistic, softplus
from qqloan_cli.scoring.measures import log_loss

METHODS = ("none", "platt", "beta", "isotonic", "venn_abers")
_FAR = 12.0  # log odds of a pd of 6 in a million: beyond it no data speaks


def apply(calibration: dict, margin: np.ndarray) -> np.ndarray:
    """Calibrated log odds of going bad, (rows,) float64."""
    method = calibration.get("method")
    margin = np.ascontiguousarray(margin, dtype=np.float64)
    if method == "none":
        z = margin
    elif method == "platt":
        z = calibration["a"] * margin + calibration["c"]
    elif method == "beta":  # a ln s - b ln(1 - s) + c with s the margin's probability (Kull, Silva Filho, Flach 2017)
        z = calibration["b"] * softplus(margin) - calibration["a"] * softplus(-margin) + calibration["c"]
    elif method in ("isotonic", "venn_abers"):
        z = np.interp(margin, np.array(calibration["margin"]), np.array(calibration["log_odds"]))
    else:
        raise ConfigError("calibration-unknown", f"{method!r} is not a method of calibration", "calibration.json", f"One of {', '.join(METHODS)}.")
    return np.clip(z, -_FAR, _FAR)


def probability(log_odds: np.ndarray) -> np.ndarray:
    """Nine decimals: a machine's last bit of an exponential is no part of a decision."""
    return np.round(1.0 / (1.0 + np.exp(-log_odds)), 9)


def fit(method: str, margin: np.ndarray, bad: np.ndarray) -> dict:
    """A calibration fitted to predictions that did not see their own outcomes."""
    margin, bad = np.asarray(margin, float), np.asarray(bad, float)
    if method == "none":
        return {"method": "none"}
    if method == "platt":
        return _platt(margin, bad)
    if method == "beta":
        a, b, c = logistic(np.column_stack([-softplus(-margin), softplus(margin)]), bad)
        if a < 0 or b < 0:  # would turn the order round at one end
            return _platt(margin, bad)
        return {"method": "beta", "a": _plain(a), "b": _plain(b), "c": _plain(c)}
    if method == "isotonic":
        return _isotonic(margin, bad)
    if method == "venn_abers":
        return _venn_abers(margin, bad)
    raise ConfigError("calibration-unknown", f"{method!r} is not a method of calibration", hint=f"One of {', '.join(METHODS)}.")


def choose(margin: np.ndarray, bad: np.ndarray, folds: np.ndarray, method: str = "") -> tuple[dict, dict[str, float]]:
    """The method asked for, or the one with the lowest log loss where it is fitted on other folds than it is measured on; and every method's log loss.

    A method must beat the simpler ones by more than a thousandth of a per cent to be taken.
    """

    losses = {name: log_loss(bad, probability(held_log_odds(name, margin, bad, folds))) for name in METHODS}
    best = method or "none"
    for name in METHODS[1:] if not method else ():
        if losses[name] < losses[best] * (1 - 1e-5):
            best = name
    return fit(best, margin, bad), losses


def held_log_odds(method: str, margin: np.ndarray, bad: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Calibrated log odds of each fold by a calibration fitted to the others."""
    out = np.empty(len(margin))
    for fold in np.unique(folds):
        held = folds == fold
        out[held] = apply(fit(method, margin[~held], bad[~held]), margin[held])
    return out


def _platt(margin, bad) -> dict:
    a, c = logistic(margin[:, None], bad)
    if a <= 0:  # the margin ranks nothing: keep it as it is rather than turn it round
        return {"method": "none"}
    return {"method": "platt", "a": _plain(a), "c": _plain(c)}


def _isotonic(margin, bad) -> dict:
    """Pool adjacent violators, joined by straight lines between the pools' middles, so that ranks stay apart."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(margin, kind="stable")
    margin, bad = margin[order], bad[order]
    pools = isotonic_regression(bad).blocks
    counts = np.diff(pools)
    share = (np.add.reduceat(bad, pools[:-1]) + 0.5) / (counts + 1)
    middle = np.add.reduceat(margin, pools[:-1]) / counts
    level = np.maximum.accumulate(np.log(share / (1 - share)))
    return {"method": "isotonic", "margin": [_plain(m) for m in middle], "log_odds": [_plain(v) for v in level]}


GROUPS, KNOTS = 2_000, 200  # of Venn-Abers: the margins it is fitted on, and the margins at which its answer is kept


def _venn_abers(margin, bad) -> dict:
    """Inductive Venn-Abers (Vovk, Petej, Fedorova 2015): two isotonic fits for a margin, as if it had gone good and as if it had gone
    bad, give p0 and p1, and p1 / (1 - p0 + p1) is the probability. It rises with the margin, since p0 and p1 do.

    Rows are first gathered into at most ``GROUPS`` groups of even count, and the answer is kept at ``KNOTS`` margins, joined by straight lines.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(margin, kind="stable")
    at = np.arange(len(margin)) * min(GROUPS, len(margin)) // len(margin)
    count = np.bincount(at).astype(float)
    centre, share = np.bincount(at, margin[order]) / count, np.bincount(at, bad[order]) / count
    evenly = np.searchsorted(centre, np.linspace(centre[0], centre[-1], KNOTS // 2))  # few rows stand at the ends, and much depends on them
    middle = np.unique(centre[np.concatenate([evenly, np.arange(KNOTS // 2) * (len(centre) - 1) // (KNOTS // 2 - 1)])])
    chance = np.empty(len(middle))
    for k, m in enumerate(middle):
        given = []
        for outcome, side in ((0.0, "right"), (1.0, "left")):  # so that rows of the same margin are pooled with it
            place = int(np.searchsorted(centre, m, side=side))
            fit = isotonic_regression(np.insert(share, place, outcome), weights=np.insert(count, place, 1.0))
            given.append(fit.x[place])
        chance[k] = given[1] / (1 - given[0] + given[1])
    level = np.maximum.accumulate(np.log(np.clip(chance, 1e-6, 1 - 1e-6) / (1 - np.clip(chance, 1e-6, 1 - 1e-6))))
    return {"method": "venn_abers", "margin": [_plain(m) for m in middle], "log_odds": [_plain(v) for v in level]}


def _plain(value) -> float:
    """Eight significant digits: the last bits of a fit are no part of a model."""
    return float(f"{float(value):.8g}")
