"""Loans that nothing tells apart to those who fund them: one product, one grade, the same structures that would take it.

Term, region and amount matter to the programme only through who takes the loan,
so they are in the last of these. A few hundred cohorts stand for a million loans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qqloan_cli.errors import ConfigError
from qqloan_cli.funding.sources import Loans

MOST = 4_000  # the programme takes seconds at five thousand cohorts, a minute at twenty thousand


@dataclass(frozen=True)
class Cohorts:
    """C cohorts. ``of`` [loans] is each loan's; ``eligible`` [C, structures]; sums are whole numbers, so the order of loans does not matter."""

    of: np.ndarray
    amount_fen: np.ndarray
    eligible: np.ndarray
    loss: np.ndarray  # probability of default, weighted by amount
    leaves: np.ndarray  # [C, days]: share that leaves on each day, likewise
    grade: np.ndarray  # [C, grades]: share of its amount in each grade
    product: np.ndarray  # [C, products]
    grades: list[str]
    products: list[str]

    def __len__(self) -> int:
        return len(self.amount_fen)

    def grade_share(self, grade: str) -> np.ndarray:
        """Share of each cohort's amount that is of ``grade``."""
        return self.grade[:, self.grades.index(grade)] if grade in self.grades else np.zeros(len(self))

    def product_share(self, products) -> np.ndarray:
        """Share of each cohort's amount that is of these products."""
        return self.product[:, [at for at, name in enumerate(self.products) if name in products]].sum(axis=1)


def gather(loans: Loans, eligible: np.ndarray) -> Cohorts:
    """``eligible`` is Book.eligible's [structures, loans]. Grades, then products are merged where there would be too many cohorts."""
    structures = len(eligible)
    if structures > 40:
        raise ConfigError("too-many-structures", f"{structures} structures; at most 40 are told apart", "funding.toml", "Leave some out.")
    signature = np.zeros(len(loans), np.int64)
    for number in range(structures):
        signature |= eligible[number].astype(np.int64) << number
    grade, product = len(loans.grades), len(loans.products)
    for key in ((signature * product + loans.product) * grade + loans.grade, signature * product + loans.product, signature):
        of, first = _numbered(key)
        if len(first) <= MOST:
            break
    else:
        raise ConfigError("too-many-cohorts", f"sources differ in so many ways that there are {len(first)} cohorts", "funding.toml", "Align their terms, regions or amounts.")
    count = len(first)
    amount = _sum(of, loans.amount_fen, count)
    whole = np.maximum(amount, 1)
    return Cohorts(
        of, amount, eligible[:, first].T.copy(),
        _sum(of, loans.amount_fen // 100 * loans.pd_ppm, count) / (whole / 100) / 1e6,
        np.stack([_sum(of, loans.amount_fen // 100 * day[loans.leaving], count) for day in loans.leaves_ppm], axis=1) / (whole / 100)[:, None] / 1e6,
        _table(of, loans.grade, loans.amount_fen, count, grade) / whole[:, None],
        _table(of, loans.product, loans.amount_fen, count, product) / whole[:, None],
        loans.grades, loans.products,
    )


def _numbered(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row's cohort, numbered in order of key, and a row of each."""
    _, first, of = np.unique(key, return_index=True, return_inverse=True)
    return of.ravel(), first


def _sum(of: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    total = np.zeros(count, np.int64)
    np.add.at(total, of, values)
    return total


def _table(of: np.ndarray, code: np.ndarray, values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return _sum(of * columns + code, values, rows * columns).reshape(rows, columns)
