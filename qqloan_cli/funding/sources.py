"""The sources and structures as arrays: who takes which loan, and every limit that a funded loan uses up.

A limit is one line of arithmetic whatever its name: a number of fen, and for
each structure the sources whose shares count. Capacity, a day's cash, a grade's
appetite and a partner's concentration are all of that shape.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Mapping, Sequence

import numpy as np

from qqloan_cli.loans.shares import largest_remainder

FEN = 100
PPM = 1_000_000

# Kinds of limit, and what a loan that only they hold back is told.
REASONS = {"capacity": "F-NO-CAPACITY", "cash": "F-NO-CASH", "concentration": "F-CONCENTRATION", "grade": "F-GRADE-LIMIT", "guarantee": "F-GUARANTEE"}


@dataclass(frozen=True)
class Loans:
    """Approved loans in the order in which they are served: the best score first, then the earliest, then by application.

    ``product``, ``grade`` and ``region`` are codes into the sorted ``products``, ``grades`` and ``regions``; a region of -1 is unknown.
    """

    amount_fen: np.ndarray
    term_months: np.ndarray
    pd_ppm: np.ndarray
    product: np.ndarray
    grade: np.ndarray
    region: np.ndarray
    products: list[str]
    grades: list[str]
    regions: list[str]
    leaving: np.ndarray  # how each loan's money leaves: a column of leaves_ppm
    leaves_ppm: np.ndarray  # [days, ways]: the share that leaves on each day of the plan

    def __len__(self) -> int:
        return len(self.amount_fen)


@dataclass(frozen=True)
class Limit:
    """``source`` is set for a source's own capacity; ``grade`` and ``products`` where only those count; ``day`` where only that day's money
    does, which is ``payer``'s."""

    kind: str
    label: str
    fen: int
    counted: tuple[tuple[int, ...], ...]  # for each structure, positions among its sources
    source: str | None = None
    grade: str | None = None
    products: tuple[str, ...] | None = None
    day: int | None = None
    payer: str | None = None


@dataclass(frozen=True)
class Structure:
    """``sources`` in order of name, with ``shares_ppm`` to match."""

    name: str
    sources: tuple[str, ...]
    shares_ppm: np.ndarray
    cost: float  # of funds, a year
    limits: tuple[int, ...]  # of the book's limits, those that it can use up


