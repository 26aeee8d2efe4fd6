"""The all-in annual cost of a loan: the rate at which what is repaid, fees and all, is worth what was lent.

One monthly rate i, two annual figures: nominal 12 i (IRR x 12), effective
(1 + i)^12 - 1. Whole columns at a time.
"""

from __future__ import annotations

import numpy as np

from qqloan_cli.loans.schedule import Schedule

_NEWTON = 60
_FARTHEST = 80.0  # of the force of interest: e^80 a unit of time is no loan
_STEPS = 1_600


def nominal(monthly: np.ndarray) -> np.ndarray:
    """Twelve times the monthly rate."""
    return 12 * monthly


def effective(monthly: np.ndarray) -> np.ndarray:
    """(1 + i)^12 - 1."""
    return np.expm1(12 * np.log1p(monthly))


def monthly_rate(plan: Schedule) -> np.ndarray:
    """The monthly rate of each loan [n], from its instalments as they stand in ``plan``, fees included."""
    return rate_of(plan.terms.principal_fen, plan.payment_fen, plan.terms.annual_rate_ppm / 12e6)


def rate_of(lent: np.ndarray, paid: np.ndarray, start: np.ndarray | float = 0.0) -> np.ndarray:
    """The monthly rate i >= 0 with ``lent`` = sum of paid_k / (1 + i)^k. ``lent`` [n], ``paid`` [n, months], integers >= 0.

    What is lent is all got back or more, so exactly one such rate exists, and Newton's steps
    from a point at or below it rise to it without passing it. ``start``: such a point, or near
    it, e.g. the contract's rate. NaN where less comes back than was lent.
    """
    lent, months = lent.astype(np.float64), paid.shape[1]
    columns = [np.ascontiguousarray(paid[:, month], np.float64) for month in range(months)]
    rate = np.broadcast_to(np.asarray(start, np.float64), lent.shape).copy()
    for _ in range(_NEWTON):
        # Horner's rule in v = 1/(1+i): value and its derivative in v, from the last month to the first.
        v = 1.0 / (1.0 + rate)
        value, slope = np.zeros_like(v), np.zeros_like(v)
        for column in reversed(columns):
            slope = slope * v + value
            value = value * v + column
        slope = slope * v + value
        value = value * v - lent
        step = value / np.maximum(slope * v * v, 1e-300)
        rate = np.maximum(rate + step, 0.0)
        if not np.any(np.abs(step) > 1e-13):
            break
    short = paid.sum(axis=1) < lent
    return np.where(short, np.nan, rate)


def irr(flows: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    """The rate per unit of time of any flows [n, m], received positive, paid negative; NaN where there is none.

    ``times`` [n, m] in units of time (0, 1, 2, ... where not given; days / 365 for dated flows and an
    effective annual rate). Of several rates the smallest that is not negative is taken, else the one nearest to zero.
    """
    flows = np.atleast_2d(np.asarray(flows, np.float64))
    times = np.broadcast_to(np.arange(flows.shape[1], dtype=np.float64) if times is None else np.asarray(times, np.float64), flows.shape)
    return np.array([_one_rate(flow, time) for flow, time in zip(flows, times)])


def _one_rate(flow: np.ndarray, time: np.ndarray) -> float:
    there = flow != 0
    flow, time = flow[there], time[there]
    if not len(flow) or (flow > 0).all() or (flow < 0).all() or time.max() == time.min():
        return np.nan
    # In the force of interest d = ln(1 + rate) the search has two open sides; finer near zero, where loans are.
    side = np.sinh(np.linspace(0, np.arcsinh(_FARTHEST * 100), _STEPS)) / 100
    for grid in (side, -side):
        signs = np.sign(_worth(flow, time, grid))
        for at in np.flatnonzero((signs[:-1] * signs[1:] < 0) | (signs[:-1] == 0)):
            if signs[at] == 0:
                return float(np.expm1(grid[at]))
            return float(np.expm1(_halve(flow, time, grid[at], grid[at + 1])))
    return np.nan


def _worth(flow: np.ndarray, time: np.ndarray, force: np.ndarray) -> np.ndarray:
    """Present value at each force of interest, scaled by a positive number so that nothing overflows."""
    exponent = -np.outer(np.atleast_1d(force), time - time.min())
    return (np.exp(exponent - exponent.max(axis=1, keepdims=True)) * flow).sum(axis=1)


def _halve(flow: np.ndarray, time: np.ndarray, low: float, high: float) -> float:
    rising = _worth(flow, time, low)[0] < 0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if (_worth(flow, time, middle)[0] < 0) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def actuarial(advance: float, paid: np.ndarray, whole: np.ndarray, part: np.ndarray) -> float:
    """The rate i per unit period of US Regulation Z, Appendix J: advance = sum of paid / ((1 + part i)(1 + i)^whole).

    ``whole`` and ``part`` of a unit period lie between the advance and each payment; times the periods of a year it is the APR.
    """
    def worth(rate: float) -> float:
        return float((paid / ((1 + part * rate) * (1 + rate) ** whole)).sum()) - advance

    low, high = 0.0, 10.0
    if worth(low) < 0:
        return np.nan
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if worth(middle) > 0 else (low, middle)
    return (low + high) / 2
