"""What the graph says about each application on its own day: measures by month, neighbours by day."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qqloan_cli.links import graph
from qqloan_cli.links.graph import NEVER

_DAY_BITS = 22  # days of ten thousand years


class Pairs(NamedTuple):
    """Distinct pairs ``a < b`` with the first day (from 1900-01-01) of each direction, of ties and of money; NEVER where there is none."""

    a: np.ndarray
    b: np.ndarray
    a_to_b: np.ndarray
    b_to_a: np.ndarray
    money_a_to_b: np.ndarray
    money_b_to_a: np.ndarray

    @classmethod
    def of(cls, source: np.ndarray, target: np.ndarray, day: np.ndarray, tie: np.ndarray, both_ways: np.ndarray, money: np.ndarray) -> "Pairs":
        """From edges, in any order and any number between two nodes; no edge joins a node to itself."""
        pair = (np.minimum(source, target).astype(np.int64) << 32) | np.maximum(source, target)
        order = np.argsort(pair)
        pair = pair[order]
        begins = np.flatnonzero(np.diff(pair, prepend=-1))
        pair, forth, day = pair[begins], (source < target)[order], day[order]

        def first(held: np.ndarray) -> np.ndarray:
            return np.minimum.reduceat(np.where(held, day, NEVER), begins) if len(begins) else day

        both_ways, tie, money = both_ways[order], tie[order], money[order]
        there, back = both_ways | forth, both_ways | ~forth
        return cls((pair >> 32).astype(np.int32), (pair & 0xFFFFFFFF).astype(np.int32), first(tie & there), first(tie & back), first(money & there), first(money & back))


class Asking(NamedTuple):
    """One application each: its node, its day, and the first day of its month."""

    node: np.ndarray
    day: np.ndarray
    month_day: np.ndarray


class Timeline:
    """Events at nodes; how many there had been at a node by a day, for days from ``first_day`` to ``last_day``.

    Most ties are older than any application of the batch: those are counted
    once, and only what came in between is looked up by day.
    """

    def __init__(self, ends: list[tuple[np.ndarray, np.ndarray]], nodes: int, first_day: int, last_day: int) -> None:
        self._before, between = np.zeros(nodes, np.int64), []
        for node, day in ends:
            self._before += np.bincount(node[day <= first_day], minlength=nodes)
            recent = (day > first_day) & (day <= last_day)
            between.append((node[recent].astype(np.int64) << _DAY_BITS) | (day[recent] - first_day))
        self._first_day, self._between = first_day, np.sort(np.concatenate(between))

    def until(self, node: np.ndarray, day: np.ndarray) -> np.ndarray:
        first = node.astype(np.int64) << _DAY_BITS
        return self._before[node] + np.searchsorted(self._between, first | (day - self._first_day), side="right") - np.searchsorted(self._between, first)


def by_day(pairs: Pairs, asking: Asking, outcome_node: np.ndarray, known: np.ndarray, bad: np.ndarray, nodes: int) -> dict[str, np.ndarray]:
    """Neighbours and their outcomes as of each application's day; int32 arrays."""
    a, b, ab, ba = pairs.a, pairs.b, pairs.a_to_b, pairs.b_to_a
    node, day = asking.node, asking.day
    first_day, last_day = (int(day.min()), int(day.max())) if len(day) else (0, 0)

    def until(at_a: np.ndarray, at_b: np.ndarray) -> np.ndarray:
        return Timeline([(a, at_a), (b, at_b)], nodes, first_day, last_day).until(node, day).astype(np.int32)

    either, both = np.minimum(ab, ba), np.maximum(ab, ba)
    answers = {"degree": until(either, either), "in_degree": until(ba, ab), "out_degree": until(ab, ba), "reciprocal": until(both, both)}
    for name, learnt in (("neighbours_known", known), ("neighbours_bad", bad)):
        of_node = np.full(nodes, NEVER, np.int32)
        of_node[outcome_node] = learnt
        # a neighbour's outcome is seen once both the tie and the outcome are there
        answers[name] = until(np.maximum(either, of_node[b]), np.maximum(either, of_node[a]))
    return answers