class Book:
    """Sources, structures and limits of one lender. ``policy`` is a policy.funding.Funding; ``days`` on which money leaves, in order."""

    def __init__(self, policy, licence: str, days: Sequence[str] = ("the first day",)) -> None:
        self.policy, self.days = policy, days
        self.sources = sorted(policy.sources)
        allowed = policy.allowed(licence)
        self._named = [(name, tuple(sorted(s for s, share in structure.shares.items() if share)), structure) for name, structure in allowed.items()]
        self.limits = tuple(self._limits(licence))
        self.structures = [
            Structure(
                name, sources, np.array([structure.ppm(s) for s in sources], np.int64),
                float(sum(structure.shares[s] * policy.sources[s].cost_of_funds for s in sources)),
                tuple(r for r, limit in enumerate(self.limits) if limit.counted[number]),
            )
            for number, (name, sources, structure) in enumerate(self._named)
        ]

    def _limits(self, licence: str):
        for name in self.sources:
            source, alone = self.policy.sources[name], self._counted(lambda s, _, name=name: s == name)
            yield Limit("capacity", f"capacity of {name}", source.capacity * FEN, alone, source=name)
            if source.daily_cash is not None:
                for day, date in enumerate(self.days):
                    yield Limit("cash", f"cash of {name} on {date}", source.daily_cash * FEN, alone, day=day, payer=name)
            for grade, yuan in sorted(source.grade_limits.items()):
                yield Limit("grade", f"{name} in grade {grade}", yuan * FEN, alone, grade=grade)
        for name, guarantor in sorted(self.policy.guarantors.items()):
            room = int(guarantor.net_assets * guarantor.multiple) - guarantor.outstanding
            yield Limit("guarantee", f"guarantees of {name}", max(0, room) * FEN, self._counted(lambda *_: True), products=tuple(guarantor.products))
        rule = self.policy.concentration
        if licence not in rule.licences:
            return
        for group in sorted({source.partner_group for source in self.policy.sources.values()} - {None}):
            room = int(rule.net_tier1_capital * rule.single_partner_share) - rule.outstanding.get(group, 0)
            yield Limit("concentration", f"own money in loans with {group}", max(0, room) * FEN, self._counted(self._own_beside(group)))
        room = int(rule.total_loans * rule.joint_share) - sum(rule.outstanding.values())
        yield Limit("concentration", "own money in joint loans", max(0, room) * FEN, self._counted(self._own_beside(None)))

    def after(self, spent: Mapping[tuple[str, str], int]) -> "Book":
        """The same where others have ``spent`` fen of a source's cash on a day."""
        other = copy.copy(self)
        other.limits = tuple(
            limit if limit.day is None else replace(limit, fen=max(0, limit.fen - spent.get((limit.payer, self.days[limit.day]), 0))) for limit in self.limits
        )
        return other

    def _counted(self, counts) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(at for at, s in enumerate(sources) if counts(s, sources)) for _, sources, _ in self._named)

    def _own_beside(self, group: str | None):
        """Our own share of a loan in which a partner (of ``group``) has a share too."""
        of = self.policy.sources

        def counts(source: str, together: tuple[str, ...]) -> bool:
            partners = {of[s].partner_group for s in together if of[s].kind == "institution"}
            return of[source].kind == "own" and bool(partners) and (group is None or group in partners)

        return counts

    def eligible(self, loans: Loans, refused: np.ndarray | None = None) -> np.ndarray:
        """Booleans [structures, loans]: every source of the structure takes the loan, and its guarantor may stand for it.

        ``refused`` [sources, loans]: sources that have looked at a loan and refused it; the others get a second look.
        """
        takes = {name: self._takes(self.policy.sources[name], loans) for name in self.sources}
        if refused is not None:
            takes = {name: taken & ~refused[at] for at, (name, taken) in enumerate(takes.items())}
        out = np.ones((len(self.structures), len(loans)), bool)
        for number, structure in enumerate(self.structures):
            for source in structure.sources:
                out[number] &= takes[source]
        for guarantor in self.policy.guarantors.values():
            most = int(guarantor.net_assets * guarantor.single_share) * FEN
            out &= ~(_among(loans, guarantor.products) & (loans.amount_fen > most))
        return out

    @staticmethod
    def _takes(source, loans: Loans) -> np.ndarray:
        takes = (loans.term_months >= source.term_min) & (loans.term_months <= source.term_max) & (loans.amount_fen >= source.amount_min * FEN)
        if source.amount_max is not None:
            takes &= loans.amount_fen <= source.amount_max * FEN
        for wanted, names, codes in ((source.products, loans.products, loans.product), (source.grades, loans.grades, loans.grade)):
            if wanted is not None:
                takes &= np.array([name in wanted for name in names] + [False])[codes]
        if source.regions is not None or source.regions_excluded:
            served = [
                (source.regions is None or region.startswith(tuple(source.regions))) and not region.startswith(tuple(source.regions_excluded))
                for region in loans.regions
            ]
            takes &= np.array(served + [False])[loans.region]  # the last is the unknown region's: code -1
        return takes

    def shares(self, structure: int, amount_fen: np.ndarray) -> np.ndarray:
        """Fen [n, sources of the structure]."""
        return largest_remainder(amount_fen, self.structures[structure].shares_ppm)

    def use(self, structure: int, loans: Loans, rows: np.ndarray) -> np.ndarray:
        """Fen [rows, limits of the structure] that these loans would use up. Never too little: of a tranche, a fen too much."""
        shares = self.shares(structure, loans.amount_fen[rows])
        limits = self.structures[structure].limits
        out = np.empty((len(rows), len(limits)), np.int64)
        for at, number in enumerate(limits):
            limit = self.limits[number]
            counted = shares[:, list(limit.counted[structure])].sum(axis=1)
            if limit.day is not None:
                share = loans.leaves_ppm[limit.day][loans.leaving[rows]]
                counted = np.where(share > 0, np.minimum(counted, counted * share // PPM + 1), 0)
            if limit.products is not None:
                counted = np.where(_among(loans, limit.products)[rows], counted, 0)
            if limit.grade is not None:
                counted = np.where(loans.grade[rows] == _code(loans.grades, limit.grade), counted, 0)
            out[:, at] = counted
        return out


def _among(loans: Loans, products: Sequence[str]) -> np.ndarray:
    """Booleans [loans]: the product is one of these."""
    return np.array([name in products for name in loans.products] + [False])[loans.product]


def _code(names: list[str], name: str) -> int:
    return names.index(name) if name in names else -2
