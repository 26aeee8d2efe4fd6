"""Contracts priced anew under another cap, each by the conventions of the configuration that it was decided under: the same arithmetic as
the limit stage's, so what comes out is what a run under that cap would have offered for the same amount and term."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qqloan_cli.funding.tranches import Plans
from qqloan_cli.loans.pricing import NO_CAP, cost, price
from qqloan_cli.loans.schedule import BLOCK, BULLET, Rounding, Terms, by_rounding, schedule_by
from qqloan_cli.policy.funding import load_funding
from qqloan_cli.policy.limits import load_limits
from qqloan_cli.policy.price import load_price
from qqloan_cli.policy.products import Product, load_products, ppm

YEAR = 12
ROUNDED = 50  # millionths that rounding instalments to the fen may move a cost by


@dataclass(frozen=True)
class Origin:
    """What a run's contracts were decided under. ``kinds``: consumption or business by product; ``costs``: of funds by source, millionths."""

    products: dict[str, Product]
    plans: Plans
    floor_ppm: int
    step_ppm: int
    costs: dict[str, int]

    @classmethod
    def of(cls, config: Path, as_of: datetime.date) -> "Origin":
        products = load_products(config)
        cut = load_price(config, products, load_limits(config)).cut
        costs = {name: ppm(source.cost_of_funds) for name, source in load_funding(config).sources.items()}
        return cls(products, Plans.of(products, as_of), ppm(cut.floor), ppm(cut.step), costs)


    def place(self, names: list[str]) -> np.ndarray:
        """Of each product its plan; -1 where it is not known here."""
        return np.array([self.plans.products.index(name) if name in self.products else -1 for name in names], np.int64)


COLUMNS = {"cost": np.int64, "is_over": bool, "rate_after": np.int64, "at_floor": bool, "interest_before": np.int64, "interest_after": np.int64, "balance": np.int64}


def reprice(origin: Origin, column: dict[str, np.ndarray], plan: np.ndarray, made: np.ndarray, cap_ppm: np.ndarray, effective: bool) -> dict[str, np.ndarray]:
    """Arrays [n] by COLUMNS, millionths and fen. ``cost``: what it costs as it stands; ``rate_after``: cut to the cap, or as it stands;
    ``at_floor``: even there it is over the cap. Of the first twelve months: ``interest_before`` and ``interest_after``, and ``balance``, what
    is owed on average; zero where nothing is over the cap.

    ``column``: amount_fen, rate_ppm, term_months, method, monthly_fee_fen, upfront_fee_fen, int64 [n]. ``made``: the legal figure that the
    instalments came to, a share [n], NaN where there are none. ``cap_ppm`` [n], NO_CAP where there is none."""
    blocks = (slice(start, start + BLOCK) for start in range(0, max(len(plan), 1), BLOCK))
    found = [_block(origin, {name: values[part] for name, values in column.items()}, plan[part], made[part], cap_ppm[part], effective) for part in blocks]
    return {name: np.concatenate([part[name] for part in found]) for name in COLUMNS}


def _block(origin: Origin, column: dict[str, np.ndarray], plan: np.ndarray, made: np.ndarray, cap_ppm: np.ndarray, effective: bool) -> dict[str, np.ndarray]:
    names = origin.plans.products
    # The last is an unknown product's: the usual conventions.
    roundings = [*(Rounding.of(origin.products[name]) for name in names), Rounding()]
    free = np.array([*(origin.products[name].principal_free_months for name in names), 0], np.int64)
    codes = plan % len(roundings)
    term = column["term_months"]
    real = origin.plans.real_days(int(term.max(initial=1)))
    terms = Terms(column["amount_fen"], column["rate_ppm"], term, column["method"], column["monthly_fee_fen"], column["upfront_fee_fen"],
                  principal_free=np.minimum(free[codes], term - 1), **({} if real is None else real.of(plan)))

    def agreed(rows, rounding: Rounding) -> dict[str, np.ndarray]:
        return {"cost": cost(terms[rows], rounding)[1 if effective else 0]}

    says = by_rounding(codes, roundings, agreed)["cost"] if len(terms) else np.zeros(0, np.int64)
    # Instalments that come to more than what was agreed count; those of a bullet, which has but one, do not say when it falls due.
    more = np.nan_to_num(np.ceil(made * 1e6 - 1e-3), nan=0.0).astype(np.int64) - says
    more[(more <= ROUNDED) | (terms.method == BULLET)] = 0
    is_over = (cap_ppm != NO_CAP) & (says + more > cap_ppm)
    at = np.flatnonzero(is_over)
    rate, at_floor = terms.annual_rate_ppm.copy(), np.zeros(len(terms), bool)
    interest_before, interest_after, balance = (np.zeros(len(terms), np.int64) for _ in range(3))
    if len(at):
        some, allowed = terms[at], np.maximum(cap_ppm[at] - more[at], 0)

        def cut(rows, rounding: Rounding) -> dict[str, np.ndarray]:
            priced = price(some[rows], allowed[rows], effective, origin.floor_ppm, origin.step_ppm, rounding)
            return {"rate": priced.annual_rate_ppm, "at_floor": priced.over_cap}

        found = by_rounding(codes[at], roundings, cut)
        rate[at], at_floor[at] = found["rate"], found["at_floor"]
        before = schedule_by(some, codes[at], roundings)
        after = schedule_by(replace(some, annual_rate_ppm=rate[at]), codes[at], roundings)
        interest_before[at], interest_after[at] = (each.interest_fen[:, :YEAR].sum(axis=1) for each in (before, after))
        owed = some.principal_fen[:, None] - np.cumsum(before.principal_fen, axis=1) + before.principal_fen  # before each month's payment
        balance[at] = owed[:, :YEAR].sum(axis=1) // YEAR
    return {"cost": says + more, "is_over": is_over, "rate_after": rate, "at_floor": at_floor, "interest_before": interest_before, "interest_after": interest_after, "balance": balance}
