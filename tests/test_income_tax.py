"""Gross to net, worked by hand, and what a housing-fund deposit says of pay."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from stage_run import applicant, months_before, perform_stage

from qqloan_cli.policy.tax import RateBook, Rates, load_tax, withheld
from qqloan_cli.stages.income import STAGE

BOOK = RateBook(load_tax(ROOT / "configs"))


def rates(rows: int, region: str = "440300", on: datetime.date = datetime.date(2026, 6, 1)) -> Rates:
    return Rates(BOOK, [(region, on)], np.zeros(rows, np.int64))


@pytest.mark.parametrize("taxable, tax", [
    (36_000, 1_080), (36_001, 1_080.10), (144_000, 11_880), (300_000, 43_080), (420_000, 73_080), (660_000, 145_080),
    (960_000, 250_080), (1_000_000, 268_080), (0, 0),
])
def test_tax_of_a_year_by_bracket(taxable, tax):
    """The quick deductions of the official table give the same: 144,000 x 10 % - 2,520 = 11,880."""
    assert rates(1).tax(np.array([taxable * 100]))[0] == round(tax * 100)


def test_cumulative_withholding_by_hand():
    """30,000 a month, 10.5 % insurance (3,150), 1,500 to the fund: 20,350 taxable a month after 5,000 free.

    January 20,350 x 3 % = 610.50; February 40,700 x 10 % - 2,520 = 1,550, less 610.50 = 939.50;
    March 61,050 x 10 % - 2,520 = 3,585, less 1,550 = 2,035; August 162,800 x 20 % - 16,920 = 15,640,
    less July's 142,450 x 10 % - 2,520 = 11,725: 3,915.
    """
    months = np.arange(1, 9)
    gross, fund = np.full(8, 3_000_000), np.full(8, 150_000)
    tax = withheld(rates(8), gross, fund, np.zeros(8, np.int64), months, np.zeros(8, np.int64))
    assert tax.tolist()[:3] == [61_050, 93_950, 203_500]
    assert tax[7] == 391_500
    assert tax.sum() == 1_564_000


def test_a_new_employer_begins_anew_and_nothing_is_given_back():
    gross = np.array([3_000_000, 3_000_000, 300_000, 3_000_000])
    tax = withheld(rates(4), gross, np.zeros(4, np.int64), np.array([0, 0, 0, 1]), np.array([1, 2, 3, 4]), np.zeros(4, np.int64))
    # 30,000 - 3,150 - 5,000 = 21,850: 655.50; 43,700 x 10 % - 2,520 = 1,850; a small third month lowers the sum: nothing
    assert tax.tolist() == [65_550, 119_450, 0, 65_550]


def test_a_record_that_begins_in_june_is_taxed_as_if_the_year_had_been_paid_alike():
    one = np.array([3_000_000])
    begun = withheld(rates(1), one, np.array([0]), np.array([0]), np.array([6]), np.array([5]))
    # 5 x 21,850 = 109,250: 8,405; 6 x 21,850 = 131,100: 10,590
    assert begun.tolist() == [218_500]


def test_net_pay_of_slips_that_give_gross_only(tmp_path):
    """January to June, 30,000 gross, nothing known of the fund: its highest rate, 12 %, is taken off."""
    slips = [{"applicant_id": "P1", "pay_date": day, "employer": "E", "gross_fen": 3_000_000} for day in months_before(6, 10, "2026-06")]
    got = perform_stage(STAGE, tmp_path, applicants=[applicant(applied_at="2026-06-20 09:00:00", region="440300")], payroll=slips)
    # 30,000 - 3,150 - 3,600 = 23,250 before tax, 18,250 of it taxable. Tax in January 547.50, in February 36,500 x 10 % - 2,520
    # = 1,130 less 547.50 = 582.50, and 1,825 from March on: four of six months leave 21,425 or more.
    assert got["income"][0]["payroll_income_fen"] == 2_142_500 and got["income"][0]["payroll_months"] == 6
    assert [row["amount_fen"] for row in got["income_lines"]] == [3_000_000] * 6, "a line says what it says: gross"
    first_two = perform_stage(STAGE, tmp_path / "two", applicants=[applicant(applied_at="2026-02-20 09:00:00", region="440300")], payroll=slips)
    assert first_two["income"][0]["payroll_income_fen"] == 2_266_750 * 8 // 10, "two months of pay: the lower, in part"


def test_the_fund_base_is_a_deposit_over_the_highest_rate_never_half_a_sum():
    """Shenzhen: the employee may pay 12 % beside an employer's 5 %. 1,200 and 500: the base is at least 10,000, not 8,500 / 0.12."""
    assert rates(1).fund_base(np.array([120_000]), np.array([50_000]))[0] == 1_000_000
    assert rates(1).fund_base_most(np.array([50_000]))[0] == 1_000_000


def test_shanghai_2025_base_at_its_cap():
    """7 % of 37,302 is 2,611 a side: the deposit of the cap gives the cap, and pay may be more."""
    shanghai = rates(1, "310104", datetime.date(2025, 9, 1))
    assert shanghai.fund_base(np.array([261_100]), np.array([261_100]))[0] == 3_730_000
    assert shanghai.fund(np.array([9_000_000]))[0] == 261_114
    assert shanghai.insurance(np.array([9_000_000]))[0] == 3_730_200 * 1050 // 10_000
    before = rates(1, "310104", datetime.date(2025, 6, 1))
    assert before.fund(np.array([9_000_000]))[0] == 1_080_000, "before July 2025 no cap is known here"


def test_a_fund_base_implies_net_pay(tmp_path):
    """Base 10,000, own deposit 1,000: 10,000 - 1,050 - 1,000 = 7,950; tax on 12 x 2,950 = 35,400 x 3 % = 1,062 a year, 88.50 a month."""
    paid = [{"applicant_id": "P1", "month": day, "base_fen": 1_000_000, "personal_amount_fen": 100_000, "employer_amount_fen": 100_000}
            for day in months_before(6, 1, "2026-10")]
    got = perform_stage(STAGE, tmp_path, applicants=[applicant(region="440300")], provident_fund=paid)["income"][0]
    assert got["fund_income_fen"] == 786_150 and got["fund_months"] == 6
    assert got["income_rule"] == "fund-alone" and got["monthly_income_fen"] == 786_150


@given(low=st.integers(0, 30_000_000), more=st.integers(0, 5_000_000), fund=st.integers(0, 500_000))
def test_more_gross_never_leaves_less_net(low, more, fund):
    less, greater = rates(2).yearly_net(np.array([low, low + more]), np.array([fund, fund]))
    assert less <= greater
