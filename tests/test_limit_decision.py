"""The waterfall and the decision, case by case."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from limit_bucket import Bucket, case, replace

from qqloan_cli.loans.schedule import METHODS, Terms, schedule
from qqloan_cli.policy.reasons import load_reasons
from qqloan_cli.reports.waterfall import basis

YUAN = 100
STEPS = ["requested", "product", "income_multiple", "payment_to_income", "debt_to_income", "grade", "credit_history", "social", "regulation", "exposure"]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Bucket:
    return Bucket(tmp_path_factory.mktemp("limit") / "run")


def graded(grade: str, without: str | None = None, **told) -> dict:
    return case(score__grade=grade, grade_without_social=without or grade, **told)


def test_a_plain_good_case_gets_what_it_asks_for(bucket):
    row, = bucket.decide([case()])
    assert row["decision"] == "approve" and row["reason_codes"] == ["L-APPROVED"] and row["refer_to"] is None
    assert row["amount_fen"] == 50_000 * YUAN and row["term_months"] == 24 and row["binding_cap"] == "requested"
    assert float(row["annual_rate"]) == 0.06 and row["method"] == "equal_instalment"


def test_every_step_has_its_cap_what_is_left_and_its_numbers(bucket):
    """
    grade D, income 8,000.00 well shown, debts 1,500.00 a month, asks for 200,000.00 over 24 months
    income 8,000 x 12 = 96,000; payment 38 % = 3,040 a month; debt 50 % of 8,000 less 1,500 = 2,500 a month; grade 120,000; thin 150,000
    """
    row, = bucket.decide([graded("D", requested_amount_fen=200_000 * YUAN, monthly_income_fen=8_000 * YUAN, account_debt_service_fen=1_500 * YUAN,
                                 statement_debt_service_fen=900 * YUAN, history="thin")])
    steps = row["steps"]
    assert [step for step in steps] == STEPS and [s["step_no"] for s in steps.values()] == list(range(1, 11))
    assert steps["income_multiple"]["cap_fen"] == 96_000 * YUAN and steps["income_multiple"]["basis"] == "income 8,000.00 x 12"
    assert steps["payment_to_income"]["basis"] == "38 % of income 8,000.00 = 3,040.00 a month, 24 months at 12.2 % (stressed)"
    assert steps["debt_to_income"]["basis"] == "50 % of income 8,000.00 less debts 1,500.00 = 2,500.00 a month, 24 months at 10.2 %"
    assert steps["grade"]["cap_fen"] == 120_000 * YUAN and steps["credit_history"]["cap_fen"] == 150_000 * YUAN and steps["social"]["cap_fen"] is None
    assert row["binding_cap"] == "debt_to_income" and [s["step"] for s in steps.values() if s["binding"]] == ["debt_to_income"]
    assert row["reason_codes"] == ["L-APPROVED", "L-CAP-DEBT"]
    # 2,500.00 a month for 24 months at 10.2 % carries 54,079.04; in steps of 100.00.
    assert row["amount_fen"] == 54_000 * YUAN == steps["exposure"]["running_fen"] // 10_000 * 10_000
    assert row["dti"] == pytest.approx(0.5, abs=0.001) and row["dti"] <= 0.5
    plan = schedule(Terms(*(np.array([x], np.int64) for x in (row["amount_fen"], 102_000, 24, METHODS.index(row["method"])))))
    assert row["monthly_payment_fen"] == plan.payment_fen.max() <= 2_500 * YUAN


def test_the_waterfall_is_told_in_chinese_with_the_same_numbers(bucket):
    row, = bucket.decide([graded("D", requested_amount_fen=200_000 * YUAN, monthly_income_fen=8_000 * YUAN, account_debt_service_fen=1_500 * YUAN,
                                 income_confidence="medium", history="thin", social_band="weak", exposure_fen=1_000 * YUAN)])
    found = {"limit": [row], "income": [{"monthly_income_fen": 8_000 * YUAN}], "credit": [{"history": "thin", "overdue_months_24m": 0}], "social": [{"social_band": "weak"}]}
    told = {step["step"]: (basis(step, found, "zh"), step["basis"]) for step in row["steps"].values()}
    assert told["payment_to_income"][0] == "收入 7,200.00（8,000.00 的 90 %） 的 38 % = 每月 2,736.00，24 个月，压力利率 12.2 %"
    assert told["social"][0].startswith("weak：各政策上限") and told["exposure"][0].endswith("，减本机构存量 1,000.00")
    for chinese, english in told.values():
        assert sorted(re.findall(r"[0-9][0-9,.]*", chinese)) == sorted(re.findall(r"[0-9][0-9,.]*", english))


@pytest.mark.parametrize("told, binding, code, amount", [
    (dict(requested_amount_fen=400_000 * YUAN, monthly_income_fen=100_000 * YUAN, score__grade="A", grade_without_social="A", social_band="strong"), "product", "L-CAP-PRODUCT", 300_000),
    (dict(monthly_income_fen=3_000 * YUAN, score__grade="F", grade_without_social="F", term_months=60), "income_multiple", "L-CAP-INCOME", 15_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN), "grade", "L-CAP-GRADE", 250_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN, social_band="strong"), "grade", "L-CAP-GRADE", 275_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN, social_band="weak"), "social", "L-CAP-SOCIAL", 225_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN, social_band="unknown"), "grade", "L-CAP-GRADE", 250_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN, history="none"), "credit_history", "L-CAP-HISTORY", 80_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN, overdue_months_24m=1), "credit_history", "L-CAP-HISTORY", 150_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN, overdue_months_24m=4), "credit_history", "L-CAP-HISTORY", 60_000),
    (dict(monthly_income_fen=50_000 * YUAN, requested_amount_fen=290_000 * YUAN, exposure_fen=260_000 * YUAN), "regulation", "L-CAP-REGULATION", 40_000),
    (dict(requested_amount_fen=1_234_567), "requested", None, 12_300),
])
def test_the_smallest_cap_binds_and_says_so(bucket, told, binding, code, amount):
    row, = bucket.decide([case(**told)])
    assert (row["decision"], row["binding_cap"], row["amount_fen"]) == ("approve", binding, amount * YUAN)
    assert row["reason_codes"] == ["L-APPROVED", *([code] if code else [])]
    assert all(step["cap_fen"] is None or row["amount_fen"] <= step["cap_fen"] for step in row["steps"].values())


def test_the_lenders_own_exposure_binds_where_no_law_does(tmp_path):
    def edit(config: Path) -> None:
        replace(config / "limit.toml", "person_max = 500000", "person_max = 100000")

    row, = Bucket(tmp_path / "run", edit=edit).decide([case(exposure_fen=70_000 * YUAN)])
    assert (row["binding_cap"], row["amount_fen"]) == ("exposure", 30_000 * YUAN)


def test_income_that_is_shown_less_well_counts_for_less(bucket):
    rows = bucket.decide([case(income_confidence=confidence, requested_amount_fen=300_000 * YUAN) for confidence in ("high", "medium", "low")])
    caps = [row["steps"]["income_multiple"]["cap_fen"] // YUAN for row in rows]
    assert caps == [300_000, 270_000, 210_000]
    assert rows[1]["steps"]["income_multiple"]["basis"] == "income 13,500.00 (90 % of 15,000.00) x 20"


def test_the_larger_of_two_views_of_existing_debt_counts_not_their_sum(bucket):
    rows = bucket.decide([case(account_debt_service_fen=a * YUAN, statement_debt_service_fen=s * YUAN) for a, s in ((2_000, 0), (0, 2_000), (2_000, 1_999))])
    assert len({row["steps"]["debt_to_income"]["cap_fen"] for row in rows}) == 1
    # lenders whom the report does not have come on top of the report, not of the statement, which has them
    undeclared = bucket.decide([case(account_debt_service_fen=a * YUAN, undeclared_debt_service_fen=u and u * YUAN, statement_debt_service_fen=s * YUAN)
                                for a, u, s in ((2_000, 500, 700), (2_500, None, 0), (0, 700, 2_500))])
    assert len({row["steps"]["debt_to_income"]["cap_fen"] for row in undeclared}) == 1
    assert undeclared[0]["steps"]["debt_to_income"]["cap_fen"] < rows[0]["steps"]["debt_to_income"]["cap_fen"]


def test_what_is_left_below_the_products_smallest_loan_is_declined(bucket):
    """The renovation loan begins at 10,000.00; grade F on 3,100.00 a month with debts carries less."""
    row, = bucket.decide([graded("F", product="renovation_loan", purpose="renovation", monthly_income_fen=3_100 * YUAN, account_debt_service_fen=1_000 * YUAN)])
    assert row["decision"] == "decline" and row["reason_codes"] == ["L-BELOW-MINIMUM", "L-CAP-DEBT"]
    assert row["amount_fen"] is None and row["annual_rate"] is None and row["max_amount_fen"] is not None


def test_a_request_below_the_smallest_loan_is_declined_by_itself(bucket):
    row, = bucket.decide([case(requested_amount_fen=999_99)])
    assert row["reason_codes"] == ["L-BELOW-MINIMUM", "L-CAP-REQUESTED"] and row["max_amount_fen"] > 0


@pytest.mark.parametrize("asked, got, shortened", [(24, 24, False), (23, 18, True), (None, 24, False), (200, 60, True), (1, 3, False)])
def test_the_term_is_the_products_longest_that_is_not_longer_than_asked_for(bucket, asked, got, shortened):
    row, = bucket.decide([case(term_months=asked)])
    assert row["term_months"] == got and ("L-TERM-SHORTENED" in row["reason_codes"]) == shortened


def test_a_loan_ends_before_the_products_highest_age(bucket):
    """Aged 65 with 70 at the end: 60 months; the bridge loan of who is 62 already has no term."""
    rows = bucket.decide([case(verify__age_years=65, term_months=60), case(product="bridge_loan", purpose="bridge", verify__age_years=62, term_months=6)])
    assert rows[0]["term_months"] == 60 and rows[1]["decision"] == "decline" and "R-TERM-IMPOSSIBLE" in rows[1]["reason_codes"]
    assert rows[1]["max_amount_fen"] is None and rows[1]["steps"] == {}


def test_unknown_income_is_referred_never_approved_nor_declined(bucket):
    row, = bucket.decide([case(monthly_income_fen=None, income_confidence="none", income__reasons=["I-NO-EVIDENCE"])])
    assert row["decision"] == "refer" and row["refer_to"] == "income" and row["reason_codes"] == ["R-INCOME-UNKNOWN", "I-NO-EVIDENCE"]
    assert row["amount_fen"] is None and row["max_amount_fen"] == 10_000 * YUAN and row["dti"] is None
    assert row["steps"]["payment_to_income"]["cap_fen"] is None and row["steps"]["income_multiple"]["basis"] == "income unknown"


def test_a_failed_check_brings_its_own_reasons_and_a_decline_outweighs_a_referral(bucket):
    checks = [{"check": "id", "outcome": "fail", "code": "V-ID-DIGIT"}, {"check": "phone", "outcome": "refer", "code": "V-PHONE-KIND"}, {"check": "card", "outcome": "pass", "code": None}]
    row, = bucket.decide([case(verdict="fail", checks=checks, ring_alert=True)])
    assert row["decision"] == "decline" and row["reason_codes"] == ["R-VERIFY-FAIL", "V-ID-DIGIT"]
    assert row["rules_hit"] == ["R-VERIFY-FAIL", "R-RING-ALERT"] and row["refer_to"] is None


def test_a_blocklist_hit_is_its_own_decline(bucket):
    row, = bucket.decide([case(verdict="fail", checks=[{"check": "blocklist", "outcome": "fail", "code": "V-BLOCK-ID"}])])
    assert row["rules_hit"] == ["R-VERIFY-FAIL", "R-BLOCKLIST"]


def test_the_desk_is_that_of_the_weightiest_referral(bucket):
    row, = bucket.decide([case(ring_alert=True, hard_inquiries_1m=9, flags=["I-INFLATED"])])
    assert row["decision"] == "refer" and row["refer_to"] == "fraud" and row["reason_codes"] == ["R-RING-ALERT", "R-INCOME-INFLATED", "R-INQUIRIES"]
    assert row["max_amount_fen"] > 0  # the person who decides sees what the waterfall allows


def test_the_score_declines_with_its_reasons(bucket):
    row, = bucket.decide([graded("G", score__reason_codes=["M-DEBT", "M-HISTORY"])])
    assert row["decision"] == "decline" and row["reason_codes"] == ["R-GRADE", "M-DEBT", "M-HISTORY"]


def test_where_social_evidence_alone_would_decline_a_person_decides(bucket):
    """By its grade; by an offer that only the worse grade brings below the minimum; by a weak band that does; never by itself."""
    works = dict(product="renovation_loan", purpose="renovation", term_months=24, requested_amount_fen=20_000 * YUAN)
    indebted = dict(**works, monthly_income_fen=3_100 * YUAN, account_debt_service_fen=1_000 * YUAN)
    modest = dict(**works, monthly_income_fen=3_000 * YUAN, income_confidence="low")  # 2,100.00 x 5 = 10,500.00, and 10 % less
    by_grade, by_offer, without, by_band, neutral = bucket.decide([
        graded("G", "E"), graded("F", "E", **indebted), graded("F", "F", **indebted), graded("F", "F", **modest, social_band="weak"), graded("F", "F", **modest),
    ])
    assert by_grade["decision"] == "refer" and by_grade["reason_codes"][0] == "R-SOCIAL-ALONE" and by_grade["refer_to"] == "credit"
    assert by_offer["decision"] == "refer" and by_offer["reason_codes"] == ["R-SOCIAL-ALONE", "L-CAP-DEBT"]
    assert without["decision"] == "decline" and without["reason_codes"] == ["L-BELOW-MINIMUM", "L-CAP-DEBT"]
    assert by_band["decision"] == "refer" and by_band["reason_codes"] == ["R-SOCIAL-ALONE", "L-CAP-SOCIAL"]
    assert neutral["decision"] == "approve" and neutral["amount_fen"] == 10_000 * YUAN


def test_an_offer_over_its_cap_is_repriced_or_declined(tmp_path):
    """A cap of 5 %: B's 6 % is cut under it; where the floor is above the cap nothing can be offered."""
    def cap(at: str):
        def edit(config: Path) -> None:
            path = config / "regulation" / "price.toml"
            path.write_text(path.read_text(encoding="utf-8").replace("value = 0.24", f"value = {at}"), encoding="utf-8")
        return edit

    cut, = Bucket(tmp_path / "a", edit=cap("0.05")).decide([case()])
    assert cut["decision"] == "approve" and float(cut["all_in_annual_cost"]) <= 0.05 and float(cut["annual_rate"]) >= 0.0498 and "P-REPRICED" in cut["reason_codes"]
    never, social = Bucket(tmp_path / "b", edit=cap("0.03")).decide([case(), graded("C", "B")])
    assert never["decision"] == "decline" and never["reason_codes"] == ["P-OVER-CAP"] and never["annual_rate"] is None
    assert social["decision"] == "refer" and social["reason_codes"][0] == "R-SOCIAL-ALONE"


