"""Tests that are looked at every night are wrong no oftener over the whole series than they say; and what pds say before outcomes are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from qqloan_cli.oversight import sequential
from qqloan_cli.scoring import expected
from qqloan_cli.scoring.measures import auc

ALPHA, MISS = 0.05, 0.01


def _series(paths: int, nights: int, rows: int, rate, seed: int) -> np.ndarray:
    """Hits of every path and night; ``rate`` is one, or one for each night."""
    return np.random.default_rng(seed).binomial(rows, np.broadcast_to(rate, (paths, nights)))


def _alarms(hits: np.ndarray, rows: int, baseline: int, tolerance: float) -> np.ndarray:
    """First night (of those tested) with an alarm, -1: none."""
    first = []
    for path in hits:
        over = np.flatnonzero(sequential.of_rate(path, np.full(len(path), rows), baseline, tolerance, MISS).evidence >= 1 / (ALPHA - MISS))
        first.append(over[0] if len(over) else -1)
    return np.array(first)


def _alarms_of_testing_every_night(hits: np.ndarray, rows: int, baseline: int) -> np.ndarray:
    before = hits[:, :baseline].sum(axis=1, keepdims=True) / (rows * baseline)
    error = np.sqrt(before * (1 - before) * (1 / rows + 1 / (rows * baseline)))
    return (np.abs(hits[:, baseline:] / rows - before) > 1.96 * error).any(axis=1)


def _at_most(alarms: int, paths: int, alpha: float) -> bool:
    """So many alarms do not speak against a chance of at most alpha (one-sided, 1 in 1,000)."""
    return stats.binom.sf(alarms - 1, paths, alpha) > 0.001


@pytest.mark.parametrize("tolerance", [0.0, 0.03])
def test_a_rate_that_stays_raises_a_false_alarm_in_at_most_five_of_a_hundred_series_however_often_one_looks(tolerance):
    rates = 0.55 if not tolerance else 0.55 + tolerance * np.where(np.arange(125) % 2, 1, -1) * (np.arange(125) >= 5)  # strays to the edge, both ways
    hits = _series(400, 125, 400, rates, 11)
    assert _at_most((_alarms(hits, 400, 5, tolerance) >= 0).sum(), 400, ALPHA)
    assert _alarms_of_testing_every_night(hits, 400, 5).mean() > 0.9, "testing every night at 5 % is nearly sure to be wrong once in 120 nights"


def test_a_rate_that_falls_is_found_within_days_even_after_months_of_quiet():
    rate = np.where(np.arange(125) < 95, 0.55, 0.43)
    first = _alarms(_series(200, 125, 400, rate, 12), 400, 5, 0.03) - 90
    assert (first >= 0).mean() > 0.97 and np.median(first[first >= 0]) <= 7


def test_outcomes_that_keep_to_their_pds_raise_no_more_false_alarms_and_worse_ones_are_found():
    rng, night = np.random.default_rng(13), np.repeat(np.arange(24), 300)
    pd = rng.beta(1, 20, len(night))
    odds = pd / (1 - pd) * 1.8
    fair = [(sequential.of_calibration(rng.random(len(pd)) < pd, pd, night, 1.0).evidence >= 1 / ALPHA).any() for _ in range(300)]
    worse = [(sequential.of_calibration(rng.random(len(pd)) < odds / (1 + odds), pd, night, 1.1).evidence >= 1 / ALPHA).any() for _ in range(50)]
    assert _at_most(sum(fair), 300, ALPHA) and np.mean(worse) > 0.95


@settings(max_examples=60, deadline=None)
@given(
    baseline=st.tuples(st.integers(0, 40), st.just(40)), rows=st.lists(st.integers(1, 4), min_size=1, max_size=3), tolerance=st.sampled_from([0.0, 0.05, 0.2]),
    within=st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_evidence_is_worth_one_yuan_on_average_at_most_whatever_the_rate_does_within_its_bounds(baseline, rows, tolerance, within):
    """Exactly, over every way that the nights can go: the supermartingale that Ville's inequality is about."""
    hits, all_rows = [baseline[0]], [baseline[1], *rows]
    low, high = sequential.of_rate([*hits, *(0 for _ in rows)], all_rows, 1, tolerance, MISS)[1:]
    p = [low + at * (high - low) for at in within]
    mean = np.zeros(len(rows))
    for way in itertools.product(*(range(n + 1) for n in rows)):
        chance = np.prod([stats.binom.pmf(x, n, rate) for x, n, rate in zip(way, rows, p)])
        mean += chance * sequential.of_rate([*hits, *way], all_rows, 1, tolerance, MISS).evidence
    assert (mean <= 1 + 1e-9).all()


