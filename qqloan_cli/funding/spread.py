"""From the plan to loans: whole loans only, in a fixed order, and never a fen over a limit.

First each cohort's loans, in order, fill the plan's split one structure after
another. Then the loans that lie across a border of the split, or outside it,
take the first structure that has room for the whole of them. The rest wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qqloan_cli.funding.cohorts import Cohorts
from qqloan_cli.funding.programme import Plan
from qqloan_cli.funding.sources import REASONS, Book, Loans

WAITS = -1
_BLOCK = 131_072


@dataclass(frozen=True)
class Spread:
    """``structure`` [loans], WAITS where none. ``reason`` [loans] is a code for those that wait. ``room_fen`` [limits] is what is left."""

    structure: np.ndarray
    reason: np.ndarray
    room_fen: np.ndarray


def spread(loans: Loans, eligible: np.ndarray, cohorts: Cohorts, plan: Plan, book: Book) -> Spread:
    chosen = np.full(len(loans), WAITS, np.int64)
    room = np.array([limit.fen for limit in book.limits], np.int64)
    wanted = _by_split(loans, cohorts, plan)
    for number in range(len(book.structures)):
        _take(number, np.flatnonzero(wanted == number), loans, book, chosen, room, once=True)
    for number in range(len(book.structures)):
        _take(number, np.flatnonzero((chosen == WAITS) & eligible[number]), loans, book, chosen, room)
    return Spread(chosen, _reasons(loans, eligible, book, chosen, room), room)


def _by_split(loans: Loans, cohorts: Cohorts, plan: Plan) -> np.ndarray:
    """The structure in whose part of the cohort's split a loan lies as a whole, WAITS where in none."""
    order = np.argsort(cohorts.of, kind="stable")
    amount, of = loans.amount_fen[order], cohorts.of[order]
    end = np.cumsum(amount)
    end -= (np.cumsum(cohorts.amount_fen) - cohorts.amount_fen)[of]
    start = end - amount
    until = np.cumsum(plan.split_fen, axis=1)
    wanted = np.full(len(loans), WAITS, np.int64)
    for number in range(until.shape[1]):
        upper = until[:, number]
        lower = upper - plan.split_fen[:, number]
        wanted[order[(start >= lower[of]) & (end <= upper[of])]] = number
    return wanted


def _take(number: int, rows: np.ndarray, loans: Loans, book: Book, chosen: np.ndarray, room: np.ndarray, once: bool = False) -> None:
    """Gives the structure to the loans in ``rows``, in order, each that still fits; with ``once`` it stops at the first that does not."""
    limits = list(book.structures[number].limits)
    most = room[limits]
    for left in _blocks(rows):
        use = book.use(number, loans, left)
        while len(left):
            fits = (use <= most).all(axis=1)
            left, use = left[fits], use[fits]
            total = np.cumsum(use, axis=0)
            taken = int(np.searchsorted((total > room[limits]).any(axis=1), True))
            if taken:
                chosen[left[:taken]] = number
                room[limits] -= total[taken - 1]
            left, use = left[taken:], use[taken:]
            if not once:
                most = room[limits]
            elif len(left):
                return


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """A part at a time: what all of millions of loans would use of every limit is gigabytes."""
    return (rows[first : first + _BLOCK] for first in range(0, len(rows), _BLOCK))


def _reasons(loans: Loans, eligible: np.ndarray, book: Book, chosen: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Why each waits: of the structures that would take it, the one with least in the way says; cash before capacity, as it comes back first."""
    reason = np.full(len(loans), "", object)
    waiting = np.flatnonzero(chosen == WAITS)
    kinds = ["cash", "grade", "guarantee", "concentration", "capacity"]  # from the least to the most
    said = np.array([REASONS[kind] for kind in kinds] + ["F-NO-SOURCE"], object)
    for rows in _blocks(waiting):
        worst = np.full(len(rows), len(kinds), np.int64)
        for number, structure in enumerate(book.structures):
            mine = np.flatnonzero(eligible[number][rows])
            blocked = book.use(number, loans, rows[mine]) > room[list(structure.limits)]
            rank = np.array([kinds.index(book.limits[r].kind) for r in structure.limits])
            worst[mine] = np.minimum(worst[mine], np.where(blocked, rank[None, :], -1).max(axis=1))
        reason[rows] = said[worst]
    return reason
