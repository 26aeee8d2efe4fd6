"""The all-in annual cost against figures from elsewhere, and against what it means."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st
from qqloan_cli.loans.annual_cost import actuarial, effective, irr, monthly_rate, nominal, rate_of
from qqloan_cli.loans.pricing import NO_CAP, cost, price
from qqloan_cli.loans.schedule import EQUAL_INSTALMENT, INTEREST_ONLY, Terms, schedule

ORACLE = json.loads((Path(__file__).parent / "oracles" / "annual_cost.json").read_text(encoding="utf-8"))


def ids(cases):
    return [case["id"] for case in cases]


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize("case", ORACLE["periodic"], ids=ids(ORACLE["periodic"]))
def test_periodic_rates(case):
    flows = case["flows"] if isinstance(case["flows"], list) else [case["flows"]["first"]] + [case["flows"]["then"]] * case["flows"]["times"]
    rate = irr(np.array([flows]))[0]
    if case["rate"] is None:
        assert np.isnan(rate)  # a clear "no rate", not 0
    else:
        assert rate == pytest.approx(case["rate"], abs=1e-9)


@pytest.mark.parametrize("case", ORACLE["dated"], ids=ids(ORACLE["dated"]))
def test_dated_rates_by_actual_days_over_365(case):
    dates = [datetime.date.fromisoformat(day) for day, _ in case["flows"]]
    years = np.array([[(day - dates[0]).days / 365 for day in dates]])
    assert irr(np.array([[amount for _, amount in case["flows"]]]), years)[0] == pytest.approx(case["rate"], abs=2e-10)


@pytest.mark.parametrize("case", ORACLE["actuarial"]["cases"], ids=ids(ORACLE["actuarial"]["cases"]))
def test_regulation_z_actuarial_rates(case):
    paid = np.array([float(amount) for times, amount in case["payments"] for _ in range(times)])
    whole = case["t"] + np.arange(len(paid))
    rate = actuarial(case["advance"], paid, whole, np.full(len(paid), float(Fraction(case["f"])))) * case["per_year"] * 100
    assert rate == pytest.approx(case["computed_pct"], abs=1e-5)
    if case["published_pct"] is not None:
        assert rate == pytest.approx(case["published_pct"], abs=0.0051)


@pytest.mark.parametrize("case", ORACLE["effective"], ids=ids(ORACLE["effective"]))
def test_effective_annual_rates(case):
    times = np.array([[float(time) for time in case["times_in_years"]]])
    assert irr(np.array([case["flows"]]), times)[0] * 100 == pytest.approx(case["pct"], abs=1e-5)


@pytest.mark.parametrize("case", ORACLE["instalment_fee"]["cases"], ids=ids(ORACLE["instalment_fee"]["cases"]))
def test_a_fee_a_month_on_the_first_principal_costs_nearly_twice_what_it_says(case):
    """12,000 over 12 months at 0.6 % a month of the first principal: 7.2 % stated, 13.03 % by IRR x 12, 13.84 % effective."""
    principal = case["principal"] * 100
    fee = int(principal * Fraction(case["monthly_fee_on_first_principal"]))
    plan = schedule(Terms(ints(principal), ints(0), ints(case["instalments"]), ints(EQUAL_INSTALMENT), ints(fee), ints(0)))
    assert (plan.payment_fen == round(float(case["monthly_payment"]) * 100)).all()
    monthly = monthly_rate(plan)
    assert monthly[0] * 100 == pytest.approx(float(case["irr_month_pct"]), abs=1e-8)
    assert nominal(monthly)[0] * 100 == pytest.approx(float(case["irr_x12_pct"]), abs=1e-6)
    assert effective(monthly)[0] * 100 == pytest.approx(float(case["effective_annual_pct"]), abs=1e-6)


def test_a_short_and_costly_loan_has_its_rate():
    """1,000.00 lent less 30.00 fee, 1,005.00 back after 7 days: 534.898 % effective, 188.14 % simple (both act/365)."""
    case = ORACLE["short_and_costly"]
    received, years = case["lent"] - case["fee_at_drawdown"], case["after_days"] / 365
    rate = irr(np.array([[received, -case["back"]]]), np.array([[0, years]]))[0]
    assert rate * 100 == pytest.approx(case["effective_annual_pct"], abs=5e-4)
    assert (case["back"] / received - 1) / years * 100 == pytest.approx(case["simple_annual_pct"], abs=5e-3)


def test_no_rate_is_said_where_there_is_none():
    assert np.isnan(irr(np.array([[1.0, 2.0, 3.0]]))[0])
    assert np.isnan(irr(np.array([[0.0, 0.0]]))[0])
    assert np.isnan(irr(np.array([[500.0, -500.0]]), np.array([[0.0, 0.0]]))[0])  # paid back the same day: every rate solves it
    assert np.isnan(rate_of(ints(100), ints(50).reshape(1, 1))[0])  # less comes back than was lent


loans = st.tuples(
    st.integers(1_000_00, 500_000_00), st.integers(0, 360_000), st.integers(1, 84), st.sampled_from([EQUAL_INSTALMENT, INTEREST_ONLY]),
    st.integers(0, 2_000), st.integers(0, 30_000),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(loans, min_size=1, max_size=20))
def test_at_its_rate_what_is_repaid_is_worth_what_was_lent(given_loans):
    principal, rate, term, method, fee_ppm, upfront_ppm = (np.array(column, np.int64) for column in zip(*given_loans))
    plan = schedule(Terms(principal, rate, term, method, principal * fee_ppm // 1_000_000, principal * upfront_ppm // 1_000_000))
    monthly = monthly_rate(plan)
    for number in range(len(principal)):
        flows = [-float(principal[number]), *map(float, plan.payment_fen[number, : term[number]])]
        assert monthly[number] == pytest.approx(pyxirr.irr(flows), abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(loans, min_size=1, max_size=20), st.sampled_from([NO_CAP, 60_000, 120_000, 154_000, 240_000]), st.booleans())
def test_no_offer_costs_more_than_its_cap(given_loans, cap, legal_is_effective):
    principal, rate, term, method, fee_ppm, upfront_ppm = (np.array(column, np.int64) for column in zip(*given_loans))
    terms = Terms(principal, rate, term, method, principal * fee_ppm // 1_000_000, principal * upfront_ppm // 1_000_000)
    priced = price(terms, np.full(len(principal), cap, np.int64), legal_is_effective, 36_000, 100)
    legal = priced.effective_ppm if legal_is_effective else priced.nominal_ppm
    assert ((legal <= cap) | priced.over_cap | (cap == NO_CAP)).all()
    assert (priced.annual_rate_ppm <= rate).all()
    assert (priced.repriced == (priced.annual_rate_ppm < rate)).all()
    assert (priced.annual_rate_ppm[priced.repriced] >= 36_000).all()
    assert (priced.annual_rate_ppm[priced.over_cap] <= 36_000).all()  # declined only at the floor, or below it from the start
    if cap == NO_CAP:
        assert not priced.repriced.any() and not priced.over_cap.any()


def test_a_repriced_loan_is_not_cut_further_than_it_must():
    """24 % nominal against 15.4 % can stay at 15.4 %, where rounding to the fen leaves it just under."""
    terms = Terms(ints(50_000_00), ints(240_000), ints(24), ints(EQUAL_INSTALMENT), ints(0), ints(0))
    priced = price(terms, ints(154_000), False, 36_000, 100)
    assert priced.annual_rate_ppm[0] == 154_000 and priced.nominal_ppm[0] == 154_000


@settings(max_examples=40, deadline=None)
@given(st.lists(loans, min_size=1, max_size=20), st.sampled_from([60_000, 120_000, 154_000, 240_000]), st.booleans(), st.sampled_from([1, 100, 2_500]))
def test_a_step_more_would_cost_more_than_the_cap(given_loans, cap, legal_is_effective, step):
    principal, rate, term, method, fee_ppm, upfront_ppm = (np.array(column, np.int64) for column in zip(*given_loans))
    terms = Terms(principal, rate, term, method, principal * fee_ppm // 1_000_000, principal * upfront_ppm // 1_000_000)
    priced = price(terms, np.full(len(principal), cap, np.int64), legal_is_effective, 36_000, step)
    cut = priced.repriced
    if not cut.any():
        return
    steps = -(-(rate - priced.annual_rate_ppm)[cut] // step)
    more = cost(replace(terms[cut], annual_rate_ppm=rate[cut] - (steps - 1) * step))[1 if legal_is_effective else 0]
    assert (more > cap).all()


def test_a_price_is_the_same_alone_and_among_many():
    generator = np.random.default_rng(7)
    many = Terms(
        generator.integers(10, 3_000, 5_000) * 10_000, generator.integers(40, 300, 5_000) * 1_000, generator.choice([1, 6, 12, 36, 60], 5_000),
        generator.choice([EQUAL_INSTALMENT, INTEREST_ONLY], 5_000), generator.integers(0, 3_000, 5_000), generator.integers(0, 9_000, 5_000),
    )
    cap = np.full(5_000, 154_000, np.int64)
    together = price(many, cap, False, 36_000, 100)
    for number in (0, 17, 4_095, 4_096, 4_999):
        alone = price(many[number:number + 1], cap[:1], False, 36_000, 100)
        for name in ("annual_rate_ppm", "nominal_ppm", "effective_ppm", "largest_payment_fen", "repriced", "over_cap"):
            assert getattr(alone, name)[0] == getattr(together, name)[number], name
