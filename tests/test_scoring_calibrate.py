"""A calibration makes probabilities mean what they say, and never changes who is riskier than whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.errors import ConfigError
from qqloan_cli.scoring.calibrate import METHODS, apply, choose, fit, held_log_odds, probability
from qqloan_cli.scoring.logistic import logistic


def _made(n=8_000, seed=5, bend=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    margin = rng.normal(-1.5, 1.2, n)
    bad = rng.random(n) < 1 / (1 + np.exp(-(bend * margin + shift)))
    return margin, bad.astype(float)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(METHODS), st.integers(0, 20), st.floats(-0.5, 2.5), st.lists(st.floats(-30, 30), min_size=2, max_size=30))
def test_a_higher_margin_never_gets_a_lower_probability(method, seed, bend, margins):
    margin, bad = _made(400, seed, bend)
    if bad.min() == bad.max():
        return
    pd = probability(apply(fit(method, margin, bad), np.sort(margins)))
    assert (np.diff(pd) >= 0).all()
    assert (pd > 0).all() and (pd < 1).all()


def test_what_is_calibrated_already_is_left_as_it_is_or_hardly_moved():
    margin, bad = _made()
    calibration, losses = choose(margin, bad, np.arange(len(bad)) % 5)
    assert np.abs(probability(apply(calibration, margin)) - 1 / (1 + np.exp(-margin))).max() < 0.05
    assert losses["none"] <= min(losses.values()) * 1.001


def test_overconfident_margins_are_drawn_in():
    margin, bad = _made(bend=0.5, shift=0.4)
    calibration, losses = choose(margin, bad, np.arange(len(bad)) % 5)
    assert calibration["method"] != "none" and losses[calibration["method"]] < losses["none"]
    told = probability(apply(calibration, np.array([-3.0, 0.0])))
    assert told == pytest.approx([1 / (1 + np.exp(1.1)), 1 / (1 + np.exp(-0.4))], abs=0.03)


def test_a_margin_that_ranks_nothing_is_not_turned_round():
    margin, bad = _made(bend=-1.0)
    assert fit("platt", margin, bad)["method"] == "none"


def test_the_regression_has_the_root_of_its_equations():
    rng = np.random.default_rng(2)
    x, bad = rng.normal(size=(500, 3)), rng.integers(0, 2, 500).astype(float)
    beta = logistic(x, bad)
    design = np.column_stack([x, np.ones(500)])
    assert design.T @ (1 / (1 + np.exp(-design @ beta)) - bad) == pytest.approx(np.zeros(4), abs=1e-3)


def test_outcomes_that_can_be_told_apart_wholly_do_not_run_away():
    margin = np.linspace(-2, 2, 50)
    assert np.isfinite(logistic(margin[:, None], (margin > 0).astype(float))).all()


def test_each_fold_is_judged_by_a_calibration_that_did_not_see_it():
    margin, bad = _made(300)
    fold = np.arange(300) % 3
    z = held_log_odds("platt", margin, bad, fold)
    turned = bad.copy()
    turned[fold == 1] = 1 - turned[fold == 1]
    assert (held_log_odds("platt", margin, turned, fold)[fold == 1] == z[fold == 1]).all()


def test_an_unknown_method_is_refused():
    with pytest.raises(ConfigError, match="calibration-unknown"):
        apply({"method": "magic"}, np.zeros(1))


def test_venn_abers_agrees_with_the_library_at_its_own_points():
    """tests/oracles/venn_abers.json: few enough rows that nothing is gathered into groups."""
    import json
    from pathlib import Path

    case = json.loads((Path(__file__).parent / "oracles/venn_abers.json").read_text(encoding="utf-8"))
    p = np.array(case["p"])
    margin = np.log(p / (1 - p))
    found = fit("venn_abers", margin, np.array(case["bad"], float))
    at = np.searchsorted(np.round(margin, 6), np.round(found["margin"], 6))
    assert len(at) > 50 and np.abs(1 / (1 + np.exp(-np.array(found["log_odds"]))) - np.array(case["calibrated"])[at]).max() < 1e-6
