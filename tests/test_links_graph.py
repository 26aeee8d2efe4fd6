"""The graph's measures: published figures, a graph library on small graphs, and nothing that depends on order or numbering."""

from collections import defaultdict

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.links import graph
from qqloan_cli.links.graph import NEVER
from qqloan_cli.links.neighbourhood import Pairs
from qqloan_cli.links.rings import SHAPES, Ties, Uses, rings


def measures(n, edges):
    """Everything undirected, of pairs (a, b)."""
    pairs = sorted({(min(a, b), max(a, b)) for a, b in edges if a != b})
    a, b = (np.array(side, np.int32) for side in zip(*pairs)) if pairs else (np.empty(0, np.int32),) * 2
    adjacency = graph.undirected(n, a, b)
    degree = np.diff(adjacency.indptr)
    return {"core": graph.cores(adjacency), "component": graph.component_sizes(n, a, b), "triangles": graph.triangles(n, a, b, degree), "degree": degree}


edge_lists = st.integers(2, 24).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=90)))


@settings(max_examples=150, deadline=None)
@given(edge_lists)
def test_undirected_measures_agree_with_networkx(case):
    n, edges = case
    whole = nx.Graph()
    whole.add_nodes_from(range(n))
    whole.add_edges_from((a, b) for a, b in edges if a != b)
    ours = measures(n, edges)
    assert ours["core"].tolist() == [nx.core_number(whole)[k] for k in range(n)]
    assert ours["triangles"].tolist() == [nx.triangles(whole)[k] for k in range(n)]
    sizes = {k: len(component) for component in nx.connected_components(whole) for k in component}
    assert ours["component"].tolist() == [sizes[k] for k in range(n)]


@settings(max_examples=50, deadline=None)
@given(edge_lists, st.randoms(use_true_random=False))
def test_numbering_changes_nothing(case, rng):
    n, edges = case
    name = list(range(n))
    rng.shuffle(name)
    plain, renamed = measures(n, edges), measures(n, [(name[b], name[a]) for a, b in reversed(edges)])
    for measure in plain:
        assert plain[measure].tolist() == renamed[measure][name].tolist()
    arcs = sorted({(a, b) for a, b in edges if a != b})
    turned = [(name[a], name[b]) for a, b in reversed(arcs)]
    assert ranks(n, arcs).tolist() == ranks(n, turned)[name].tolist()


def ranks(n, arcs):
    source, target = (np.array(side, np.int32) for side in zip(*arcs)) if arcs else (np.empty(0, np.int32),) * 2
    return graph.pagerank(n, source, target)


@settings(max_examples=60, deadline=None)
@given(edge_lists)
def test_pagerank_in_fixed_point_is_pagerank(case):
    """After 20 rounds all but 0.85^20 of the way is gone; rounding down loses a few billionths a round and node."""
    n, edges = case
    arcs = sorted({(a, b) for a, b in edges if a != b})
    rank, out = [1 / n] * n, defaultdict(list)
    for a, b in arcs:
        out[a].append(b)
    for _ in range(20):
        spare = sum(rank[k] for k in range(n) if not out[k])
        rank = [0.15 / n + 0.85 * (spare / n + sum(rank[a] / len(out[a]) for a in out if k in out[a])) for k in range(n)]
    assert np.abs(ranks(n, arcs) - np.array(rank) * 1e9).max() < 20
    if arcs:
        library = nx.pagerank(nx.DiGraph([*arcs, *((k, k) for k in ())]) if len({k for arc in arcs for k in arc}) == n else _with_all(n, arcs), max_iter=500, tol=1e-12)
        assert sum(abs(ranks(n, arcs)[k] / 1e9 - library[k]) for k in range(n)) < 2 * 0.85**20


def _with_all(n, arcs):
    whole = nx.DiGraph()
    whole.add_nodes_from(range(n))
    whole.add_edges_from(arcs)
    return whole


@settings(max_examples=200, deadline=None)
@given(st.integers(3, 9).flatmap(lambda n: st.tuples(
    st.just(n), st.dictionaries(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), st.integers(1, 20), max_size=30), st.sampled_from([2, 3]))))
def test_money_that_comes_back_is_found_on_its_first_day(case):
    n, arcs, shortest = case
    arcs = {arc: day for arc, day in arcs.items() if arc[0] != arc[1]}
    expected = [NEVER] * n
    for cycle in nx.simple_cycles(nx.DiGraph(list(arcs)), length_bound=4):
        if len(cycle) >= shortest:
            known = max(arcs[(a, b)] for a, b in zip(cycle, cycle[1:] + cycle[:1]))
            for k in cycle:
                expected[k] = min(expected[k], known)
    source, target = (np.array([arc[side] for arc in arcs], np.int32) for side in (0, 1))
    found = graph.first_cycle(n, source, target, np.array(list(arcs.values()), np.int32), most_arcs=50, shortest=shortest)
    assert found.tolist() == expected