def test_fees_count_in_the_cost(bucket):
    """Interest only over 6 months at 7.2 % with 0.3 % at once; renovation over 24 months at 5.2 % with 0.05 % a month."""
    bridge, works = bucket.decide([case(product="bridge_loan", purpose="bridge", term_months=6), case(product="renovation_loan", purpose="renovation")])
    assert bridge["method"] == "interest_only" and bridge["upfront_fee_fen"] == 150 * YUAN
    assert float(bridge["all_in_nominal"]) == pytest.approx(0.072 + 2 * 0.003, abs=5e-4)
    assert float(works["monthly_fee_rate"]) == 0.0005 and 0.052 + 0.010 < float(works["all_in_nominal"]) < 0.052 + 0.013
    for row in (bridge, works):
        assert float(row["all_in_effective"]) == pytest.approx((1 + float(row["all_in_nominal"]) / 12) ** 12 - 1, abs=2e-6)


def test_the_legal_figure_is_the_licences(tmp_path):
    def effective(config: Path) -> None:
        replace(config / "lender.toml", 'bank = "nominal"', 'bank = "effective"')

    row, = Bucket(tmp_path / "run", edit=effective).decide([case()])
    assert row["all_in_annual_cost"] == row["all_in_effective"] > row["all_in_nominal"]


