"""Many ways that a book may go: balances roll from bucket to bucket, month by month, under factors that move all loans of a region together.

A path draws a factor for each region and month: sqrt(between) x the common one + sqrt(1 - between) x the region's own, each an AR(1) with
standard normal margins, so that every month by itself has the shares that were measured (CreditMetrics, Vasicek); of several months, whose
factors hang together, more go all the way on average than the power of the matrix says. The shares given a
factor are worked out once for a grid of factors, and a path's are read between two of its points. Loans of a region that are equally long
on book are one row of balances. Once the pool has paid for a balance it goes on by itself: what it brings is a recovery.

Balances and what is paid are float fen. ``CHUNK`` paths at a time have a stream of random numbers of their own, by seed, name of the
scenario and place: workers change no byte.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

CHUNK = 1_000
LIVE, PAID, WRITTEN_OFF = 8, 8, 9  # M0 to M6+, and where a loan has left for good
_WORST_FIRST = np.array([WRITTEN_OFF, 7, 6, 5, 4, 3, 2, 1, 0, PAID])
_GRID = np.linspace(-8, 8, 801)  # factors; between two of its points an error of at most 5e-5 x the second derivative


@dataclass(frozen=True)
class Exposure:
    """``region`` and ``mob`` [n] of rows, in that order; a mob below zero: drawn so many months from now. ``balance`` [n, 8] by bucket.
    ``compensated`` [regions, 8] and ``written_off`` [regions]: what the pool has paid for already. ``covered`` [regions]: which
    part of a balance it stands for; ``annual_rate`` and ``loan_fen`` (the mean size that a fen lies in) [regions]."""

    region: np.ndarray
    mob: np.ndarray
    balance: np.ndarray
    compensated: np.ndarray
    written_off: np.ndarray
    covered: np.ndarray
    annual_rate: np.ndarray
    loan_fen: np.ndarray


@dataclass(frozen=True)
class Moves:
    """``bands``: months on book from which each begins. ``shares`` [regions, bands + 1, 8, 10] a month, and ``falls`` [regions, bands + 1,
    months], which part of a balance falls due with an instalment: the last of them of loans that the pool has paid for, of any age."""

    shares: np.ndarray
    bands: np.ndarray
    falls: np.ndarray


@dataclass(frozen=True)
class Chances:
    """``trigger``: the bucket from which the pool pays. ``kept``: what of a recovery reaches it; ``after_write_off``: monthly, of what is left."""

    correlation: float
    between_regions: float
    persistence: float
    by_loan: bool
    trigger: int
    kept: float
    after_write_off: float


@dataclass(frozen=True)
class Stress:
    """``shift`` [regions] of the factors' means; ``withdrawn``: the part of what is to be drawn that nobody covers."""

    name: str
    shift: np.ndarray
    withdrawn: float = 0.0


def conditioned(shares: np.ndarray, z: np.ndarray, correlation: float) -> np.ndarray:
    """[..., len(z), 8, 10] shares given each factor, of shares [..., 8, 10]: states in order from the worst on, by thresholds."""
    from scipy.special import ndtr, ndtri

    worst = np.clip(np.cumsum(shares[..., _WORST_FIRST], axis=-1), 0, 1)
    worst[..., -1] = 1
    given = ndtr((ndtri(worst)[..., None, :, :] - np.sqrt(correlation) * z[:, None, None]) / np.sqrt(1 - correlation))
    found = np.empty_like(given)
    found[..., _WORST_FIRST] = np.diff(given, axis=-1, prepend=0)
    return found


def left_by(falls: float) -> np.ndarray:
    """[8, 10] of a balance, by bucket before and after: who goes from i to j instalments behind paid 1 + i - j of them; in M6+ nobody pays.
    ``falls``: an instalment's part of a balance that is not late; of one i behind, which is so much larger, it is less."""
    behind = np.arange(LIVE)[:, None]
    return np.clip(1 - _PAYS * (falls / (1 + behind * falls)), 0, 1)


_PAYS = np.zeros((LIVE, LIVE + 2))
_PAYS[:, :LIVE] = np.maximum(1 + np.arange(LIVE)[:, None] - np.arange(LIVE), 0)
_PAYS[LIVE - 1, LIVE - 1] = 0
_INSTALMENTS = _PAYS.copy()
_INSTALMENTS[:, PAID] = 1 + np.arange(LIVE)


def _persisting(drawn: np.ndarray, persistence: float) -> np.ndarray:
    """Standard normals [months, ...] as an AR(1) of standard normals, in their place."""
    for month in range(1, len(drawn)):
        drawn[month] = persistence * drawn[month - 1] + np.sqrt(1 - persistence**2) * drawn[month]
    return drawn


