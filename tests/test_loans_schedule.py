"""Schedules: exact to the fen, as printed by others, whatever the rounding."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from qqloan_cli.loans import schedule as s
from qqloan_cli.loans.schedule import METHODS, Rounding, Terms, level_payment, schedule

ORACLES = json.loads((ROOT / "tests/oracles/loan_schedules.json").read_text(encoding="utf-8"))
MODES = st.sampled_from(["half_up", "half_even", "up", "down"])


def fen(text: str) -> int:
    return int(Decimal(text) * 100)


def terms_of(case: dict) -> Terms:
    return Terms(
        np.array([fen(case["principal"])]), np.array([int(Decimal(case["annual_rate_pct"]) * 10_000)]), np.array([case["term_months"]]),
        np.array([METHODS.index(case["method"])]),
    )


def rounding_of(case: dict) -> Rounding:
    return Rounding(case["payment_rounding"], case["interest_rounding"], case["payment_unit_fen"], case["interest_unit_fen"])


@pytest.mark.parametrize("case", ORACLES["cases"], ids=lambda case: case["id"])
def test_as_printed_elsewhere(case):
    terms, rounding = terms_of(case), rounding_of(case)
    if "payment" in case:
        assert level_payment(terms, rounding)[0] == fen(case["payment"])
    made = schedule(terms, rounding)
    for row in case.get("rows", []):
        got = made.principal_fen[0, row["n"] - 1], made.interest_fen[0, row["n"] - 1]
        assert got == (fen(row["principal"]), fen(row["interest"])), row["n"]


def test_the_figures_compared_are_many():
    assert len(ORACLES["cases"]) >= 20
    assert sum(len(case.get("rows", [])) for case in ORACLES["cases"]) >= 70


@st.composite
def loans(draw, most: int = 6) -> Terms:
    n = draw(st.integers(1, most))
    column = lambda low, high: np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)), np.int64)  # noqa: E731
    return Terms(column(0, 10**9), column(0, 360_000), column(1, 60), column(0, 3), column(0, 5_000), column(0, 50_000), column(10, 50))


@given(loans(), MODES, MODES, st.sampled_from([1, 100]))
def test_principal_adds_up_and_nothing_is_negative(terms, payment, interest, unit):
    made = schedule(terms, Rounding(payment, interest, unit))
    assert (made.principal_fen.sum(axis=1) == terms.principal_fen).all()
    assert (made.fee_fen.sum(axis=1) == terms.monthly_fee_fen * terms.term_months + terms.upfront_fee_fen).all()
    assert made.principal_fen.min() >= 0 and made.interest_fen.min() >= 0
    for n, term in enumerate(terms.term_months):
        assert not made.payment_fen[n, term:].any()
        assert not made.payment_fen[n][~made.due[n]].any()


@given(loans())
def test_alone_as_among_many(terms):
    """A loan's schedule does not hang on who else is in the batch."""
    together = schedule(terms)
    for n in range(len(terms)):
        alone = schedule(terms[n:n + 1])
        term = int(terms.term_months[n])
        for name in ("principal_fen", "interest_fen", "fee_fen"):
            assert (getattr(together, name)[n, :term] == getattr(alone, name)[0]).all()


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    terms = Terms(rng.integers(1, 10**8, 500), rng.integers(0, 240_000, 500), rng.integers(1, 40, 500), rng.integers(0, 4, 500))
    whole = schedule(terms)
    monkeypatch.setattr(s, "BLOCK", 37)
    parts = schedule(terms)
    assert (whole.principal_fen == parts.principal_fen).all() and (whole.interest_fen == parts.interest_fen).all()


@given(st.integers(1, 10**10), st.integers(1, 360_000), st.integers(1, 84), MODES, st.sampled_from([1, 100]))
def test_level_instalment_is_rightly_rounded(principal, ppm, months, mode, unit):
    rate = Fraction(ppm, 12_000_000)
    exact = principal * rate * (1 + rate) ** months / ((1 + rate) ** months - 1) / unit
    whole = exact.numerator // exact.denominator
    rest = exact - whole
    up = {
        "down": False, "up": rest > 0, "half_up": rest >= Fraction(1, 2), "half_even": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1),
    }[mode]
    assert level_payment(Terms(np.array([principal]), np.array([ppm]), np.array([months])), Rounding(mode, payment_unit_fen=unit))[0] == (whole + up) * unit


