"""The graph's measures on ten million ties of two million people, in whole columns: seconds, memory, and a graph library beside. A JSON line.

    python tests/benchmarks/bench_graph.py [--edges 10000000] [--people 2000000]

Half of the ties are within circles of fifty people, the rest across, some people hold many. networkx takes the same measures on a
hundredth of it, in the same process; its figures must be the same there.
"""

from __future__ import annotations

import argparse
import datetime
import json
import resource
import time

import networkx as nx
import numpy as np

from qqloan_cli.links.graph import component_sizes, cores, pagerank, triangles, undirected


def graph(people: int, edges: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pairs a < b."""
    rng = np.random.default_rng(seed)
    pairs = np.zeros(0, np.int64)
    while len(pairs) < edges:
        n = edges - len(pairs) + edges // 20
        a = (people * rng.random(n) ** 1.5).astype(np.int64)
        b = np.where(rng.random(n) < 0.5, a // 50 * 50 + rng.integers(0, 50, n), rng.integers(0, people, n)) % people
        low, high = np.minimum(a, b), np.maximum(a, b)
        pairs = np.unique(np.concatenate([pairs, (low << 32 | high)[low < high]]))
    pairs = np.sort(rng.permutation(pairs)[:edges])
    return (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)


def measured(n: int, a: np.ndarray, b: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    found, seconds = {}, {}

    def take(name: str, function):
        started = time.perf_counter()
        found[name] = function()
        seconds[name] = round(time.perf_counter() - started, 2)

    take("component", lambda: component_sizes(n, a, b))
    adjacency = undirected(n, a, b)
    take("core", lambda: cores(adjacency))
    degree = np.diff(adjacency.indptr)
    take("triangles", lambda: triangles(n, a, b, degree))
    take("pagerank", lambda: pagerank(n, np.concatenate([a, b]), np.concatenate([b, a])))
    return found, seconds


def same_as_networkx(n: int, a: np.ndarray, b: np.ndarray) -> tuple[bool, float, float]:
    ours, seconds = measured(n, a, b)
    g = nx.Graph()
    g.add_nodes_from(range(n))
    g.add_edges_from(zip(a.tolist(), b.tolist()))
    started = time.perf_counter()
    sizes = {node: len(part) for part in nx.connected_components(g) for node in part}
    core, corners, rank = nx.core_number(g), nx.triangles(g), nx.pagerank(g, alpha=0.85, max_iter=200, tol=1e-12)
    theirs = time.perf_counter() - started
    same = all((ours[name] == np.array([peer[node] for node in range(n)])).all() for name, peer in (("component", sizes), ("core", core), ("triangles", corners)))
    near = np.abs(ours["pagerank"] / 1e9 - np.array([rank[node] for node in range(n)])).max() < 2e-6  # twenty rounds in whole billionths
    return bool(same and near), theirs, sum(seconds.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--people", type=int, default=2_000_000)
    chosen = parser.parse_args()
    a, b = graph(chosen.people, chosen.edges)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found, seconds = measured(chosen.people, a, b)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    small = max(chosen.people // 100, 10), max(chosen.edges // 100, 10)
    agrees, theirs, ours = same_as_networkx(small[0], *graph(*small))
    print(json.dumps({
        "bench": "graph", "date": datetime.date.today().isoformat(), "people": chosen.people, "edges": len(a), "seconds": seconds, "seconds_in_all": round(sum(seconds.values()), 2),
        "triangles": int(found["triangles"].sum()) // 3, "largest_core": int(found["core"].max()), "largest_component": int(found["component"].max()),
        "gb_with_the_edges_made": round(before, 2), "gb": round(memory, 2), "a_hundredth": {"networkx_seconds": round(theirs, 2), "ours_seconds": round(ours, 3), "ratio": round(theirs / ours, 1), "agree": agrees},
    }))


if __name__ == "__main__":
    main()
