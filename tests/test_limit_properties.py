"""What holds for every applicant: more income never lowers, a worse grade never raises, no limit passes a cap, no offer its cost cap."""

from __future__ import annotations

import copy
import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limit_bucket import Bucket, case

YUAN = 100
GRADES = "ABCDEFG"
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Bucket:
    return Bucket(tmp_path_factory.mktemp("properties") / "run")


@pytest.fixture(scope="module")
def tight(tmp_path_factory) -> Bucket:
    """The same with a cost cap of 10 %, so that prices bind."""
    def edit(config: Path) -> None:
        path = config / "regulation" / "price.toml"
        path.write_text(path.read_text(encoding="utf-8").replace("value = 0.24", "value = 0.10"), encoding="utf-8")

    return Bucket(tmp_path_factory.mktemp("tight") / "run", edit=edit)


yuan = st.integers(0, 80_000).map(lambda amount: amount * YUAN)
applications = st.builds(
    case,
    product=st.sampled_from(["cash_loan", "renovation_loan", "bridge_loan", None]),
    requested_amount_fen=st.integers(1_000_00, 600_000_00),
    term_months=st.sampled_from([None, 1, 6, 12, 20, 36, 60, 84]),
    applied_at=st.dates(datetime.date(2016, 1, 1), datetime.date(2026, 11, 24)).map(lambda day: datetime.datetime.combine(day, datetime.time(9))),
    monthly_income_fen=st.one_of(st.none(), yuan, st.integers(0, 10**15)),
    income_confidence=st.sampled_from(["high", "medium", "low", "none"]),
    account_debt_service_fen=yuan, statement_debt_service_fen=yuan,
    score__grade=st.sampled_from(GRADES), grade_without_social=st.sampled_from(GRADES),
    history=st.sampled_from(["none", "thin", "full"]), overdue_months_24m=st.sampled_from([None, 0, 1, 4, 7]),
    social_band=st.sampled_from(["strong", "fair", "weak", "unknown"]), exposure_fen=yuan,
    verdict=st.sampled_from(["pass", "pass", "pass", "refer", "fail"]), ring_alert=st.booleans(), verify__age_years=st.sampled_from([None, 17, 18, 30, 59, 66]),
)
batches = st.lists(applications, min_size=1, max_size=40)


def changed(cases: list, table: str, column: str, change) -> list:
    others = copy.deepcopy(cases)
    for one in others:
        one[table][column] = change(one[table][column])
    return others


def plain(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key not in ("application_id", "applicant_id", "steps")} for row in rows]


@FEW
@given(batches, st.integers(1, 50_000))
def test_more_verified_income_never_lowers_a_limit(bucket, cases, more):
    richer = changed(cases, "income", "monthly_income_fen", lambda income: None if income is None else income + more * YUAN)
    for before, after in zip(bucket.decide(cases), bucket.decide(richer)):
        if before["max_amount_fen"] is not None:
            assert after["max_amount_fen"] >= before["max_amount_fen"]
        if before["decision"] == "approve":
            assert after["decision"] == "approve" and after["amount_fen"] >= before["amount_fen"]


@FEW
@given(batches)
def test_a_worse_grade_never_raises_a_limit_nor_lowers_a_price(bucket, cases):
    def worse(grade: str) -> str:
        return GRADES[min(GRADES.index(grade) + 1, len(GRADES) - 1)]

    worsened = changed(changed(cases, "score", "grade", worse), "score", "grade_without_social", worse)
    for before, after in zip(bucket.decide(cases), bucket.decide(worsened)):
        if after["max_amount_fen"] is not None:
            assert before["max_amount_fen"] >= after["max_amount_fen"]
        if after["decision"] == "approve":
            assert before["decision"] == "approve" and before["amount_fen"] >= after["amount_fen"] and before["annual_rate"] <= after["annual_rate"]


@FEW
@given(batches)
def test_more_debt_never_raises_a_limit(bucket, cases):
    indebted = changed(cases, "credit", "account_debt_service_fen", lambda debt: debt + 1_000 * YUAN)
    for before, after in zip(bucket.decide(cases), bucket.decide(indebted)):
        if after["max_amount_fen"] is not None:
            assert before["max_amount_fen"] >= after["max_amount_fen"]


@FEW
@given(batches)
def test_no_limit_passes_any_cap_and_the_steps_only_fall(bucket, cases):
    for asked, row in zip(cases, bucket.decide(cases)):
        steps = sorted(row["steps"].values(), key=lambda step: step["step_no"])
        caps = [step["cap_fen"] for step in steps if step["cap_fen"] is not None]
        if steps:
            assert [s["running_fen"] for s in steps] == [min(c["cap_fen"] for c in steps[: n + 1] if c["cap_fen"] is not None) for n in range(len(steps))]
            assert sum(step["binding"] for step in steps) == 1 and row["steps"][row["binding_cap"]]["cap_fen"] == steps[-1]["running_fen"]
        if row["decision"] == "approve":
            assert 0 < row["amount_fen"] <= min(caps) and row["amount_fen"] <= asked["applicants"]["requested_amount_fen"]
            assert row["amount_fen"] <= row["max_amount_fen"]


@FEW
@given(batches)
def test_every_offer_is_under_its_cost_cap(tight, cases):
    for row in tight.decide(cases):
        if row["decision"] == "approve" and row["cost_cap"] is not None:
            assert row["all_in_annual_cost"] <= row["cost_cap"]


@FEW
@given(batches)
def test_a_decision_is_whole(bucket, cases):
    """Approved if and only if there is an amount, a term, a rate and a cost; referred if and only if there is a desk; always a reason."""
    for row in bucket.decide(cases):
        offer = [row[name] for name in ("amount_fen", "term_months", "method", "annual_rate", "all_in_annual_cost", "monthly_payment_fen", "upfront_fee_fen")]
        assert {value is not None for value in offer} == {row["decision"] == "approve"}
        assert (row["refer_to"] is not None) == (row["decision"] == "refer")
        assert row["reason_codes"] and len(set(row["reason_codes"])) == len(row["reason_codes"])


@FEW
@given(batches)
def test_social_evidence_alone_never_turns_an_approval_into_a_decline(bucket, cases):
    """Whoever would be approved as if there were no social evidence is not declined with it."""
    without = copy.deepcopy(cases)
    for one in without:
        one["score"]["grade"] = one["score"]["grade_without_social"]
        one["social"]["social_band"] = "unknown"
    for neutral, seen in zip(bucket.decide(without), bucket.decide(cases)):
        if neutral["decision"] == "approve":
            assert seen["decision"] != "decline"


@FEW
@given(batches, st.randoms(use_true_random=False))
def test_an_application_decided_alone_or_in_another_order_gets_the_same(bucket, cases, random):
    together = plain(bucket.decide(cases))
    order = list(range(len(cases)))
    random.shuffle(order)
    shuffled = plain(bucket.decide([cases[number] for number in order]))
    assert [shuffled[order.index(number)] for number in range(len(cases))] == together
    assert plain(bucket.decide([cases[0]])) == together[:1]


def test_the_same_bucket_gives_the_same_bytes(bucket):
    cases = [case(monthly_income_fen=n * 1_234 * YUAN, requested_amount_fen=(n % 7 + 1) * 20_000 * YUAN, term_months=6 + n % 60) for n in range(200)]
    digests = set()
    for _ in range(2):
        bucket.decide(cases)
        digests.add(tuple(bucket.run.file(table, 0).read_bytes() for table in ("limit", "limit_steps")))
    assert len(digests) == 1