@pytest.mark.parametrize("n", [1, 3, 50, 1999, 2001, 6000])
def test_the_bad_rate_to_come_has_the_quantiles_of_the_poisson_binomial(n):
    pd = np.random.default_rng(n).beta(0.5, 9, n)
    upto = np.cumsum(stats.poisson_binom(pd).pmf(np.arange(n + 1)))
    found = expected.expected_bad_rate(pd)
    assert found.value == pytest.approx(pd.mean())
    assert (round(found.lower * n), round(found.upper * n)) == (np.searchsorted(upto, 0.025), np.searchsorted(upto, 0.975))


def test_the_auc_to_come_is_the_mean_of_what_comes_and_its_interval_holds_19_of_20():
    rng = np.random.default_rng(5)
    pd = np.round(rng.beta(1, 8, 400), 3)  # ties too
    came = np.array([auc((rng.random(400) < pd).astype(float), pd) for _ in range(2000)])
    found = expected.expected_auc(pd)
    assert found.value == pytest.approx(came.mean(), abs=0.003)
    assert 0.93 < ((found.lower <= came) & (came <= found.upper)).mean() < 0.97


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=30))
def test_the_auc_to_come_is_what_counting_every_pair_gives(pds):
    pd = np.array(pds)
    pair = pd[:, None] * (1 - pd)[None, :] * ~np.eye(len(pd), dtype=bool)
    right = (pd[:, None] > pd[None, :]) + (pd[:, None] == pd[None, :]) / 2
    assert expected.expected_auc(pd).value == pytest.approx((pair * right).sum() / pair.sum())


def test_delong_counts_pairs_and_its_interval_is_that_of_its_structural_components():
    rng = np.random.default_rng(8)
    bad = rng.random(300) < 0.2
    risk = np.round(rng.normal(bad * 0.8, 1), 1)
    placed = (risk[bad][:, None] > risk[~bad][None, :]) + (risk[bad][:, None] == risk[~bad][None, :]) / 2
    error = np.sqrt(placed.mean(axis=1).var(ddof=1) / bad.sum() + placed.mean(axis=0).var(ddof=1) / (~bad).sum())
    found = expected.auc_with_interval(bad, risk)
    assert found.value == pytest.approx(auc(bad.astype(float), risk))
    assert (found.lower, found.upper) == pytest.approx((found.value - 1.959964 * error, found.value + 1.959964 * error), abs=1e-6)


def test_intervals_of_calibration_hold_what_is_true_19_times_in_20():
    rng = np.random.default_rng(4)
    pd = rng.beta(1, 12, 4000)
    held = {"slope": 0, "intercept": 0, "ratio": 0}
    for _ in range(200):
        bad = (rng.random(4000) < pd).astype(float)
        slope, intercept = expected.calibration(bad, pd)
        ratio = expected.observed_to_expected(bad, pd)
        held["slope"] += slope.lower <= 1 <= slope.upper
        held["intercept"] += intercept.lower <= 0 <= intercept.upper
        held["ratio"] += ratio.lower <= 1 <= ratio.upper
    assert all(180 <= times <= 200 for times in held.values()), held


def test_nobody_and_everybody_alike_have_no_interval_and_break_nothing():
    nothing = np.array([])
    assert np.isnan(expected.expected_auc(nothing).value) and np.isnan(expected.expected_bad_rate(nothing).value)
    assert np.isnan(expected.expected_auc([0.0, 0.0]).value) and expected.expected_bad_rate([0.0, 0.0]) == (0.0, 0.0, 0.0)
    assert expected.expected_auc([0.2, 0.2, 0.2]).value == pytest.approx(0.5)
    assert np.isnan(expected.auc_with_interval([0, 0], [0.1, 0.2]).value) and np.isnan(expected.calibration([1, 0], [0.1, 0.1])[0].value)
