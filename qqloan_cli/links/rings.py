"""Rings: applicants tied to one another by keys they share, as they stood on each day of application."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph


class Ties(NamedTuple):
    """Arrays of one length: persons ``a`` and ``b`` are tied from ``day`` until before ``ends``."""

    a: np.ndarray
    b: np.ndarray
    day: np.ndarray
    ends: np.ndarray


class Uses(NamedTuple):
    """Arrays of one length, an application each: who applied, when, its place in the order of application_id, and whether it asks."""

    person: np.ndarray
    day: np.ndarray
    place: np.ndarray
    asks: np.ndarray


class Rings(NamedTuple):
    """For every use: the smallest place in its ring (-1 where tied to nobody), applicants in it, keys that tie it."""

    first: np.ndarray
    size: np.ndarray
    ties: np.ndarray


def rings(persons: int, ties: Ties, uses: Uses) -> Rings:
    """Components by day. What a day's applications see are ties and applications of that day and before.

    Only persons whom something ties are here, a small part of a batch, so each
    day that brings a change is worked out anew: a key that too many share
    stops tying, and unions cannot be undone.
    """
    found = Rings(np.full(len(uses.person), -1, np.int64), np.zeros(len(uses.person), np.int64), np.zeros(len(uses.person), np.int64))
    changes = np.unique(np.concatenate((ties.day, ties.ends)))
    era, label = -1, np.arange(persons)
    size, keys = np.ones(persons, np.int64), np.zeros(persons, np.int64)
    for day in np.unique(uses.day[uses.asks]):
        now = int(np.searchsorted(changes, day, side="right"))
        if now != era:
            era, live = now, (ties.day <= day) & (ties.ends > day)
            a, b = ties.a[live], ties.b[live]
            matrix = sparse.coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(persons, persons))
            count, label = csgraph.connected_components(matrix, directed=False)
            size = np.bincount(label, minlength=count)
            keys = np.bincount(label[a], minlength=count)
        here = uses.day <= day
        smallest = np.full(len(size), np.iinfo(np.int64).max)
        np.minimum.at(smallest, label[uses.person[here]], uses.place[here])
        asking = np.flatnonzero(uses.asks & (uses.day == day))
        ring = label[uses.person[asking]]
        tied = size[ring] > 1
        asking, ring = asking[tied], ring[tied]
        found.first[asking], found.size[asking], found.ties[asking] = smallest[ring], size[ring], keys[ring]
    return found