def test_a_product_that_nobody_knows_is_referred_or_taken_for_the_first(tmp_path, bucket):
    unknown, none = bucket.decide([case(product="gold_loan"), case(product=None)])
    assert unknown["decision"] == "refer" and unknown["refer_to"] == "product" and none["decision"] == "approve" and none["product"] == "cash_loan"

    def first(config: Path) -> None:
        replace(config / "lender.toml", 'unknown_product = "refer"', 'unknown_product = "first"')

    row, = Bucket(tmp_path / "run", edit=first).decide([case(product="gold_loan")])
    assert row["decision"] == "approve" and row["product"] == "cash_loan"


def test_a_purpose_is_refused_noted_or_not_said(bucket):
    rows = bucket.decide([case(purpose=purpose) for purpose in ("securities", "a boat", None)])
    assert [row["decision"] for row in rows] == ["decline", "approve", "approve"]
    assert rows[0]["reason_codes"] == ["R-PURPOSE-REFUSED"] and rows[1]["reason_codes"] == ["L-APPROVED", "R-PURPOSE-UNUSUAL"]


def test_an_application_without_score_or_evidence_is_decided_all_the_same(bucket):
    """A lender that brings applicants alone: everything else is missing, and nothing crashes."""
    bare = {table: {} for table in ("links", "verify", "income", "credit", "social", "score")}
    row, = bucket.decide([{**bare, "applicants": {"requested_amount_fen": 10_000 * YUAN, "applied_at": datetime.datetime(2026, 11, 1)}}])
    assert row["decision"] == "refer" and row["reason_codes"][:3] == ["R-VERIFY-MISSING", "R-INCOME-UNKNOWN", "R-SCORE-MISSING"]


