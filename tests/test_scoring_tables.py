"""The tables are the ensemble: XGBoost's own margin, every row's contributions, and the same bits alone and among many."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.errors import IntegrityError
from qqloan_cli.scoring.bins import FAR, as_float32, place, shares, thresholds
from qqloan_cli.scoring.ensemble import leaves, text
from qqloan_cli.scoring.fit import Recipe, Sample, deal, grow
from qqloan_cli.scoring.tables import Tables, bins_of, summed

NAMES = ("income", "late_times", "utilisation", "never_known", "constant")
RECIPE = Recipe(bags=4, trees=60, folds=3)


def _columns(n=3_000, seed=3):
    rng = np.random.default_rng(seed)
    income = as_float32(np.exp(rng.normal(9, 0.6, n)))
    income[rng.random(n) < 0.1] = np.nan
    late, use = as_float32(rng.poisson(0.7, n)), as_float32(rng.uniform(0, 1.2, n))
    use[rng.random(n) < 0.3] = np.nan
    z = -1 - 0.8 * (np.nan_to_num(np.log(income), nan=8.5) - 9) + 0.6 * late + np.where(np.isnan(use), 1.0, use) * late
    bad = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(np.float32)
    return [income, late, use, np.full(n, np.nan, np.float32), np.ones(n, np.float32)], bad


@pytest.fixture(scope="module")
def made():
    columns, bad = _columns()
    cuts = tuple(thresholds(column) for column in columns)
    sample = Sample(NAMES, (-1, 1, 1, 0, 0), cuts, bins_of(columns, cuts), bad, np.arange(len(bad)))
    (document,) = grow([sample], RECIPE, seed=7, workers=2)
    parts = tuple(shares(place(column, c), c) for column, c in zip(columns, cuts))
    return columns, cuts, sample, document, Tables.collapse(document, NAMES, cuts, parts)


def _xgboost(document, columns):
    import xgboost as xgb

    booster = xgb.Booster()
    booster.load_model(bytearray(text(document).encode()))
    return booster, xgb.DMatrix(np.column_stack(columns), feature_names=list(NAMES))


def test_margin_is_xgboosts_own(made):
    columns, cuts, _, document, tables = made
    booster, matrix = _xgboost(document, columns)
    assert tables.margin(bins_of(columns, cuts)) == pytest.approx(booster.predict(matrix, output_margin=True), abs=1e-5)


def test_margin_at_the_very_thresholds_and_beside_them(made):
    """A value equal to a threshold goes right, the next smaller float32 left: in the tables as in XGBoost."""
    _, cuts, _, document, tables = made
    at = np.concatenate([[c, np.nextafter(c, -FAR), np.nextafter(c, FAR)] for c in (*cuts[0], *cuts[1], *cuts[2])]).astype(np.float32)
    columns = [np.resize(at, 400), np.resize(at[::-1], 400), np.resize(at[::3], 400), np.full(400, 5, np.float32), np.full(400, np.nan, np.float32)]
    booster, matrix = _xgboost(document, columns)
    assert tables.margin(bins_of(columns, cuts)) == pytest.approx(booster.predict(matrix, output_margin=True), abs=1e-5)


def test_contributions_add_up_to_the_margin_as_treeshaps_do(made):
    columns, cuts, _, document, tables = made
    booster, matrix = _xgboost(document, columns)
    contributions = tables.contributions(bins_of(columns, cuts))
    theirs = booster.predict(matrix, pred_contribs=True)
    assert summed(tables.constant, contributions) == pytest.approx(theirs.sum(axis=1), abs=1e-5)
    for i in range(3):
        assert np.corrcoef(contributions[i], theirs[:, i])[0, 1] > 0.95
    assert (contributions[4] == 0).all()


def test_contributions_are_measured_from_the_average_applicant(made):
    columns, cuts, _, _, tables = made
    for column, c, table in zip(columns, cuts, tables.single):
        assert shares(place(column, c), c) @ table == pytest.approx(0, abs=1e-9)


def test_merged_bags_are_the_mean_of_the_bags(made):
    _, _, sample, document, tables = made
    import dataclasses

    (lone,) = grow([sample], dataclasses.replace(RECIPE, bags=1), seed=7, workers=1)
    assert len(document["learner"]["gradient_booster"]["model"]["trees"]) > len(lone["learner"]["gradient_booster"]["model"]["trees"])
    flat = tuple(np.full(len(c) + 2, 1 / (len(c) + 2)) for c in sample.cuts)
    bags = [grow([sample], dataclasses.replace(RECIPE, bags=1), seed=7 + bag, workers=1)[0] for bag in range(RECIPE.bags)]
    mean = np.mean([Tables.collapse(bag, NAMES, sample.cuts, flat).margin(sample.bins) for bag in bags], axis=0)
    assert tables.margin(sample.bins) == pytest.approx(mean, abs=1e-6)


def test_a_feature_with_a_direction_never_moves_the_other_way(made):
    columns, cuts, _, _, tables = made
    for i, direction in ((0, -1), (1, 1), (2, 1)):
        grid = np.quantile(columns[i][~np.isnan(columns[i])], np.linspace(0, 1, 60)).astype(np.float32)
        for row in range(0, 300, 7):
            moved = [np.full(60, column[row], np.float32) for column in columns]
            moved[i] = grid
            assert (np.diff(tables.margin(bins_of(moved, cuts))) * direction >= -1e-9).all()


_number = st.one_of(st.just(float("nan")), st.floats(-1e9, 1e9, width=32), st.sampled_from([0.0, 1.0, 8000.0]))


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(*[_number] * 5), min_size=1, max_size=20), data=st.data())
def test_a_row_alone_gets_the_bits_it_gets_among_many(made, rows, data):
    _, cuts, _, _, tables = made
    columns = [np.array(values, np.float32) for values in zip(*rows)]
    at = data.draw(st.integers(0, len(rows) - 1))
    many, one = bins_of(columns, cuts), bins_of([column[at : at + 1] for column in columns], cuts)
    assert tables.margin(many)[at].tobytes() == tables.margin(one)[0].tobytes()
    assert tables.contributions(many)[:, at].tobytes() == tables.contributions(one)[:, 0].tobytes()


def test_the_number_of_workers_changes_no_bit(made):
    _, _, sample, document, _ = made
    assert text(grow([sample], RECIPE, seed=7, workers=1)[0]) == text(document)
    assert text(grow([sample], RECIPE, seed=8, workers=1)[0]) != text(document)


def test_trees_that_look_at_three_columns_are_refused(made):
    _, cuts, sample, _, _ = made
    import dataclasses

    (deep,) = grow([sample], dataclasses.replace(RECIPE, depth=4, bags=1), seed=7, workers=1)
    with pytest.raises(IntegrityError, match="model-too-deep"):
        Tables.collapse(deep, NAMES, cuts, tuple(np.full(len(c) + 2, 1 / (len(c) + 2)) for c in cuts))


def test_a_model_about_other_columns_or_thresholds_is_refused(made):
    _, cuts, _, document, _ = made
    flat = tuple(np.full(len(c) + 2, 1 / (len(c) + 2)) for c in cuts)
    with pytest.raises(IntegrityError, match="late_times"):
        Tables.collapse(document, ("income", "other", *NAMES[2:]), cuts, flat)
    moved = json.loads(text(document))
    tree = next(t for t in moved["learner"]["gradient_booster"]["model"]["trees"] if t["left_children"][0] != -1)
    tree["split_conditions"][0] = 123456.78
    with pytest.raises(IntegrityError, match="model-reference-differs"):
        Tables.collapse(moved, NAMES, cuts, flat)


def test_every_leaf_is_reached_by_a_path_that_splits(made):
    _, _, _, document, _ = made
    assert all(len(leaf.path) <= 2 for leaf in leaves(document))


@settings(max_examples=80, deadline=None)
@given(st.lists(_number, min_size=1, max_size=200), st.integers(2, 20))
def test_thresholds_part_values_and_are_few(values, most):
    column = as_float32(values)
    cuts = thresholds(column, most)
    assert len(cuts) <= most - 1 and (np.diff(cuts) > 0).all()
    placed = place(column, cuts)
    assert ((placed == len(cuts) + 1) == np.isnan(column)).all()
    for value, bin in zip(column, placed):
        if not np.isnan(value):
            assert (bin == 0 or cuts[bin - 1] <= value) and (bin == len(cuts) or value < cuts[bin])
    if len(np.unique(column[~np.isnan(column)])) <= most:
        assert len(np.unique(placed[~np.isnan(column)])) == len(np.unique(column[~np.isnan(column)]))


def test_what_is_no_number_or_too_large_is_missing():
    assert np.isnan(as_float32([np.inf, -np.inf, np.nan, 1e300])).all()
    assert list(as_float32([0.0, -1.5])) == [0.0, -1.5]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_a_persons_rows_go_to_one_part_and_parts_have_the_same_mix(seed, parts):
    rng = np.random.default_rng(seed)
    person, bad = rng.integers(0, 150, 400), (rng.random(400) < 0.3).astype(float)
    part = deal(bad, person, [1 / parts] * parts, seed)
    assert all(len(np.unique(part[person == p])) == 1 for p in np.unique(person))
    counts = [len(np.unique(person[part == k])) for k in range(parts)]
    assert max(counts) - min(counts) <= 2