def _place(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The point of the grid below each factor, and how far from it to the next [..., 1]."""
    place = np.clip((z - _GRID[0]) / (_GRID[1] - _GRID[0]), 0, len(_GRID) - 1.000001)
    low = place.astype(np.int64)
    return low, (place - low)[..., None]


class Paths:
    """A task is (stress, chunk, paths in it)."""

    def __init__(self, exposure: Exposure, moves: Moves, chances: Chances, months: int, seed: int) -> None:
        self.exposure, self.moves, self.chances, self.months, self.seed = exposure, moves, chances, months, seed
        grid = conditioned(moves.shares, _GRID, chances.correlation)
        instalments = np.einsum("rbgij,ij->rbgi", grid, _INSTALMENTS)
        grid[..., PAID], grid[..., WRITTEN_OFF] = grid[..., WRITTEN_OFF], instalments  # columns from here on: 8 buckets, written off, instalments paid
        self.grid = {rows: np.ascontiguousarray(part[..., :rows, :]).reshape(*part.shape[:3], -1) for rows, part in ((chances.trigger, grid[:, :-1]), (LIVE, grid[:, -1:]))}
        self.steps = {rows: np.diff(part, axis=2) for rows, part in self.grid.items()}
        on_time = np.cumprod(np.where(moves.falls[:, -1] < 1, 1 - moves.falls[:, -1], 1), axis=1)  # who is late then still owes the last instalment
        self.size = exposure.loan_fen[:, None] * np.concatenate([np.ones((len(on_time), chances.trigger + 1)), on_time], axis=1)  # a loan that late is as large as it was then

    def factors(self, stress: Stress, chunk: int, paths: int) -> tuple[np.ndarray, np.random.Generator]:
        """[months, regions, paths], and the stream that they were the first of."""
        name = int.from_bytes(hashlib.sha256(stress.name.encode()).digest()[:8], "big")
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, name], spawn_key=(chunk,))))
        drawn = _persisting(rng.standard_normal((self.months, len(stress.shift) + 1, paths)), self.chances.persistence)
        common = np.sqrt(self.chances.between_regions) * drawn[:, :1]
        return common + np.sqrt(1 - self.chances.between_regions) * drawn[:, 1:] + stress.shift[:, None], rng

    def __call__(self, task: tuple[Stress, int, int]) -> dict[str, np.ndarray]:
        """What the pool is about by path and month, and the rest as sums over the paths."""
        found = self.run(*task)
        return {name: found[name] if name in ("compensation", "recovered", "interest") else found[name].sum(axis=0) for name in found}

    def run(self, stress: Stress, chunk: int, paths: int) -> dict[str, np.ndarray]:
        """By path and month: ``compensation``, ``recovered`` and ``interest`` of the covered part; ``balance`` at the end, ``paid`` principal
        and ``written_off`` of all; ``all_interest``. ``states`` [paths, 10] at the end."""
        z, rng = self.factors(stress, chunk, paths)
        e, trigger = self.exposure, self.chances.trigger
        here = _Going(e, trigger, self.months, paths, stress.withdrawn)
        first = np.searchsorted(e.region, np.arange(len(e.covered) + 1))
        for month in range(self.months):
            for region in range(len(e.covered)):
                here.low, here.between = _place(z[month, region])
                self._paid_for(month, region, here)
                self._not_yet(month, region, slice(first[region], first[region + 1]), rng, here)
            new = np.flatnonzero(e.mob == -(month + 1))
            here.live[:, new, 0] = e.balance[new, 0]
            here.found["balance"][:, month] = _over(here.live.reshape(paths, -1)) + _over(_over(here.pool)[:, :, 0])
        states = np.zeros((paths, LIVE + 2))
        states[:, :LIVE] = here.pool[:, :, 0].sum(axis=1)
        states[:, :trigger] += here.live.sum(axis=1)
        states[:, PAID], states[:, WRITTEN_OFF] = here.found["paid"].sum(axis=1), here.found["written_off"].sum(axis=1)
        return {**here.found, "states": states}

    def _shares(self, month: int, region: int, band: int, rows: int, here: "_Going") -> np.ndarray:
        """[paths, rows, 10] what of a balance in the first so many buckets is where after the month: 8 buckets, written off, instalments paid."""
        found, more = here.shares[rows]
        np.take(self.grid[rows][region, band], here.low, axis=0, out=found, mode="clip")  # into arrays that stand, from whole ones: ten times as fast
        np.take(self.steps[rows][region, band], here.low, axis=0, out=more, mode="clip")
        more *= here.between
        found += more
        stays = left_by(self.moves.falls[region, band, month])
        stays[:, LIVE:] = 1
        found *= stays[:rows].reshape(-1)
        return found.reshape(-1, rows, LIVE + 2)

    def _paid_for(self, month: int, region: int, here: "_Going") -> None:
        """A month of what the pool has paid for: what it brings comes back to it."""
        kept, off, pool = self.chances.kept, here.off[:, region], here.pool[:, region]
        back = self.chances.after_write_off * off
        off -= back
        here.found["recovered"][:, month] += kept * back[:, 1]
        if month == 0 and not pool[0].any():
            return  # nothing yet, on any path
        was = _over(pool)
        rolled = np.matmul(pool, self._shares(month, region, -1, LIVE, here))
        paid = was - _over(rolled[:, :, : LIVE + 1])
        pool[:] = rolled[:, :, :LIVE]
        off += rolled[:, :, LIVE]
        here.found["recovered"][:, month] += kept * paid[:, 1]
        here.found["paid"][:, month] += paid[:, 0]
        here.found["written_off"][:, month] += rolled[:, 0, LIVE]
        here.found["all_interest"][:, month] += self.exposure.annual_rate[region] / 12 * rolled[:, 0, LIVE + 1]

    def _not_yet(self, month: int, region: int, rows: slice, rng, here: "_Going") -> None:
        """A month of what the pool has not paid for: rows roll by the shares of their band, and what is late enough then is paid for."""
        trigger, live, rate = self.chances.trigger, here.live, self.exposure.annual_rate[region] / 12
        edges = np.minimum(rows.start + np.searchsorted(self.exposure.mob[rows] + month, [*self.moves.bands, np.iinfo(np.int64).max]), here.ends[region])
        late = np.zeros((len(live), 2, LIVE + 1 - trigger))
        left = np.zeros(len(live))
        for band, (start, end) in enumerate(zip(edges, edges[1:])):
            if start == end:
                continue
            if band == len(self.moves.bands) - 1 and end - start > 1 and (here.weights[:, start:end] == here.weights[:, start : start + 1]).all():
                live[:, start] = live[:, start:end].sum(axis=1)  # who is that old rolls alike from now on
                live[:, start + 1 : end] = 0
                here.ends[region] = end = start + 1
            stands = np.matmul(here.weights[:, start:end], live[:, start:end])  # in all, and the covered part
            shares = self._shares(month, region, band, trigger, here)
            live[:, start:end] = np.matmul(live[:, start:end], shares[:, :, :trigger])
            sums = np.matmul(stands, shares)
            left += _over(sums[:, 0, :trigger])
            late += sums[:, :, trigger : LIVE + 1]
            here.found["paid"][:, month] += _over(stands[:, 0]) - _over(sums[:, 0, : LIVE + 1])
            here.found["interest"][:, month] += rate * sums[:, 1, LIVE + 1]
            here.found["all_interest"][:, month] += rate * sums[:, 0, LIVE + 1]
        if self.chances.by_loan:
            claimed = _over(late[:, 0])
            counted = self._by_loan(claimed, left, self.size[region, month], rng)
            live[:, rows.start : here.ends[region]] *= (1 + np.divide(claimed - counted, left, out=np.zeros_like(left), where=left > 0))[:, None, None]
            late *= np.divide(counted, claimed, out=np.ones_like(claimed), where=claimed > 0)[:, None, None]
        here.found["compensation"][:, month] += _over(late[:, 1])
        here.found["written_off"][:, month] += late[:, 0, -1]
        here.pool[:, region, :, trigger:] += late[:, :, :-1]
        here.off[:, region] += late[:, :, -1]

    @staticmethod
    def _by_loan(claimed: np.ndarray, left: np.ndarray, size: float, rng) -> np.ndarray:
        """What is claimed in whole loans of a size, where ``claimed`` is expected given the factors. Loans that did not fail are like those
        that are left, and no more can fail than there are; where none are left it is as expected."""
        if size <= 0:
            return claimed
        return np.where(left > 0, np.minimum(rng.poisson(np.maximum(claimed, 0) / size) * size, claimed + left), claimed)


class _Going:
    """Paths on their way. ``live`` [paths, rows, buckets before the trigger]; what the pool has paid for, in all and the covered part, is in
    ``pool`` [paths, regions, 2, 8] and ``off`` [paths, regions, 2]. ``low``, ``between``: where the factors lie on the grid."""

    def __init__(self, e: Exposure, trigger: int, months: int, paths: int, withdrawn: float) -> None:
        names = ("compensation", "recovered", "interest", "balance", "paid", "written_off", "all_interest")
        self.found = {name: np.zeros((paths, months)) for name in names}
        drawn, regions = e.mob >= 0, len(e.covered)
        part = np.stack([np.ones(regions), e.covered], axis=1)
        self.live = np.zeros((paths, len(e.mob), trigger))
        self.live[:] = e.balance[:, :trigger] * drawn[:, None]
        self.pool, self.off = np.zeros((paths, regions, 2, LIVE)), np.zeros((paths, regions, 2))
        self.pool[:] = e.compensated[:, None] * part[:, :, None]
        self.off[:] = e.written_off[:, None] * part
        late = np.zeros((regions, LIVE))
        np.add.at(late, e.region, e.balance * drawn[:, None])
        late[:, :trigger] = 0  # what is later than that and nobody has paid for is paid for first
        self.pool += late[:, None] * part[:, :, None]
        self.found["compensation"][:, 0] = (late.sum(axis=1) * e.covered).sum()
        self.ends = np.searchsorted(e.region, np.arange(regions), side="right")  # of each region's rows
        self.weights = np.stack([np.ones(len(e.mob)), e.covered[e.region] * np.where(drawn, 1, 1 - withdrawn)])
        self.shares = {rows: np.empty((2, paths, rows * (LIVE + 2))) for rows in (trigger, LIVE)}


@functools.cache
def _normal() -> tuple[np.ndarray, np.ndarray]:
    """Points of a standard normal and their weights (Gauss and Hermite)."""
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    return z, weight / weight.sum()


def _over(values: np.ndarray) -> np.ndarray:
    """Sums over the last, short axis; a product is several times as fast."""
    return values @ np.ones(values.shape[-1])


def monthly(of_year: float, shares: np.ndarray, persistence: float, trigger: int, paths: int = 4_000) -> float:
    """The correlation by which a month's moves are conditioned so that the failures of a year (what the pool would pay for in twelve months
    of a large book that was on time) are as spread as Vasicek's with the correlation ``of_year``. Every roll of a loan on its way to failing
    is conditioned, by factors that persist: the correlation of a year put into each of its months would spread its failures several times as
    far. ``shares`` [8, 10]."""
    from scipy.optimize import brentq

    rows = shares[:trigger]
    if of_year == 0 or not (rows[:, trigger:LIVE].any() or rows[:, WRITTEN_OFF].any()):
        return of_year  # nothing that could be spread
    low, between = _place(_persisting(np.random.Generator(np.random.Philox(0)).standard_normal((12, paths)), persistence))

    def further(correlation: float) -> float:
        given = conditioned(rows, _GRID, correlation)
        grid, good = given[..., :trigger], given[..., PAID]  # who is in none of these buckets has failed, or paid
        live, failed = np.eye(1, trigger) + np.zeros((paths, 1)), np.zeros(paths)
        for at, part in zip(low, between):
            stays = (1 - part)[:, :, None] * grid[at] + part[:, :, None] * grid[at + 1]
            paid = (1 - part) * good[at] + part * good[at + 1]
            rolled = np.matmul(live[:, None], stays)[:, 0]
            failed += _over(live - live * paid) - _over(rolled)
            live = rolled
        return failed.std() - _spread(failed.mean(), of_year)

    most = 0.9
    return float(brentq(further, 0.0, most, xtol=1e-5)) if further(most) > 0 else most


def _spread(p: float, correlation: float) -> float:
    """The standard deviation of a large pool's share of failures (Vasicek)."""
    from scipy.special import ndtr, ndtri

    if not 0 < p < 1:
        return 0.0
    z, weight = _normal()
    given = ndtr((ndtri(p) - np.sqrt(correlation) * z) / np.sqrt(1 - correlation))
    return float(np.sqrt(max(weight @ given**2 - (weight @ given) ** 2, 0)))


def chunks(stresses: list[Stress], paths: int) -> list[tuple[Stress, int, int]]:
    return [(stress, chunk, min(CHUNK, paths - chunk * CHUNK)) for stress in stresses for chunk in range(-(-paths // CHUNK))]


def needed(opening: float, given: np.ndarray, base: np.ndarray) -> np.ndarray:
    """[paths] the least multiple of ``base`` [paths, months] that keeps a pool from ever being below zero, which begins with ``opening`` and
    is given (less what it pays) ``given`` [paths, months] besides; infinite where nothing would. Every figure adds up from the first month."""
    lacks = -(opening + np.cumsum(given, axis=1))
    has = np.cumsum(base, axis=1)
    worth = np.divide(lacks, has, out=np.where(lacks > 0, np.inf, 0.0), where=has > 0)
    return np.maximum(worth.max(axis=1), 0)


def at_least(values: np.ndarray, share: float) -> float:
    """The least of ``values`` that at least ``share`` of them do not exceed: an order statistic, nothing between two."""
    ordered = np.sort(values)
    return float(ordered[min(max(int(np.ceil(share * len(ordered) - 1e-9)) - 1, 0), len(ordered) - 1)])
