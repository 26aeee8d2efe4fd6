"""Measures of a graph over whole columns: components, cores, triangles, PageRank, cycles of money.

Nodes are 0 to n-1. Every result is an integer that depends on the graph alone:
not on the order of edges, the numbering of nodes, or the number of threads.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

RANK_TOTAL = 10**15  # PageRank's fixed point: all ranks together
DAMPING_PERCENT = 85
_PAIRS_A_BLOCK = 4_000_000  # bounds the memory of looking for triangles
NEVER = np.iinfo(np.int32).max


def _matrix(n: int, rows: np.ndarray, columns: np.ndarray) -> sparse.csr_matrix:
    """Ones at (rows, columns); pairs must be distinct. Ten million entries take 50 MB."""
    return sparse.csr_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=(n, n))


def undirected(n: int, a: np.ndarray, b: np.ndarray) -> sparse.csr_matrix:
    """Symmetric adjacency of distinct pairs ``a < b``."""
    return _matrix(n, np.concatenate((a, b)), np.concatenate((b, a)))


def component_sizes(n: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Nodes of each node's connected component, int32, of distinct pairs ``a``, ``b``."""
    count, label = csgraph.connected_components(_matrix(n, a, b), directed=False)
    return np.bincount(label, minlength=count).astype(np.int32)[label]


def _neighbours(adjacency: sparse.csr_matrix, nodes: np.ndarray) -> np.ndarray:
    """The neighbours of ``nodes``, one after the other, with repeats."""
    start, stop = adjacency.indptr[nodes], adjacency.indptr[nodes + 1]
    lengths = stop - start
    ends = np.cumsum(lengths)
    if not len(ends) or not ends[-1]:
        return np.empty(0, adjacency.indices.dtype)
    at = np.arange(ends[-1], dtype=np.int64) + np.repeat(start - (ends - lengths), lengths)
    return adjacency.indices[at]


def cores(adjacency: sparse.csr_matrix) -> np.ndarray:
    """k of the largest k-core of each node, int32, by peeling whole layers of nodes whose degree is used up."""
    degree = np.diff(adjacency.indptr).astype(np.int32)
    core = np.zeros(len(degree), np.int32)
    left = np.arange(len(degree), dtype=np.int32)
    k = 0
    while len(left):
        left = left[degree[left] >= 0]
        if not len(left):
            break
        k = max(k, int(degree[left].min()))
        layer = left[degree[left] <= k]
        while len(layer):
            core[layer] = k
            degree[layer] = -1
            touched = _neighbours(adjacency, layer)
            touched = touched[degree[touched] >= 0]
            if len(touched) > len(degree) // 8:  # cheaper to count everywhere than to sort
                degree -= np.bincount(touched, minlength=len(degree)).astype(np.int32)
                layer = left[(degree[left] >= 0) & (degree[left] <= k)] if len(touched) else touched
            else:
                touched, lost = np.unique(touched, return_counts=True)
                degree[touched] -= lost.astype(np.int32)
                layer = touched[degree[touched] <= k]
            # a removed node's own -1 is never lowered: it was filtered out of ``touched``
    return core


def triangles(n: int, a: np.ndarray, b: np.ndarray, degree: np.ndarray) -> np.ndarray:
    """Triangles at each node, int64; ``a``, ``b`` distinct pairs in any orientation.

    Every edge leaves the end with fewer neighbours, so a hub has few edges out
    of it, and a triangle is a pair of edges out of one node whose other ends
    are joined. The pairs to look at are at worst edges times the square root of
    edges, and on graphs of people a few an edge.
    """
    count = np.zeros(n, np.int64)
    if not len(a):
        return count
    node = np.argsort(degree, kind="stable").astype(np.int32)  # by place in the order
    place = np.empty(n, np.int32)
    place[node] = np.arange(n, dtype=np.int32)
    low, high = place[a], place[b]
    keys = np.minimum(low, high).astype(np.int64)
    keys <<= 32
    keys |= np.maximum(low, high)
    keys.sort()
    del low, high
    tail, head = (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)
    last = np.searchsorted(tail, np.arange(n, dtype=np.int32), side="right").astype(np.int32)  # end of the edges out of each node
    later = last[tail] - np.arange(1, len(keys) + 1, dtype=np.int32)  # pairs that each edge makes with the edges after it
    joined = _Bits(keys)
    work = np.concatenate(([0], np.cumsum(later, dtype=np.int64)))
    start = 0
    while start < len(keys):
        stop = max(start + 1, int(np.searchsorted(work, work[start] + _PAIRS_A_BLOCK, side="right")) - 1)
        lengths = later[start:stop]
        first = np.repeat(np.arange(start, stop, dtype=np.int64), lengths)
        second = first + 1 + np.arange(len(first), dtype=np.int64) - np.repeat(work[start:stop] - work[start], lengths)
        third = (head[first].astype(np.int64) << 32) | head[second]
        found = np.flatnonzero(joined.maybe(third))
        found = found[keys[np.minimum(np.searchsorted(keys, third[found]), len(keys) - 1)] == third[found]]
        first, second = first[found], second[found]
        for corner in (tail[first], head[first], head[second]):
            count += np.bincount(corner, minlength=n)
        start = stop
    return count[place]


