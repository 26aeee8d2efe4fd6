"""A credit report read as a credit officer reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage_run import applicant, perform_stage

from qqloan_cli.policy.credit import load_credit
from qqloan_cli.stages.credit import STAGE


def report(folder: Path, accounts=(), inquiries=(), applicants=None) -> dict:
    return perform_stage(STAGE, folder, applicants=applicants or [applicant()], credit_accounts=list(accounts), credit_inquiries=list(inquiries))["credit"][0]


def account(kind: str = "consumer_loan", opened_at: str = "2023-05-01", grid: str | None = "N" * 24, **more) -> dict:
    return {"applicant_id": "P1", "opened_at": opened_at, "kind": kind, "lender": "甲银行", "limit_fen": 10_000_000, "balance_fen": 4_000_000,
            "grid_24m": grid, **more}


@pytest.mark.parametrize("grid, worst, months, in_a_row, now, bad", [
    ("N" * 24, 0, 0, 0, False, False),
    ("N" * 21 + "123", 90, 3, 3, True, False),       # three in a row, still running
    ("NN1NN1NN1NN1NN1NN1NNNNNN", 30, 6, 1, False, False),  # six in all, never two in a row
    ("N" * 16 + "1234567B", 181, 7, 7, False, True),  # bad debt in the end
    ("N" * 20 + "NNNG", 0, 0, 0, False, True),
    ("N" * 20 + "NNND", 0, 0, 0, False, True),
    ("N" * 20 + "NNNZ", 0, 0, 0, False, True),
    ("/" * 12 + "*" * 6 + "NNMAC#", 0, 0, 0, False, False),
    ("N" * 10 + "1*1" + "N" * 11, 30, 2, 1, False, False),  # a month with nothing due lies between
    ("7" + "N" * 24, 0, 0, 0, False, False),         # the 25th month back is out
    ("n" * 22 + "1n", 30, 1, 1, False, False),
])
def test_repayment_codes(tmp_path, grid, worst, months, in_a_row, now, bad):
    one = report(tmp_path, [account(grid=grid)])
    assert (one["worst_dpd_24m"], one["overdue_months_24m"], one["consecutive_overdue_24m"], one["currently_overdue"], one["bad_status"]) == (
        worst, months, in_a_row, now, bad)


def test_three_in_a_row_is_of_one_account_and_six_in_all_of_all(tmp_path):
    one = report(tmp_path, [account(grid="N" * 22 + "12"), account(grid="N" * 21 + "11N", lender="乙银行"), account(grid=None)])
    assert (one["consecutive_overdue_24m"], one["overdue_months_24m"], one["worst_dpd_24m"]) == (2, 4, 60)


def test_the_column_speaks_where_no_grid_does(tmp_path):
    one = report(tmp_path, [account(grid=None, worst_dpd_24m=45), account(grid="N" * 23 + "1")])
    assert one["worst_dpd_24m"] == 45
    alone = report(tmp_path / "alone", [account(grid=None)])
    assert (alone["worst_dpd_24m"], alone["overdue_months_24m"], alone["history"]) == (None, None, "thin")


def test_debts_and_what_is_due_each_month(tmp_path):
    """Mortgage 500,000 at 4.2 % over 240 months: 3,082.85; card 20,000 of 50,000 owed: 10 %; a stated payment; a paid-off loan."""
    one = report(tmp_path, [
        account("mortgage", balance_fen=50_000_000, limit_fen=80_000_000),
        account("credit_card", balance_fen=2_000_000, limit_fen=5_000_000),
        account("consumer_loan", monthly_payment_fen=123_456),
        account("microloan", balance_fen=0, monthly_payment_fen=99_999),
        account("consumer_loan", closed_at="2025-01-01", monthly_payment_fen=500_000),
    ])
    assert abs(one["account_debt_service_fen"] - (308_285 + 200_000 + 123_456)) <= 100
    assert (one["total_balance_fen"], one["unsecured_balance_fen"]) == (56_000_000, 6_000_000)
    assert (one["revolving_limit_fen"], one["revolving_balance_fen"], one["utilisation"]) == (5_000_000, 2_000_000, 0.4)
    assert (one["credit_accounts"], one["open_accounts"]) == (5, 4)


def test_an_annuity_by_hand():
    """1 over 18 months at 15 %: 0.0125 / (1 - 1.0125^-18) = 0.062385."""
    assert load_credit(ROOT / "configs").kind["consumer_loan"].payment_ppm == pytest.approx(62_385, abs=1)


def test_an_unknown_balance_is_not_no_balance(tmp_path):
    one = report(tmp_path, [account(balance_fen=None, limit_fen=3_000_000), account("credit_card", balance_fen=None, limit_fen=2_000_000)])
    assert one["total_balance_fen"] == 3_000_000 + 1_000_000


def test_multi_lender_borrowing_counts_lenders_not_loans(tmp_path):
    loans = [account("microloan", lender=who) for who in ("A", "A", "B")] + [account("credit_card", lender="C"), account("mortgage", lender="D"),
             account("microloan", lender="E", status="closed"), account(lender=None), account(lender=None)]
    one = report(tmp_path, loans)
    assert (one["lenders_open"], one["microloans_open"]) == (4, 3)


@pytest.mark.parametrize("days_before, counts", [(0, (1, 1, 1)), (29, (1, 1, 1)), (30, (0, 1, 1)), (90, (0, 1, 1)), (91, (0, 0, 1)), (181, (0, 0, 1)), (182, (0, 0, 0)), (-1, (0, 0, 0))])
def test_inquiry_windows_to_the_day(tmp_path, days_before, counts):
    import datetime

    day = datetime.date(2026, 11, 20) - datetime.timedelta(days_before)
    one = report(tmp_path, inquiries=[{"applicant_id": "P1", "inquired_at": day, "reason": "loan_approval"}])
    assert (one["hard_inquiries_1m"], one["hard_inquiries_3m"], one["hard_inquiries_6m"]) == counts


def test_soft_inquiries_do_not_count_and_no_reason_counts_hard(tmp_path):
    asked = [{"applicant_id": "P1", "inquired_at": "2026-11-01", "reason": reason} for reason in ("own", "post_loan", "merchant_review", "card_approval", None)]
    assert report(tmp_path, inquiries=asked)["hard_inquiries_1m"] == 3


def test_nothing_later_than_the_application_is_seen(tmp_path):
    early = [applicant(applied_at="2026-03-01 08:00:00")]
    later = [account("microloan", opened_at="2026-03-02"), account(opened_at="2026-06-01", grid="7" * 24, status="bad_debt")]
    asked = [{"applicant_id": "P1", "inquired_at": "2026-03-02", "reason": "loan_approval"}]
    seen = report(tmp_path / "seen", [account()], applicants=early)
    assert report(tmp_path / "later", [account(), *later], asked, applicants=early) == seen
    still_open = report(tmp_path / "closed later", [account(closed_at="2026-06-01")], applicants=early)
    assert still_open == seen, "it was open on the day"


@pytest.mark.parametrize("accounts, history", [
    ([], "none"), ([account(opened_at="2025-11-21")], "thin"), ([account(opened_at="2025-11-20")], "full"),
    ([account(grid="/" * 20 + "NNNN")], "thin"), ([account(grid=None, worst_dpd_24m=0)], "full"),
])
def test_history_none_thin_or_full(tmp_path, accounts, history):
    assert report(tmp_path, accounts)["history"] == history


@pytest.mark.parametrize("status, bad, now", [("written_off", True, False), ("bad_debt", True, False), ("overdue", False, True), ("open", False, False), ("closed", False, False)])
def test_status(tmp_path, status, bad, now):
    one = report(tmp_path, [account(status=status)])
    assert (one["bad_status"], one["currently_overdue"]) == (bad, now)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grids=st.lists(st.text("N1234567*#CDZGBMA/", min_size=24, max_size=24), min_size=1, max_size=6))
def test_grids_agree_with_reading_them_letter_by_letter(tmp_path_factory, grids):
    people = [applicant(f"P{n}") for n in range(len(grids))]
    got = perform_stage(STAGE, tmp_path_factory.mktemp("grids"), applicants=people, credit_inquiries=[],
                        credit_accounts=[account(grid=grid, applicant_id=f"P{n}") for n, grid in enumerate(grids)])["credit"]
    for one, grid in zip(got, grids):
        runs = "".join("x" if code in "1234567" else " " for code in grid).split()
        assert one["consecutive_overdue_24m"] == max(map(len, runs), default=0)
        assert one["overdue_months_24m"] == sum(map(len, runs))
        assert one["bad_status"] == any(code in "BGDZ" for code in grid)
        assert one["worst_dpd_24m"] == max({"7": 181, "B": 181}.get(code, int(code) * 30 if code.isdigit() else 0) for code in grid)
