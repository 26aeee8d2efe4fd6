"""A block: up to 16,384 people drawn together, and everything about them, from one seed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

import numpy as np

BLOCK = 16_384
_TOPICS = ("people", "application", "faults", "rings", "pay", "credit", "statements", "social", "edges", "outcomes", "truth", "families")
EPOCH = datetime.date(1970, 1, 1)

SALARIED, SELF_EMPLOYED, GIG, PENSIONER, UNEMPLOYED, STUDENT = range(6)
WORK = ("salaried", "self_employed", "gig", "pensioner", "unemployed", "student")


@dataclass
class Block:
    """``number`` of the block, ``n`` of its people; ``get`` has their columns by name, each of length n."""

    seed: int
    number: int
    n: int
    as_of: int  # days since 1970
    get: dict[str, np.ndarray] = field(default_factory=dict)

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self.__dict__["get"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def first(self) -> int:
        return self.number * BLOCK

    def rng(self, topic: str) -> np.random.Generator:
        """A stream of its own for every topic, so that a change in one moves nothing in another."""
        return np.random.Generator(np.random.Philox(key=[self.seed, self.number], counter=[0, 0, 0, _TOPICS.index(topic)]))


def month_of(days: np.ndarray) -> np.ndarray:
    """Months since 1970 of days since 1970."""
    return np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def day_in(months: np.ndarray, day: np.ndarray | int) -> np.ndarray:
    """Days since 1970 of a day (from 1) of months since 1970, the month's last where it is shorter."""
    months = np.asarray(months)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    last = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1
    return np.minimum(first + np.asarray(day) - 1, last)


def some_of(rng: np.random.Generator, cumulative: np.ndarray, size) -> np.ndarray:
    """Index drawn by cumulative shares."""
    return np.minimum(np.searchsorted(cumulative, rng.random(size), side="right"), len(cumulative) - 1)


def repeated(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(who, nth) of rows where person i has counts[i] of them."""
    who = np.repeat(np.arange(len(counts)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return who, np.arange(len(who)) - starts