class _Bits:
    """Tells of most keys that they are not in a set, and is never wrong when it does."""

    def __init__(self, keys: np.ndarray) -> None:
        self.shift = np.uint64(64 - max(10, int(len(keys) * 4).bit_length()))
        self.seen = np.zeros(1 << (64 - int(self.shift)), bool)
        self.seen[self._slot(keys)] = True

    def _slot(self, keys: np.ndarray) -> np.ndarray:
        slot = keys.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        slot >>= self.shift
        return slot.view(np.int64)

    def maybe(self, keys: np.ndarray) -> np.ndarray:
        return self.seen[self._slot(keys)]


def pagerank(n: int, source: np.ndarray, target: np.ndarray, rounds: int = 20) -> np.ndarray:
    """PageRank in billionths of the whole, int32, over distinct arcs ``source -> target``, after so many rounds.

    Fixed point: each round divides and rounds down in integers, so no order of
    adding changes it. What a node without arcs out holds goes to all alike.
    """
    out = np.bincount(source, minlength=n)
    shape = _matrix(n, target, source)
    inward = sparse.csr_matrix((np.ones(len(source), np.int64), shape.indices, shape.indptr), shape=(n, n))
    rank = np.full(n, RANK_TOTAL // n, np.int64)
    dangling, divisor = out == 0, np.maximum(out, 1)
    for _ in range(rounds):
        even = ((100 - DAMPING_PERCENT) * (RANK_TOTAL // 100) + DAMPING_PERCENT * (int(rank[dangling].sum()) // 100)) // n
        rank = even + DAMPING_PERCENT * (inward @ (rank // divisor)) // 100
    return (rank // (RANK_TOTAL // 10**9)).astype(np.int32)


def first_cycle(n: int, source: np.ndarray, target: np.ndarray, day: np.ndarray, most_arcs: int, shortest: int = 3) -> np.ndarray:
    """The first day on which money from a node comes back to it over two or three others; NEVER where it does not.

    ``source -> target`` distinct arcs, ``day`` int32. Who pays, or is paid by,
    more than ``most_arcs`` is a shop or a till: his arcs count only as long as
    he was not, so a later arc never changes an earlier day, and the work is
    bounded. Money that comes straight back (``shortest`` 2 counts it) is how
    friends share a bill.
    """
    first = np.full(n, NEVER, np.int32)
    keep = (source != target) & (day < _crowded_from(n, source, day, most_arcs)[source]) & (day < _crowded_from(n, target, day, most_arcs)[target])
    source, target, day = source[keep], target[keep], day[keep]
    if len(source):  # what is no part of a strongly connected component lies on no cycle
        count, label = csgraph.connected_components(_matrix(n, source, target), directed=True, connection="strong")
        inside = label[source] == label[target]
        source, target, day = source[inside], target[inside], day[inside]
    if not len(source):
        return first
    arcs = (source.astype(np.int64) << 32) | target
    order = np.argsort(arcs)
    arcs, source, target, day = arcs[order], source[order], target[order], day[order]
    begin = np.searchsorted(source, target, side="left")
    onward = np.searchsorted(source, target, side="right") - begin
    # paths a -> b -> c, each known from the later of its two days
    one = np.repeat(np.arange(len(arcs)), onward)
    two = np.repeat(begin - (np.cumsum(onward) - onward), onward) + np.arange(len(one))
    a, b, c, known = source[one], target[one], target[two], np.maximum(day[one], day[two])
    if shortest <= 2:
        np.minimum.at(first, a[a == c], known[a == c])
    open_ended = a != c
    a, b, c, known = a[open_ended], b[open_ended], c[open_ended], known[open_ended]
    back = (c.astype(np.int64) << 32) | a
    if shortest <= 3:  # a -> b -> c -> a
        at = np.minimum(np.searchsorted(arcs, back), len(arcs) - 1)
        closed = arcs[at] == back
        np.minimum.at(first, a[closed], np.maximum(known[closed], day[at[closed]]))
    # a -> b -> c and c -> d -> a with d other than b: the earliest way back, or the second where the earliest is by b
    pair = (a.astype(np.int64) << 32) | c
    returns = np.flatnonzero(_Bits(pair).maybe(back))  # most paths have no way back: sort the rest alone
    a, b, known, pair, back = a[returns], b[returns], known[returns], pair[returns], back[returns]
    if not len(a):
        return first
    order = np.lexsort((b, known, pair))
    pair, middle, when = pair[order], b[order], known[order]
    at = np.minimum(np.searchsorted(pair, back), len(pair) - 1)
    nearest = pair[at] == back
    after = np.minimum(at + 1, len(pair) - 1)
    second = nearest & (middle[at] == b)
    at = np.where(second, after, at)
    closed = nearest & (~second | ((after != len(pair)) & (pair[at] == back) & (middle[at] != b)))
    np.minimum.at(first, a[closed], np.maximum(known[closed], when[at[closed]]))
    return first


def _crowded_from(n: int, node: np.ndarray, day: np.ndarray, most: int) -> np.ndarray:
    """The day of each node's arc number ``most`` + 1; NEVER where it has no more than ``most``."""
    crowded = np.full(n, NEVER, np.int32)
    number = np.bincount(node, minlength=n)
    many = number[node] > most
    events = (node[many].astype(np.int64) << 32) | day[many]
    events.sort()
    nodes, start = np.unique(events >> 32, return_index=True)
    crowded[nodes] = events[start + most] & 0xFFFFFFFF
    return crowded
