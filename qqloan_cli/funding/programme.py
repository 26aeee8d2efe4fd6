"""The linear programme: how much of each cohort goes through each structure, so that the funded yuan are worth most.

Worth of a yuan: its weight (product x grade), less a year's cost of funds and
expected loss. Every limit of the book is a row; a source's commitment is a row
that may be missed, at a price, and then it is said. So there always is a plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qqloan_cli.errors import InternalError
from qqloan_cli.funding.cohorts import Cohorts
from qqloan_cli.funding.sources import Book, Loans

UNIT = 1_000_000  # the programme counts in ten thousand yuan, which keeps its numbers near one
MISSED = 2.0  # price of a yuan by which a commitment is missed: more than any yuan is worth otherwise
TIE = 1e-7  # plans of equal worth are told apart by rank, so the answer does not hang on the solver's path


@dataclass(frozen=True)
class Plan:
    """``split_fen`` [cohorts, structures], whole yuan, within every limit. ``prices`` [limits]: worth of one more yuan of each.

    ``worth_yuan`` is the optimum, a bound that whole loans cannot beat; ``notes`` say in words which commitments cannot be met, and why.
    """

    split_fen: np.ndarray
    prices: np.ndarray
    worth_yuan: float
    value: np.ndarray
    notes: tuple[str, ...]


def solve(loans: Loans, cohorts: Cohorts, book: Book) -> Plan:
    value = worth(loans, cohorts, book)
    at_cohort, at_structure = np.nonzero(cohorts.eligible)
    if not len(at_cohort):
        return Plan(np.zeros(value.shape, np.int64), np.zeros(len(book.limits)), 0.0, value, _unmet(book, cohorts, {}, np.zeros(len(book.limits), bool)))
    # Shares are rounded to the fen loan by loan; a fen a loan is kept free for it.
    room = np.array([max(0, limit.fen - len(loans)) for limit in book.limits], np.float64) / UNIT
    promised = [(r, book.policy.sources[limit.source].commitment) for r, limit in enumerate(book.limits) if limit.source]
    promised = [(r, yuan) for r, yuan in promised if yuan]
    result = _highs(value, cohorts, book, at_cohort, at_structure, room, promised)
    size = len(at_cohort)
    split = np.zeros(value.shape, np.int64)
    split[at_cohort, at_structure] = np.floor(np.maximum(result.x[:size], 0) * (UNIT / 100) + 1e-6).astype(np.int64) * 100
    split = np.minimum(split, cohorts.amount_fen[:, None])
    prices = -result.ineqlin.marginals[len(cohorts):len(cohorts) + len(book.limits)]
    missed = {book.limits[r].source: result.x[size + k] * UNIT / 100 for k, (r, _) in enumerate(promised)}
    worth_yuan = float((value[at_cohort, at_structure] * result.x[:size]).sum()) * UNIT / 100
    used_up = result.ineqlin.residual[len(cohorts):len(cohorts) + len(book.limits)] < 1e-6
    return Plan(split, np.round(np.maximum(prices, 0), 5) + 0.0, worth_yuan, value, _unmet(book, cohorts, missed, used_up))


def worth(loans: Loans, cohorts: Cohorts, book: Book) -> np.ndarray:
    """Worth of a funded yuan, [cohorts, structures]."""
    priority = book.policy.priority
    weight = cohorts.product @ np.array([priority.products.get(name, 1.0) for name in loans.products])
    weight = weight * (cohorts.grade @ np.array([priority.grades.get(name, 1.0) for name in loans.grades]))
    loss = cohorts.loss * float(priority.loss_given_default)
    return (weight - loss)[:, None] - np.array([structure.cost for structure in book.structures])[None, :]


def _highs(value, cohorts: Cohorts, book: Book, at_cohort, at_structure, room, promised):
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix

    size, count = len(at_cohort), len(cohorts)
    rows, columns, entries = [at_cohort], [np.arange(size)], [np.ones(size)]
    for r, limit in enumerate(book.limits):
        entry = _use(book, limit, cohorts, at_cohort, at_structure)
        used = np.flatnonzero(entry)
        rows.append(np.full(len(used), count + r)), columns.append(used), entries.append(entry[used])
    for k, (r, _) in enumerate(promised):
        entry = _use(book, book.limits[r], cohorts, at_cohort, at_structure)
        used = np.flatnonzero(entry)
        row = count + len(book.limits) + k
        rows += [np.full(len(used), row), np.array([row])]
        columns += [used, np.array([size + k])]
        entries += [-entry[used], np.array([-1.0])]
    bounds = np.concatenate([cohorts.amount_fen / UNIT, room, [-yuan * 100 / UNIT for _, yuan in promised]])
    matrix = coo_matrix((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape=(len(bounds), size + len(promised))).tocsr()
    rank = at_structure * count + at_cohort
    cost = np.concatenate([TIE * rank / (count * len(book.structures)) - value[at_cohort, at_structure], np.full(len(promised), MISSED)])
    result = linprog(cost, A_ub=matrix, b_ub=bounds, bounds=(0, None), method="highs-ds")
    if result.status != 0:
        raise InternalError("programme-unsolved", f"the funding programme ended with status {result.status}", "funding.toml", "Please report it.")
    return result


def _use(book: Book, limit, cohorts: Cohorts, at_cohort, at_structure) -> np.ndarray:
    """What a yuan of each variable uses up of ``limit``."""
    counted = np.array([structure.shares_ppm[list(limit.counted[s])].sum() / 1e6 for s, structure in enumerate(book.structures)])
    use = counted[at_structure]
    if limit.day is not None:
        use = use * cohorts.leaves[at_cohort, limit.day]
    if limit.products is not None:
        use = use * cohorts.product_share(limit.products)[at_cohort]
    if limit.grade is not None:
        use = use * cohorts.grade_share(limit.grade)[at_cohort]
    return use


def reached(plan: Plan, cohorts: Cohorts, loans: Loans, structure: np.ndarray) -> float:
    """Yuan: the objective as whole loans reach it. ``structure`` [loans]: each one's, below zero where it waits."""
    funded = np.flatnonzero(structure >= 0)
    return float((plan.value[cohorts.of[funded], structure[funded]] * loans.amount_fen[funded]).sum()) / 100


