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


SHAPES = ("pair", "star", "chain", "tree", "mesh")
PAIR, STAR, CHAIN, TREE, MESH = range(len(SHAPES))


class Rings(NamedTuple):
    """For every use: the smallest place in its ring (-1 where tied to nobody), applicants in it, keys that tie it, its shape (of SHAPES).

    A pair is two applicants. Of more, each tied to one, or to the holder of one key: star. With no tie to spare, but no such
    middle: chain where nobody is tied to more than two, else tree. Anything closer knit: mesh.
    """

    first: np.ndarray
    size: np.ndarray
    ties: np.ndarray
    shape: np.ndarray


def rings(persons: int, ties: Ties, uses: Uses) -> Rings:
    """Components by day. What a day's applications see are ties and applications of that day and before.

    Only persons whom something ties are here, a small part of a batch, so each
    day that brings a change is worked out anew: a key that too many share
    stops tying, and unions cannot be undone.
    """
    nothing = np.zeros(len(uses.person), np.int64)
    found = Rings(nothing - 1, nothing.copy(), nothing.copy(), nothing.copy())
    order = np.argsort(np.minimum(ties.a, ties.b).astype(np.int64) * persons + np.maximum(ties.a, ties.b), kind="stable")
    ties = Ties(*(column[order] for column in ties))  # so that ties of the same two stand together
    changes = np.unique(np.concatenate((ties.day, ties.ends)))
    era, label = -1, np.arange(persons)
    size, keys, shape = np.ones(persons, np.int64), np.zeros(persons, np.int64), np.zeros(persons, np.int64)
    for day in np.unique(uses.day[uses.asks]):
        now = int(np.searchsorted(changes, day, side="right"))
        if now != era:
            era, live = now, (ties.day <= day) & (ties.ends > day)
            a, b = ties.a[live], ties.b[live]
            matrix = sparse.coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(persons, persons))
            count, label = csgraph.connected_components(matrix, directed=False)
            size = np.bincount(label, minlength=count)
            keys = np.bincount(label[a], minlength=count)
            shape = _shapes(a, b, label, size)
        here = uses.day <= day
        smallest = np.full(len(size), np.iinfo(np.int64).max)
        np.minimum.at(smallest, label[uses.person[here]], uses.place[here])
        asking = np.flatnonzero(uses.asks & (uses.day == day))
        ring = label[uses.person[asking]]
        tied = size[ring] > 1
        asking, ring = asking[tied], ring[tied]
        found.first[asking], found.size[asking], found.ties[asking], found.shape[asking] = smallest[ring], size[ring], keys[ring], shape[ring]
    return found


def _shapes(a: np.ndarray, b: np.ndarray, label: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The shape of every component; ties of the same two stand together and count once."""
    least, most = np.minimum(a, b), np.maximum(a, b)
    other = np.concatenate(([True], (least[1:] != least[:-1]) | (most[1:] != most[:-1])))[:len(a)]
    a, b = a[other], b[other]
    degree = np.bincount(a, minlength=len(label)) + np.bincount(b, minlength=len(label))
    highest = np.zeros(len(size), np.int64)
    np.maximum.at(highest, label, degree)
    spare = np.bincount(label[a], minlength=len(size)) - (size - 1)
    return np.select([size <= 2, (spare == 0) & (highest == size - 1), (spare == 0) & (highest <= 2), spare == 0], [PAIR, STAR, CHAIN, TREE], MESH)