def test_enormous_figures_do_not_overflow(bucket):
    row, = bucket.decide([case(monthly_income_fen=9 * 10**17, requested_amount_fen=9 * 10**17, exposure_fen=10**17)])
    assert row["decision"] == "decline" and row["reason_codes"] == ["L-BELOW-MINIMUM", "L-CAP-REGULATION"]


def test_an_empty_bucket_leaves_empty_tables_with_their_columns(bucket):
    assert bucket.decide([]) == []
    assert pq.read_table(bucket.run.file("limit_steps", 0)).schema.names == ["application_id", "step_no", "step", "cap_fen", "running_fen", "binding", "of_fen", "times", "less_fen", "annual_rate", "term_months"]


def test_every_code_that_the_stage_gives_has_its_words(bucket):
    from qqloan_cli.stages.limit import STEPS as steps

    reasons = load_reasons(bucket.run.config_dir)
    assert {code for _, code in steps} | {"L-APPROVED", "L-BELOW-MINIMUM", "L-TERM-SHORTENED", "P-REPRICED", "P-OVER-CAP", "R-SOCIAL-ALONE"} <= set(reasons)
    assert [step for step, _ in steps] == STEPS


def test_stage_tables_that_do_not_hold_the_same_applications_are_refused(tmp_path):
    """A score of another application in this one's place: nothing is decided by it."""
    from qqloan_cli.engine.stage import perform
    from qqloan_cli.errors import IntegrityError
    from qqloan_cli.stages.limit import STAGE

    bucket = Bucket(tmp_path / "run")
    bucket.decide([case(), case()])
    path = bucket.run.file("score", 0)
    rows = pq.read_table(path)
    for broken in (rows.take([1, 0]), rows.take([0, 1, 1])):
        pq.write_table(broken, path)
        with pytest.raises(IntegrityError) as refused:
            perform(STAGE, bucket.run, 0, bucket.con, bucket.values)
        assert refused.value.ref == "evidence-out-of-step"


def test_g14_a_missing_value_is_unknown_and_neither_false_nor_nothing(bucket):
    """Income below 3000 declines and a missing one refers; three overdue months in a row decline whatever is missing."""
    late = dict(overdue_months_24m=5, consecutive_overdue_24m=5)
    rows = bucket.decide([
        case(monthly_income_fen=None), case(monthly_income_fen=None, **late), case(monthly_income_fen=299_999), case(monthly_income_fen=300_000), case(monthly_income_fen=0),
    ])
    by_income = [[code for code in row["reason_codes"] if code.startswith("R-INCOME")] for row in rows]
    assert [row["decision"] for row in rows[:3]] == ["refer", "decline", "decline"] and rows[4]["decision"] == "decline"
    assert by_income == [["R-INCOME-UNKNOWN"], [], ["R-INCOME-LOW"], [], ["R-INCOME-LOW"]]
    assert "R-LIAN3-LEI6" in rows[1]["reason_codes"] and "R-INCOME-LOW" in rows[1]["rules_unknown"]