def by_month(pairs: Pairs, asking: Asking, nodes: int, rounds: int) -> dict[str, np.ndarray]:
    """Core, component, triangles and PageRank in the graph as it stood on the first day of each application's month; int32 arrays, triangles int64.

    Nodes without a tie by then are not in that graph: they are a component of
    their own, and change nobody's rank.
    """
    names = ("month_degree", "triangles", "core", "pagerank_ppb", "component_size")
    answers = {name: np.zeros(len(asking.node), np.int64 if name == "triangles" else np.int32) for name in names}
    answers["component_size"][:] = 1
    either = np.minimum(pairs.a_to_b, pairs.b_to_a)
    ties_before, snapshot, place = -1, {}, None
    for month_day in np.unique(asking.month_day):
        there = either <= month_day
        ties = int(np.count_nonzero(there))
        if not ties:
            continue
        if ties != ties_before:  # ties are only ever added, so as many are the same ones
            snapshot, place = _snapshot(pairs, there, int(month_day), nodes, rounds)
            ties_before = ties
        elif month_day:
            snapshot, place = _refresh_rank(snapshot, place, pairs, int(month_day), nodes, rounds)
        mine = np.flatnonzero(asking.month_day == month_day)
        at = place[asking.node[mine]]
        mine, at = mine[at >= 0], at[at >= 0]
        for name in names:
            answers[name][mine] = snapshot[name][at]
    return answers


def _snapshot(pairs: Pairs, there: np.ndarray, month_day: int, nodes: int, rounds: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    a, b = pairs.a[there], pairs.b[there]
    inside = np.zeros(nodes, bool)
    inside[a] = inside[b] = True
    place = np.where(inside, np.cumsum(inside) - 1, -1).astype(np.int32)
    size = int(np.count_nonzero(inside))
    a, b = place[a], place[b]
    measures = {"component_size": graph.component_sizes(size, a, b)}
    adjacency = graph.undirected(size, a, b)
    measures["month_degree"], measures["core"] = np.diff(adjacency.indptr), graph.cores(adjacency)
    del adjacency  # the next two need the room
    measures["triangles"] = graph.triangles(size, a, b, measures["month_degree"])
    measures["pagerank_ppb"] = _rank(pairs, there, a, b, month_day, size, rounds)
    return measures, place


def _rank(pairs, there, a, b, month_day, size, rounds) -> np.ndarray:
    forth, back = pairs.a_to_b[there] <= month_day, pairs.b_to_a[there] <= month_day
    return graph.pagerank(size, np.concatenate((a[forth], b[back])), np.concatenate((b[forth], a[back])), rounds)


def _refresh_rank(snapshot, place, pairs, month_day, nodes, rounds):
    """The same ties, but one may since hold in its other direction too, which PageRank alone looks at."""
    there = np.minimum(pairs.a_to_b, pairs.b_to_a) <= month_day
    a, b = place[pairs.a[there]], place[pairs.b[there]]
    return {**snapshot, "pagerank_ppb": _rank(pairs, there, a, b, month_day, int(place.max()) + 1, rounds)}, place


def money_comes_back(pairs: Pairs, asking: Asking, nodes: int, most_arcs: int, shortest: int) -> np.ndarray:
    """Whether money from the applicant had come back to him over two or three others by the application's day."""
    there, back = pairs.money_a_to_b != NEVER, pairs.money_b_to_a != NEVER
    first = graph.first_cycle(
        nodes, np.concatenate((pairs.a[there], pairs.b[back])), np.concatenate((pairs.b[there], pairs.a[back])),
        np.concatenate((pairs.money_a_to_b[there], pairs.money_b_to_a[back])), most_arcs, shortest)
    return first[asking.node] <= asking.day