def test_a_level_that_falls_on_half_a_fen_is_decided_by_whole_numbers():
    """One month at 12 %: 150 fen and 1.5 of interest, 151.5; float64 alone could say either."""
    terms = Terms(np.array([150]), np.array([120_000]), np.array([1]))
    assert [int(level_payment(terms, Rounding(mode))[0]) for mode in ("half_up", "half_even", "up", "down")] == [152, 152, 152, 151]
    terms = Terms(np.array([50]), np.array([120_000]), np.array([1]))  # 50.5
    assert [int(level_payment(terms, Rounding(mode))[0]) for mode in ("half_up", "half_even", "up", "down")] == [51, 50, 51, 50]


def test_half_a_yuan_over_many_months():
    """Apache Fineract 5206: a loan of 0.50 or less was split wrongly."""
    made = schedule(Terms(np.array([50, 50]), np.array([0, 120_000]), np.array([12, 12])))
    assert made.principal_fen.sum(axis=1).tolist() == [50, 50]
    assert made.principal_fen[0].tolist() == [4] * 11 + [6]


def test_interest_only_pays_principal_at_the_end_and_a_bullet_pays_once():
    """60,000.00 at 12 % for 6 months, 180.00 up front and 30.00 a month."""
    made = schedule(Terms(np.full(2, 6_000_000), np.array([120_000]), np.array([6]), np.array([s.INTEREST_ONLY, s.BULLET]), np.array([3_000]), np.array([18_000])))
    assert made.interest_fen[0].tolist() == [60_000] * 6
    assert made.principal_fen[0].tolist() == [0] * 5 + [6_000_000]
    assert made.fee_fen[0].tolist() == [21_000] + [3_000] * 5
    assert made.payment_fen[1].tolist() == [0] * 5 + [6_000_000 + 360_000 + 36_000]
    assert made.due.sum(axis=1).tolist() == [6, 1]


def test_an_odd_first_period_changes_the_first_interest_alone():
    """12,000.00 at 12 %, 12 months, first period of 20 days: 80.00 of interest instead of 120.00."""
    regular, odd = (schedule(Terms(np.array([1_200_000]), np.array([120_000]), np.array([12]), first_days=np.array([days]))) for days in (30, 20))
    assert (regular.principal_fen == odd.principal_fen).all()
    assert regular.interest_fen[0, 0] == 12_000 and odd.interest_fen[0, 0] == 8_000
    assert (regular.interest_fen[0, 1:] == odd.interest_fen[0, 1:]).all()


def test_agrees_with_numpy_financial():
    npf = pytest.importorskip("numpy_financial")
    rng = np.random.default_rng(1)
    terms = Terms(rng.integers(100_000, 50_000_000, 300), rng.integers(10_000, 240_000, 300), rng.choice([6, 12, 24, 36, 60], 300))
    rate = terms.annual_rate_ppm / 12e6
    assert np.abs(level_payment(terms) + npf.pmt(rate, terms.term_months, terms.principal_fen)).max() <= 0.5 + 1e-4
    made = schedule(terms)
    for month in (1, 2, 6):
        exact = -npf.ipmt(rate, month, terms.term_months, terms.principal_fen)
        assert np.abs(made.interest_fen[:, month - 1] - exact).max() <= 1.0


@pytest.mark.parametrize("wrong", [
    {"term_months": np.array([0])}, {"principal_fen": np.array([-1])}, {"method": np.array([4])}, {"annual_rate_ppm": np.array([0.12])},
    {"principal_fen": np.array([2**60])},
])
def test_terms_that_cannot_be_are_refused(wrong):
    given = {"principal_fen": np.array([1_000_000]), "annual_rate_ppm": np.array([120_000]), "term_months": np.array([12]), **wrong}
    with pytest.raises(ValueError):
        Terms(**given)


def test_no_loans_make_no_instalments():
    none = np.zeros(0, np.int64)
    assert schedule(Terms(none, none, none)).payment_fen.shape == (0, 0)
