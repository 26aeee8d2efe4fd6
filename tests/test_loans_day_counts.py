"""Parts of a year: as conventions have them, and as banks and libraries print them."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from qqloan_cli.loans.contract import Contract
from qqloan_cli.loans.cost import cost
from qqloan_cli.loans.day_counts import DAY_COUNTS, TIME_COUNTS, us_unit_periods
from qqloan_cli.loans.instalments import instalments

ORACLES = json.loads((ROOT / "tests/oracles/day_counts.json").read_text(encoding="utf-8"))
DATES = st.dates(datetime.date(1999, 1, 1), datetime.date(2035, 12, 31))


@pytest.mark.parametrize("case", ORACLES["cases"], ids=lambda case: case["id"])
def test_as_printed_elsewhere(case):
    start, end = (datetime.date.fromisoformat(case[side]) for side in ("start", "end"))
    wanted = sum(Fraction(part) for part in case["expected"].split("+"))
    if case["name"] == "us_months":
        whole, part = us_unit_periods(start, end)
        assert whole + part == wanted
    else:
        assert {**DAY_COUNTS, **TIME_COUNTS}[case["name"]](start, end) == wanted


@pytest.mark.parametrize("principal", ORACLES["daily_interest"]["rows"])
def test_a_bank_s_table_of_interest_by_days(principal):
    """One repayment after so many days, interest cut down to the yen."""
    table = ORACLES["daily_interest"]
    for days, wanted in zip(table["days"], table["rows"][principal]):
        contract = Contract.model_validate({"principal": principal, "instalments": 1, "start": "2026-01-05", "every": f"{days} days",
                                            **{name: table[name] for name in ("annual_rate", "day_count", "interest_rounding", "interest_unit")}})
        assert instalments(contract)[0].interest == wanted, days


def test_rate_factors_of_a_library():
    factors, rate = ORACLES["rate_factors"], Decimal(ORACLES["rate_factors"]["annual_rate"])
    months = [datetime.date(2024, month, 1) for month in range(1, 8)]
    for name, convention in (("act_365", "act/365"), ("act_act", "act/act")):
        for start, end, wanted in zip(months, months[1:], factors[name]):
            share = DAY_COUNTS[convention](start, end)
            assert round(rate * share.numerator / share.denominator, 12) == Decimal(wanted)


@given(DATES, DATES)
def test_every_convention_grows_with_time_and_nearly_agrees_with_the_others(a, b):
    start, end = sorted((a, b))
    real = (end - start).days / 365.25
    for name, share in {**DAY_COUNTS, **TIME_COUNTS}.items():
        assert share(start, start) == 0 and 0 <= share(start, end)
        assert abs(float(share(start, end)) - real) <= real * 0.016 + 4 / 360, name
    whole, part = us_unit_periods(start, end)
    assert 0 <= part < Fraction(31, 30) and abs(float(whole + part) / 12 - real) < 0.01


def test_one_loan_by_every_measure_of_time():
    """The directive's and Regulation Z's figures of a loan with monthly instalments and a long first period."""
    base = {"principal": "12000", "annual_rate": "0.12", "instalments": 12, "start": "2026-01-15", "first_due": "2026-03-01"}
    found = {name: cost(Contract.model_validate({**base, "time_count": name})).dated for name in (*TIME_COUNTS, "us_months")}
    assert all(0.11 < rate < 0.14 for rate in found.values()) and found["us_months"] == pytest.approx(0.12, abs=1e-3)
    assert found["eu_months"] == pytest.approx(found["act/365"], abs=2e-3) and len({round(rate, 6) for rate in found.values()}) > 3