def test_a_shop_lies_on_no_cycle_but_what_was_known_before_it_became_one_stays():
    """0 pays 1, 1 pays 2, 2 pays 0 on day 5; from day 9 on 0 pays ten more."""
    cycle, crowd = [(0, 1), (1, 2), (2, 0)], [(0, k) for k in range(3, 13)]

    def first(days):
        source, target = (np.array(side, np.int32) for side in zip(*cycle, *crowd))
        return graph.first_cycle(13, source, target, np.array(days, np.int32), most_arcs=4)

    assert first([5] * 3 + [9] * 10)[:3].tolist() == [5, 5, 5]
    assert first([9] * 3 + [5] * 10)[:3].tolist() == [NEVER] * 3


EDGE = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9), st.booleans(), st.booleans(), st.booleans()).filter(lambda edge: edge[0] != edge[1])


@given(st.lists(EDGE, max_size=30))
def test_a_pair_knows_the_first_day_of_each_direction(edges):
    """Edge by edge: source, target, day, whether a tie, whether it holds both ways, whether money."""
    first = {}
    for source, target, day, tie, both_ways, money in edges:
        found = first.setdefault((min(source, target), max(source, target)), [NEVER] * 4)
        for at, said, way in ((0, tie, source < target), (1, tie, source > target), (2, money, source < target), (3, money, source > target)):
            if said and (both_ways or way):
                found[at] = min(found[at], day)
    columns = list(zip(*edges)) or [()] * 6
    pairs = Pairs.of(*(np.array(column, kind) for column, kind in zip(columns, (np.int32, np.int32, np.int32, bool, bool, bool))))
    assert {(a, b): days for a, b, *days in zip(*(column.tolist() for column in pairs))} == first


def test_the_published_figures_of_facebook(shared):
    """SNAP ego-Facebook: 4,039 nodes in one component, 1,612,010 triangles, average clustering 0.6055."""
    edges = np.loadtxt(shared / "data" / "facebook" / "facebook_combined.txt", dtype=np.int32)
    n = int(edges.max()) + 1
    ours = measures(n, edges.tolist())
    degree = ours["degree"].astype(np.int64)
    possible = degree * (degree - 1) // 2
    clustering = np.divide(ours["triangles"], possible, out=np.zeros(n), where=possible > 0)
    assert (n, len(edges), int(ours["component"].max())) == (4039, 88234, 4039)
    assert int(ours["triangles"].sum()) // 3 == 1_612_010
    assert round(float(clustering.mean()), 4) == 0.6055
    assert int(ours["core"].max()) == 115


def test_a_signed_directed_network_against_the_library(shared):
    """bitcoin_otc: 5,881 traders, 35,592 ratings in both directions."""
    ratings = np.loadtxt(shared / "data" / "bitcoin_otc" / "soc-sign-bitcoinotc.csv.gz", delimiter=",", usecols=(0, 1), dtype=np.int64)
    names, numbered = np.unique(ratings, return_inverse=True)
    arcs = numbered.reshape(ratings.shape)
    n, whole = len(names), nx.Graph(arcs.tolist())
    ours = measures(n, arcs.tolist())
    assert (n, len(arcs)) == (5881, 35592)
    triangles, core = nx.triangles(whole), nx.core_number(whole)
    assert ours["triangles"].tolist() == [triangles[k] for k in range(n)]
    assert ours["core"].tolist() == [core[k] for k in range(n)]
    library = nx.pagerank(nx.DiGraph(arcs.tolist()), max_iter=200, tol=1e-12)
    rank = graph.pagerank(n, arcs[:, 0].astype(np.int32), arcs[:, 1].astype(np.int32), rounds=60)
    assert max(abs(rank[k] / 1e9 - library[k]) for k in range(n)) < 1e-6


@pytest.mark.parametrize("shape", ["chain", "star", "clique"])
def test_shapes_that_are_hard_on_one_way_of_counting_or_another(shape):
    n = 3000 if shape != "clique" else 120
    edges = {"chain": [(k, k + 1) for k in range(n - 1)], "star": [(0, k) for k in range(1, n)], "clique": [(a, b) for a in range(n) for b in range(a)]}[shape]
    ours = measures(n, edges)
    core, triangles = {"chain": (1, 0), "star": (1, 0), "clique": (n - 1, (n - 1) * (n - 2) // 2)}[shape]
    assert set(ours["core"]) == {core} and set(ours["triangles"]) == {triangles} and set(ours["component"]) == {n}


@pytest.mark.parametrize("pairs, shape", [
    ([(0, 1)], "pair"), ([(0, 1), (1, 0), (0, 1)], "pair"), ([(0, 1), (0, 2), (3, 0)], "star"), ([(0, 1), (2, 1), (2, 3)], "chain"), ([(0, 1), (1, 2), (1, 3), (3, 4)], "tree"),
    ([(0, 1), (1, 2), (2, 0)], "mesh"), ([(0, 1), (1, 2), (2, 3), (0, 3), (1, 3)], "mesh"),
])
def test_the_shape_of_a_ring_is_that_of_its_ties_however_often_two_are_tied(pairs, shape):
    a, b = np.array(pairs).T
    days, people = np.zeros(len(a), np.int64), int(max(a.max(), b.max())) + 1
    everyone = np.arange(people)
    found = rings(people, Ties(a, b, days, days + 9), Uses(everyone, np.zeros(people, np.int64), everyone, np.ones(people, bool)))
    assert {SHAPES[number] for number in found.shape} == {shape} and set(found.size) == {people}
