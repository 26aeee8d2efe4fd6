"""The price of an offer: its all-in annual cost from the instalments themselves, and the rate cut until it is under its cap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qqloan_cli.loans import annual_cost
from qqloan_cli.loans.schedule import Rounding, Schedule, Terms, schedule

PPM = 1_000_000
NO_CAP = -1
BLOCK = 4_096  # loans priced together: their columns stay in the cache


@dataclass(frozen=True)
class Priced:
    """Arrays [n]. ``over_cap``: even at the floor the cost is above the cap."""

    annual_rate_ppm: np.ndarray
    nominal_ppm: np.ndarray  # rounded up: a cost is never said smaller than it is
    effective_ppm: np.ndarray
    largest_payment_fen: np.ndarray
    repriced: np.ndarray
    over_cap: np.ndarray


def price(terms: Terms, cap_ppm: np.ndarray, legal_is_effective: bool, floor_ppm: int, step_ppm: int, rounding: Rounding = Rounding()) -> Priced:
    """Costs of the terms as given; where the legal figure passes ``cap_ppm`` (NO_CAP: none), at the highest rate
    that whole steps down reach under it."""
    found = [_price(terms[part], cap_ppm[part], legal_is_effective, floor_ppm, step_ppm, rounding) for part in _blocks(len(terms))]
    if not found:
        none = np.zeros(0, np.int64)
        return Priced(none, none, none, none, none.astype(bool), none.astype(bool))
    return Priced(*(np.concatenate([getattr(part, name) for part in found]) for name in Priced.__dataclass_fields__))


def _blocks(count: int):
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))


def _price(terms: Terms, cap_ppm: np.ndarray, legal_is_effective: bool, floor_ppm: int, step_ppm: int, rounding: Rounding) -> Priced:
    law = 2 if legal_is_effective else 1  # of the rows of ``found``: rate, nominal, effective, largest instalment
    found = np.stack([terms.annual_rate_ppm, *cost(terms, rounding)])
    steps, too_few = np.zeros(len(terms), np.int64), np.full(len(terms), -1)  # by how many it is cut; that leave it over its cap

    def cut(at: np.ndarray, by: np.ndarray) -> np.ndarray:
        rate = np.maximum(terms.annual_rate_ppm[at] - by * step_ppm, floor_ppm)
        return np.stack([rate, *cost(replace(terms[at], annual_rate_ppm=rate), rounding)])

    while True:
        over = (cap_ppm != NO_CAP) & (found[law] > cap_ppm)
        at = np.flatnonzero(over & (found[0] > floor_ppm))
        if not len(at):
            break
        # The cost moves by about as much as the rate, the effective one by a little more: cut by the excess, and look again.
        excess = found[law, at] - cap_ppm[at]
        if legal_is_effective:
            excess = np.maximum(excess * 4 // 5, 1)
        too_few[at] = steps[at]
        steps[at] += -(-excess // step_ppm)
        found[:, at] = cut(at, steps[at])
    back = np.ones(len(terms), np.int64)
    while len(at := np.flatnonzero(~over & (steps - too_few > 1))):  # the last may have been too many
        by = np.maximum(steps[at] - back[at], too_few[at] + 1)
        fewer = cut(at, by)
        under = fewer[law] <= cap_ppm[at]
        found[:, at[under]], steps[at[under]], too_few[at[~under]] = fewer[:, under], by[under], by[~under]
        back[at] = np.where(under, back[at] * 2, 1)
    rate, nominal, effective, largest = found
    return Priced(rate, nominal, effective, largest, rate < terms.annual_rate_ppm, over)


def cost(terms: Terms, rounding: Rounding = Rounding()) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nominal and effective cost in millionths, rounded up at the sixth decimal, and the largest instalment."""
    plan: Schedule = schedule(terms, rounding)
    monthly = annual_cost.monthly_rate(plan)
    return _up(annual_cost.nominal(monthly)), _up(annual_cost.effective(monthly)), plan.payment_fen.max(axis=1)


def _up(share: np.ndarray) -> np.ndarray:
    """Millionths, up; a billionth is left to float64's own error."""
    return np.ceil(share * PPM - 1e-3).astype(np.int64)
