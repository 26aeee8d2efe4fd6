"""What a person said of a referred application, in the limit stage: it stands in for the doubt, and for nothing else."""

from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limit_bucket import YUAN, Bucket, answered, case
from test_limit_decision import graded
from test_limit_properties import applications

REGULATION_FEN, PERSON_FEN = 300_000 * YUAN, 500_000 * YUAN  # configs/: a bank's internet loan on that day, and what one person may owe here
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Bucket:
    return Bucket(tmp_path_factory.mktemp("person") / "run")


def doubtful(**told):
    """Referred: nothing shows an income."""
    return case(**{"monthly_income_fen": None, "income_confidence": "none", "months_covered": 0, "income__reasons": ["I-NO-EVIDENCE"], **told})


def test_a_decline_is_one_with_the_persons_reason_before_the_doubt(bucket):
    before, after = bucket.decide([doubtful(), answered(doubtful(), "decline", reason="O-DOUBT-REMAINS")])
    assert before["decision"] == "refer" and after["decision"] == "decline" and after["amount_fen"] is None
    assert after["reason_codes"] == ["O-DOUBT-REMAINS", *before["reason_codes"]]


def test_income_that_was_shown_counts_and_what_policy_allows_still_binds(bucket):
    without, with_income = bucket.decide([
        answered(doubtful(requested_amount_fen=200_000 * YUAN), "approve", amount_fen=150_000 * YUAN),
        answered(doubtful(requested_amount_fen=200_000 * YUAN), "approve", amount_fen=150_000 * YUAN, monthly_income_fen=9_000 * YUAN),
    ])
    assert (without["decision"], without["binding_cap"]) == ("approve", "income_multiple")
    assert without["reason_codes"][:3] == ["L-APPROVED", "O-EVIDENCE-SHOWN", "L-CAP-INCOME"] and "I-NO-EVIDENCE" not in with_income["reason_codes"]
    assert without["amount_fen"] < with_income["amount_fen"] <= 150_000 * YUAN
    counted = with_income["steps"]["income_multiple"]["of_fen"]
    assert 0 < counted < 9_000 * YUAN, "of medium confidence: not all of it"
    assert "as a person approved of 200,000.00 asked for" == with_income["steps"]["requested"]["basis"]


def test_a_person_lends_no_more_than_was_asked_for_and_no_more_than_was_said(bucket):
    rows = bucket.decide([answered(doubtful(requested_amount_fen=asked * YUAN, monthly_income_fen=30_000 * YUAN, income_confidence="high", social__ring_alert=True), "approve", amount_fen=said * YUAN)
                          for asked, said in ((20_000, 50_000), (50_000, 20_000))])
    assert [row["amount_fen"] for row in rows] == [20_000 * YUAN] * 2 and [row["requested_amount_fen"] for row in rows] == [20_000 * YUAN, 50_000 * YUAN]


def test_an_exception_lifts_what_is_policy_and_neither_law_nor_product(bucket):
    rows = bucket.decide([answered(doubtful(product=product, requested_amount_fen=5_000_000 * YUAN, exposure_fen=exposure * YUAN), "approve", amount_fen=5_000_000 * YUAN, exception=True, reason="O-EXCEPTION")
                          for product, exposure in (("cash_loan", 0), ("cash_loan", 100_000), ("renovation_loan", 0))])
    free, owing, renovation = rows
    assert all(row["decision"] == "approve" and "O-EXCEPTION" in row["reason_codes"] for row in rows)
    assert free["binding_cap"] in ("product", "regulation") and free["amount_fen"] <= REGULATION_FEN and renovation["amount_fen"] <= 500_000 * YUAN
    assert owing["binding_cap"] == "regulation" and owing["amount_fen"] == REGULATION_FEN - 100_000 * YUAN
    policy = ("income_multiple", "payment_to_income", "debt_to_income", "grade", "credit_history", "social")
    assert all(row["steps"][step]["cap_fen"] is None for row in rows for step in policy)


def test_nobody_overrides_a_rule_that_declines(bucket):
    low, blocked = bucket.decide([
        answered(doubtful(), "approve", amount_fen=20_000 * YUAN, monthly_income_fen=1_000 * YUAN, exception=True, reason="O-EXCEPTION"),
        answered(case(verdict="fail", checks=[{"check": "blocklist", "outcome": "fail", "code": "V-BLOCKED"}]), "approve", amount_fen=20_000 * YUAN),
    ])
    assert low["decision"] == blocked["decision"] == "decline" and "R-INCOME-LOW" in low["reason_codes"] and "I-NO-EVIDENCE" not in low["reason_codes"]


def test_where_the_offer_fails_with_social_evidence_alone_a_persons_approval_leaves_it_out(bucket):
    works = dict(product="renovation_loan", purpose="renovation", term_months=24, requested_amount_fen=20_000 * YUAN)
    indebted = dict(**works, monthly_income_fen=3_100 * YUAN, account_debt_service_fen=1_000 * YUAN)
    modest = dict(**works, monthly_income_fen=3_000 * YUAN, income_confidence="low")
    waiting = [graded("G", "E"), graded("F", "E", **indebted), graded("F", "F", **modest, social_band="weak")]
    before = bucket.decide([*waiting, graded("F", "F", **modest)])
    after = bucket.decide([answered(rows, "approve", amount_fen=20_000 * YUAN) for rows in copy.deepcopy(waiting)])
    assert [row["reason_codes"][0] for row in before[:3]] == ["R-SOCIAL-ALONE"] * 3
    assert [row["decision"] for row in after] == ["approve"] * 3 and after[2]["amount_fen"] == before[3]["amount_fen"]


@FEW
@given(st.lists(st.tuples(applications, st.sampled_from([None, "approve", "decline"]), st.integers(1, 900_000), st.booleans(), st.one_of(st.none(), st.integers(1, 90_000))), min_size=1, max_size=30))
def test_an_answer_moves_only_who_was_answered_and_passes_no_cap(bucket, told):
    plain = bucket.decide([copy.deepcopy(rows) for rows, *_ in told])
    said = bucket.decide([
        rows if decision is None else answered(rows, decision, amount_fen=None if decision == "decline" else amount * YUAN, exception=exception,
                                               monthly_income_fen=None if decision == "decline" or income is None else income * YUAN)
        for rows, decision, amount, exception, income in copy.deepcopy(told)
    ])
    for before, after, (rows, decision, amount, exception, income) in zip(plain, said, told):
        if decision is None:
            assert after == before
            continue
        assert after["decision"] in ("approve", "decline"), "whoever was answered waits no longer"
        if decision == "decline" or before["decision"] == "decline" and not (exception or income):
            assert after["decision"] == "decline"
        if after["decision"] == "approve":
            assert after["amount_fen"] <= min(amount * YUAN, after["requested_amount_fen"], PERSON_FEN - rows["links"]["exposure_fen"])
            assert after["all_in_annual_cost"] <= (after["cost_cap"] or 1)
            assert "O-EVIDENCE-SHOWN" in after["reason_codes"]
            if not exception and income is None and before["max_amount_fen"] is not None and before["reason_codes"][0] != "R-SOCIAL-ALONE":
                assert after["amount_fen"] <= max(before["max_amount_fen"], after["max_amount_fen"])
