"""One loan's contract in any convention: as other programs, textbooks and regulators print it, and as the fast way has it."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from qqloan_cli.loans.contract import Contract
from qqloan_cli.loans.instalments import instalments
from qqloan_cli.loans.schedule import METHODS, Rounding, Terms, schedule

ORACLES = json.loads((ROOT / "tests/oracles/contracts.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", ORACLES, ids=lambda case: case["id"])
def test_as_printed_elsewhere(case):
    contract = Contract.model_validate(case["contract"])
    rows = instalments(contract)
    unit = Decimal(case.get("unit", "0.01"))
    assert sum(row.principal for row in rows) == contract.principal
    if "payment" in case:
        assert (rows[0].principal + rows[0].interest) == Decimal(case["payment"])
    if "total_interest" in case:
        assert sum(row.interest for row in rows) == Decimal(case["total_interest"])
    for wanted in case["rows"]:
        row = rows[wanted["n"] - 1]
        got = {"principal": row.principal, "interest": row.interest, "balance": row.balance, "total": row.payment}
        got = {name: str(value.quantize(unit)) for name, value in got.items()} | {"due": row.due_date.isoformat()}
        assert {name: got[name] for name in wanted if name != "n"} == {name: value for name, value in wanted.items() if name != "n"}, wanted["n"]


def one(**settings) -> list:
    return instalments(Contract.model_validate({"principal": "10000.00", "annual_rate": "0.12", "instalments": 6, "start": "2026-01-31", **settings}))


MODES = st.sampled_from(["half_up", "half_even", "up", "down"])


@given(st.integers(1, 10**9), st.integers(0, 360_000), st.integers(1, 48), st.sampled_from(METHODS), MODES, MODES, st.sampled_from([1, 10, 100]), st.sampled_from([1, 100]), st.integers(0, 47))
def test_the_fast_way_over_whole_books_gives_the_same_to_the_fen(fen, ppm, months, method, payment, interest, payment_unit, interest_unit, free):
    free %= months
    rounding = Rounding(payment, interest, payment_unit, interest_unit)
    fast = schedule(Terms(np.array([fen]), np.array([ppm]), np.array([months]), np.array([METHODS.index(method)]), principal_free=np.array([free])), rounding)
    rows = instalments(Contract(
        principal=Decimal(fen) / 100, annual_rate=Decimal(ppm) / 1_000_000, instalments=months, start=datetime.date(2026, 1, 31), method=method,
        payment_rounding=payment, interest_rounding=interest, payment_unit=Decimal(payment_unit) / 100, interest_unit=Decimal(interest_unit) / 100,
        principal_free=free,
    ))
    assert [(int(row.principal * 100), int(row.interest * 100)) for row in rows] == list(zip(fast.principal_fen[0].tolist(), fast.interest_fen[0].tolist()))


@given(st.data())
def test_principal_adds_up_and_nothing_is_below_zero_whatever_the_settings(data):
    pick = lambda *values: data.draw(st.sampled_from(values))  # noqa: E731
    method, count, start = pick(*METHODS), data.draw(st.integers(2, 20)), datetime.date(2023, 1, 1) + datetime.timedelta(data.draw(st.integers(0, 900)))
    contract = Contract.model_validate({
        "principal": Decimal(data.draw(st.integers(100, 10**8))) / 100, "annual_rate": Decimal(data.draw(st.integers(0, 3_600))) / 10_000, "instalments": count, "start": start,
        "method": method, "every": pick("1 month", "3 months", "1 week", "1 year"), "first_due": pick(None, start + datetime.timedelta(data.draw(st.integers(1, 80)))),
        "day_count": pick("30/360", "30E/360", "30U/360", "act/365", "act/360", "act/act"), "broken_period": pick("30/360", "actual"), "rate_kind": pick("nominal", "effective"),
        "payment_rounding": pick("half_up", "half_even", "up", "down"), "interest_rounding": pick("half_up", "half_even", "up", "down"), "payment_unit": pick("0.01", "1.00"),
        "balance": pick("rounded", "exact"), "remainder": pick("last", "level"), "principal_free": data.draw(st.integers(0, count - 1)),
        "drawdowns": [{"date": start + datetime.timedelta(3), "amount": "0.40"}] if data.draw(st.booleans()) else [],
        "rate_changes": [{"date": start + datetime.timedelta(5), "annual_rate": "0.2"}] if data.draw(st.booleans()) else [],
    } if method in ("equal_instalment", "equal_principal", "interest_only", "bullet") else {"principal": "1234.56", "annual_rate": "0.3", "instalments": count, "start": start, "method": method})
    rows = instalments(contract)
    assert sum(row.principal for row in rows) == contract.principal and rows[-1].balance == 0
    assert all(row.principal >= 0 and row.interest >= 0 and row.balance >= 0 for row in rows)
    assert [row.number for row in rows] == list(range(1, count + 1)) and all(a.due_date < b.due_date for a, b in zip(rows, rows[1:]))


def test_dates_keep_their_day_through_short_months_and_move_to_working_days_as_the_contract_says():
    assert [row.due_date.isoformat() for row in one(instalments=3)] == ["2026-02-28", "2026-03-31", "2026-04-30"]
    assert [row.due_date.day for row in one(due_day=10, first_due="2026-03-02")] == [10] * 6
    paid = {rule: [row.pay_date.isoformat() for row in one(start="2026-01-01", instalments=2, business_days=rule)] for rule in ("none", "following", "preceding", "modified_following")}
    assert paid["none"] == ["2026-02-01", "2026-03-01"] and paid["following"] == ["2026-02-02", "2026-03-02"], "two Sundays"
    assert paid["preceding"] == ["2026-01-30", "2026-02-28"], "28 February 2026 is worked for the Spring Festival"
    moved = one(start="2026-01-01", instalments=2, business_days="following", day_count="act/365", interest_to="adjusted_date")
    assert moved[0].interest == Decimal("105.21") and one(start="2026-01-01", instalments=2, day_count="act/365")[0].interest == Decimal("101.92")


def test_months_free_of_principal_and_money_that_comes_in_stages():
    free = one(principal_free=2)
    assert [row.principal for row in free[:2]] == [0, 0] and free[0].interest == 100 and len({row.payment for row in free[2:5]}) == 1
    staged = one(drawdowns=[{"date": "2026-03-31", "amount": "4000.00"}])
    assert staged[0].interest == 60 and staged[1].interest < 60 and staged[2].payment > staged[1].payment and sum(row.principal for row in staged) == 10_000


def test_charges_are_beside_interest_and_contingent_ones_are_not_due():
    rows = one(charges=[{"name": "guarantee", "rate": "0.0005"}, {"name": "service", "amount": "30", "at": "first"}, {"name": "late", "amount": "50", "contingent": True}])
    assert [row.charges for row in rows[:2]] == [Decimal("35.00"), Decimal("5.00")]


@pytest.mark.parametrize("wrong, said", [
    ({"principal_free": 6}, "leaves no instalment"), ({"first_due": "2025-12-31"}, "before start"), ({"every": "2 fortnights"}, "every"), ({"method": "balloon"}, "method"),
    ({"rate_changes": [{"date": "2030-01-01", "annual_rate": "0.1"}]}, "not between"), ({"drawdowns": [{"date": "2026-02-10", "amount": "10000.01"}]}, "more than the principal"),
    ({"payment_rounding": "none"}, "goes with"), ({"annual_rate": "12"}, "annual_rate"), ({"principal": "0"}, "principal"), ({"tenor": 3}, "tenor"),
])
def test_a_contract_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        one(**wrong)