def _unmet(book: Book, cohorts: Cohorts, missed: dict[str, float], used_up: np.ndarray) -> tuple[str, ...]:
    """A sentence for each commitment that cannot be met: what it comes to, and which limits collide with it."""
    notes = []
    for name in book.sources:
        promised = book.policy.sources[name].commitment
        short = missed.get(name, promised)
        if not promised or short < 1:
            continue
        could = sum(_most(book, cohorts, number, name) for number in range(len(book.structures)))
        causes = [f"approved loans that it takes come to {could:,.0f} of its money at most"] if could < promised else []
        beside = sorted({r for structure in book.structures if name in structure.sources for r in structure.limits if used_up[r]})
        if beside:
            causes.append("used up: " + ", ".join(book.limits[r].label for r in beside))
        notes.append(f"{name} was promised {promised:,} yuan and gets {promised - short:,.0f}: " + ("; ".join(causes) or "loans worth more go elsewhere"))
    return tuple(notes)


def _most(book: Book, cohorts: Cohorts, number: int, source: str) -> float:
    """Yuan of ``source`` that this structure could place at most, had everything else room; a cohort counts where its share is largest."""
    if source not in book.structures[number].sources:
        return 0.0
    shares = {k: s.shares_ppm[s.sources.index(source)] / 1e6 for k, s in enumerate(book.structures) if source in s.sources}
    best = max(shares, key=lambda k: (shares[k], -k))
    others = [k for k in shares if (shares[k], -k) > (shares[number], -number)]
    mine = cohorts.eligible[:, number] & ~cohorts.eligible[:, others].any(axis=1) if number != best else cohorts.eligible[:, number]
    return float(cohorts.amount_fen[mine].sum()) * shares[number] / 100
