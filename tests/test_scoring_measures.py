"""Measures agree with figures printed elsewhere (tests/oracles/scorecard_measures.json names each source)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.errors import InputError
from qqloan_cli.policy.scale import Grade, Scale
from qqloan_cli.scoring import measures

ORACLES = {case["id"]: case for case in json.loads((Path(__file__).parent / "oracles" / "scorecard_measures.json").read_text(encoding="utf-8"))["cases"]}


def test_weight_of_evidence_of_the_age_table():
    case = ORACLES["WOE1"]
    found = measures.weight_of_evidence(case["good"], case["bad"])
    assert found.woe * 100 == pytest.approx(case["woe_x100_ln_good_over_bad"], abs=5e-4)
    assert found.iv == pytest.approx(case["iv"], abs=1e-6)


def test_an_empty_cell_counts_as_the_share_of_a_row_that_is_asked_for():
    case = ORACLES["WOE2"]
    found = measures.weight_of_evidence(case["good"], case["bad"], empty=0.99)
    assert -found.woe == pytest.approx(case["published_woe"], abs=1e-6)  # the source takes bad over good
    assert found.iv_by_bin == pytest.approx(case["published_bin_iv"], abs=1e-8)
    assert found.iv == pytest.approx(case["published_iv"], abs=1e-7)


def test_information_value_and_ks_of_the_breast_cancer_cut():
    case = ORACLES["WOE4"]
    found = measures.weight_of_evidence(case["non_event"], case["event"])
    assert found.iv == pytest.approx(case["published_iv"], abs=1e-9)
    assert found.woe[-1] == pytest.approx(case["published_woe_of_last_bin"], abs=1e-8)
    risk = np.repeat(np.arange(4), np.array(case["non_event"]) + np.array(case["event"]))
    bad = np.concatenate([np.repeat([0, 1], [n, e]) for n, e in zip(case["non_event"], case["event"])])
    assert measures.ks(bad, risk) == pytest.approx(case["ks_computed_here"], abs=1e-7)


def test_information_value_of_shares():
    case = ORACLES["WOE6"]
    assert measures.weight_of_evidence(case["pos_share"], case["neg_share"]).iv == pytest.approx(case["published_iv"], abs=5e-3)


@pytest.mark.parametrize("name", ["PSI1", "PSI-G12"])
def test_stability_index(name):
    case = ORACLES[name]
    assert measures.psi(case["expected"], case["actual"]).value == pytest.approx(case["psi"], abs=1e-6)


def test_an_empty_bin_is_filled_said_and_named():
    case = ORACLES["PSI-G12"]
    found = measures.psi(case["expected"], case["actual"])
    assert math.isfinite(found.value)
    assert (found.fill, found.new, found.empty) == (case["fill"], (3,), ())


def test_the_fill_can_be_smaller_than_the_smallest_real_share():
    case = ORACLES["PSI3"]
    assert measures.psi(case["expected_counts"], case["actual_counts"]).value == pytest.approx(case["with_fill_1e_4"], abs=1e-7)
    assert measures.psi(case["expected_counts"], case["actual_counts"], fill=1e-6).value == pytest.approx(case["with_fill_tenth_of_smallest_1e_6"], abs=1e-7)


def test_a_stability_index_of_no_rows_is_refused():
    with pytest.raises(InputError, match="sample-empty"):
        measures.psi([1, 2], [0, 0])


def test_hosmer_lemeshow():
    case = ORACLES["HL2"]
    assert measures.hosmer_lemeshow(case["n"], case["observed"], case["expected"]) == pytest.approx(case["statistic"], abs=1e-6)


@pytest.mark.parametrize("name", ["SC1", "SC3"])
def test_points_to_double_the_odds(name):
    case = ORACLES[name]
    scale = Scale(
        base_score=case["points"], base_odds=case["good_bad_odds"], points_to_double=case["pdo"], lowest=0, highest=1000, most_reasons=4,
        reason_at_least_points=1, decides="champion", drift_amber=0.1, drift_red=0.25, grades=[Grade(grade="A", pd_below=1.01)],
    )
    assert scale.factor == pytest.approx(case["factor"], abs=1e-6)
    assert scale.offset == pytest.approx(case["offset"], abs=1e-6)
    for odds, points in case.get("scores", {}).items():
        assert scale.points(-math.log(float(odds))) == pytest.approx(points, abs=5e-3)
    for pd, points in case.get("score_of_pd", {}).items():
        assert scale.points(math.log(float(pd) / (1 - float(pd)))) == pytest.approx(points, abs=1e-6)
        assert scale.pd(points) == pytest.approx(float(pd), abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_ranked_right(rows):
    bad, risk = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    if bad.min() == bad.max():
        with pytest.raises(InputError):
            measures.auc(bad, risk)
        return
    pairs = [(r > s) + (r == s) / 2 for b, r in zip(bad, risk) if b for c, s in zip(bad, risk) if not c]
    assert measures.auc(bad, risk) == pytest.approx(np.mean(pairs))
    assert measures.gini(bad, risk) == pytest.approx(2 * np.mean(pairs) - 1)
    again = np.repeat(np.arange(len(bad)), 3)
    assert measures.auc(bad, risk, np.full(len(bad), 3)) == pytest.approx(measures.auc(bad[again], risk[again]))


def test_a_constant_that_is_the_bad_rate_is_calibrated():
    """Equal probabilities stand in one bin, so the order of rows cannot make an error out of nothing."""
    bad = np.array([1] * 5 + [0] * 15)
    assert measures.ece(bad, np.full(20, 0.25)) == 0
    assert measures.brier(bad, np.full(20, 0.25)) == pytest.approx(0.1875)
    assert measures.log_loss(bad, np.full(20, 0.25)) == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))


def test_calibration_line_sees_overconfidence():
    rng = np.random.default_rng(1)
    z = rng.normal(-1, 1, 40_000)
    bad = rng.random(40_000) < 1 / (1 + np.exp(-z))
    slope, intercept = measures.calibration_line(bad, 1 / (1 + np.exp(-2 * z)))
    assert (slope, intercept) == (pytest.approx(0.5, abs=0.03), pytest.approx(0, abs=0.05))
