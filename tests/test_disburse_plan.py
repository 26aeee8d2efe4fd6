"""From approved loans to funds, tranches, schedules and decisions: money adds up, dates are working days, nothing is lost."""

from __future__ import annotations

import collections
import datetime
import json
import random
import re
import shutil
from decimal import Decimal

import numpy as np
import pyarrow.parquet as pq
import pytest
from disburse_batch import made_run, rows, table, taken
from hypothesis import given
from hypothesis import strategies as st
from conftest import AS_OF, ROOT, done

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.errors import ConfigError, InternalError
from qqloan_cli.funding.tranches import AT_LEAST, Plans
from qqloan_cli.loans.annual_cost import rate_of
from qqloan_cli.loans.calendar import Calendar
from qqloan_cli.loans.contract import Contract
from qqloan_cli.loans.instalments import instalments
from qqloan_cli.policy.products import load_products


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """400 applications with funds for about two thirds of them."""
    scarce = {"funding.toml": ("capacity = 36_000_000_000", "capacity = 3_000_000")}
    return taken(made_run(tmp_path_factory.mktemp("d") / "run", rows(400), config=scarce))


def summed(rows_, *keys: str, of: str) -> dict:
    sums = collections.Counter()
    for row in rows_:
        sums[tuple(row[key] for key in keys)] += row[of]
    return sums


def test_funded_shares_tranches_and_instalments_are_the_same_money(run):
    funded = {(row["application_id"],): row["funded_fen"] for row in table(run, "funding") if row["funded_fen"]}
    assert len(funded) > 50
    assert summed(table(run, "funding_shares"), "application_id", of="amount_fen") == funded
    assert summed(table(run, "disburse_plan"), "application_id", of="amount_fen") == funded
    assert summed(table(run, "schedule"), "application_id", of="principal_fen") == funded
    by_source = summed(table(run, "disburse_plan"), "application_id", "source", of="amount_fen")
    assert by_source == summed(table(run, "funding_shares"), "application_id", "source", of="amount_fen")
    by_tranche = summed(table(run, "disburse_plan"), "application_id", "tranche_no", of="amount_fen")
    assert by_tranche == summed(table(run, "schedule"), "application_id", "tranche_no", of="principal_fen")


def test_sources_are_used_within_what_they_offered(run):
    used = summed(table(run, "funding_shares"), "source", of="amount_fen")
    for source in table(run, "funding_sources"):
        assert source["used_fen"] == used.get((source["source"],), 0) <= source["capacity_fen"]
    own = next(source for source in table(run, "funding_sources") if source["source"] == "own")
    assert own["shadow_price"] > 0.5  # it is short


def test_every_approved_loan_is_funded_or_has_its_place_in_the_queue(run):
    approved = {row["application_id"]: row for row in table(run, "limit") if row["decision"] == "approve"}
    funding = table(run, "funding")
    assert sorted(row["application_id"] for row in funding) == sorted(approved)
    waiting = [row for row in funding if not row["funded_fen"]]
    assert waiting and sorted(row["queue_rank"] for row in waiting) == list(range(1, len(waiting) + 1))
    in_queue = [approved[row["application_id"]] for row in sorted(waiting, key=lambda row: row["queue_rank"])]
    assert in_queue == sorted(in_queue, key=lambda row: (-row["score"], row["applied_at"], row["application_id"]))
    assert all((row["queue_rank"] is None) == (row["queue_reason"] is None) == (row["funded_fen"] > 0) for row in funding)


def test_one_decision_each_and_waiting_is_said(run):
    decisions = table(run, "decisions")
    limits = {row["application_id"]: row for row in table(run, "limit")}
    assert [row["application_id"] for row in decisions] == sorted(limits)
    queued = {row["application_id"]: row["queue_reason"] for row in table(run, "funding") if row["queue_reason"]}
    for row in decisions:
        approved = row["decision"] == "approve"
        assert (row["amount_fen"] is not None) == (row["annual_rate"] is not None) == approved
        waits = row["application_id"] in queued
        assert row["funded_fen"] == (row["amount_fen"] if approved and not waits else None)
        assert row["reason_codes"] == ["R-OK"] + (["F-QUEUED", queued[row["application_id"]]] if waits else [])
        days = {"cash_loan": 1, "bridge_loan": 2, "renovation_loan": 3}[limits[row["application_id"]]["product"]]
        assert row["decide_by"] == datetime.date(2026, 11, 24 + days)  # no holiday in between
        assert (row["policy_version"], row["model_version"]) == ("p", "m")


def test_tables_keep_their_contracts_and_order(run):
    import pyarrow.parquet as pq

    for name in ("funding", "funding_shares", "funding_sources", "disburse_plan", "schedule", "decisions"):
        contract = CONTRACTS[name]
        for path in run.whole(name):
            read = pq.read_table(path)
            assert tuple(read.column_names) == contract.names
            keys = [tuple(row[key] for key in contract.key) for row in read.select(contract.key).to_pylist()]
            assert keys == sorted(set(keys)), name


def test_a_schedule_is_what_the_contract_says(run):
    """Rates and fees are those of the offer; every instalment is one month after the one before."""
    limits = {row["application_id"]: row for row in table(run, "limit")}
    plan = {(row["application_id"], row["tranche_no"]): row["pay_date"] for row in table(run, "disburse_plan")}
    tranches = collections.defaultdict(list)
    for row in table(run, "schedule"):
        tranches[row["application_id"], row["tranche_no"]].append(row)
    fees = collections.Counter()
    for (application, number), instalments in tranches.items():
        offer = limits[application]
        assert [row["instalment_no"] for row in instalments] == list(range(1, len(instalments) + 1))
        dates = [plan[application, number]] + [row["due_date"] for row in instalments]
        assert all(AT_LEAST <= (after - before).days <= 45 for before, after in zip(dates, dates[1:]))
        assert all((after - before).days <= 31 for before, after in zip(dates[1:], dates[2:]))
        balance, rate = sum(row["principal_fen"] for row in instalments), float(offer["annual_rate"]) / 12
        for row in instalments[1:]:
            before = balance - sum(r["principal_fen"] for r in instalments[: row["instalment_no"] - 1])
            assert abs(row["interest_fen"] - before * rate) <= 0.5 + 1e-6
        fees[application] += instalments[0]["fee_fen"]
    for application, first_fees in fees.items():
        offer = limits[application]
        monthly = (int(offer["monthly_fee_rate"] * 1_000_000) * offer["amount_fen"] + 500_000) // 1_000_000
        assert first_fees == monthly + offer["upfront_fee_fen"]


def test_works_are_paid_in_two_tranches_that_end_on_the_same_day(run):
    schedule = [row for row in table(run, "schedule")]
    ends = collections.defaultdict(dict)
    for row in schedule:
        ends[row["application_id"]][row["tranche_no"]] = row["due_date"]
    product = {row["application_id"]: row["product"] for row in table(run, "limit")}
    both = [tranches for application, tranches in ends.items() if product[application] == "renovation_loan"]
    assert both and all(set(tranches) == {1, 2} and tranches[1] == tranches[2] for tranches in both)
    assert all(set(tranches) == {1} for application, tranches in ends.items() if product[application] != "renovation_loan")


def test_who_is_paid_and_on_what_condition(run):
    product = {row["application_id"]: row["product"] for row in table(run, "limit")}
    said = {(product[row["application_id"]], row["tranche_no"], row["payee_kind"], row["condition"]) for row in table(run, "disburse_plan")}
    papers = "contract with the merchant on file"
    assert said == {
        ("cash_loan", 1, "borrower", None), ("bridge_loan", 1, "borrower", None),
        ("renovation_loan", 1, "merchant", papers), ("renovation_loan", 2, "merchant", f"works started; {papers}"),
    }


@pytest.mark.parametrize("as_of, amount, payee", [
    ("2026-11-24", 50_000_000, "borrower"),  # the phase measure of 2025: 500,000 may be paid to the borrower
    ("2026-11-24", 50_000_100, "merchant"),
    ("2025-01-06", 30_000_000, "borrower"),  # before it: 300,000
    ("2025-01-06", 30_000_100, "merchant"),
])
def test_entrusted_payment_above_the_laws_threshold_of_the_date(tmp_path, as_of, amount, payee):
    loan = {**next(row for row in rows(50) if row["decision"] == "approve" and row["product"] == "cash_loan"), "amount_fen": amount, "grade": "A", "applied_at": "2025-01-02 09:00:00"}
    run = taken(made_run(tmp_path / "run", [loan], buckets=1, as_of=as_of))
    assert {row["payee_kind"] for row in table(run, "disburse_plan")} == {payee}


def test_workers_and_the_order_of_rows_change_no_byte(tmp_path):
    applications = rows(300, seed=4)
    scarce = {"funding.toml": ("capacity = 36_000_000_000", "capacity = 2_000_000")}
    shuffled = applications[:]
    random.Random(1).shuffle(shuffled)
    runs = [
        taken(made_run(tmp_path / "one", applications, buckets=4, config=scarce), workers=1),
        taken(made_run(tmp_path / "four", applications, buckets=4, config=scarce), workers=4),
        taken(made_run(tmp_path / "shuffled", shuffled, buckets=4, config=scarce), workers=2),
    ]
    for name in ("funding", "funding_shares", "funding_sources", "disburse_plan", "schedule", "decisions"):
        contents = [[path.read_bytes() for path in run.whole(name)] for run in runs]
        assert contents[0] == contents[1] == contents[2], name


def test_how_many_buckets_there_are_changes_no_row(tmp_path):
    applications = rows(200, seed=9)
    one, eight = (taken(made_run(tmp_path / str(buckets), applications, buckets=buckets)) for buckets in (1, 8))
    for name in ("funding", "funding_shares", "disburse_plan", "schedule"):
        key = CONTRACTS[name].key
        order = lambda row: tuple(row[k] for k in key)  # noqa: E731
        assert sorted(table(one, name), key=order) == sorted(table(eight, name), key=order)


def test_a_batch_without_an_approval_leaves_empty_tables(tmp_path):
    declined = [{**row, "decision": "decline", "amount_fen": None} for row in rows(5)]
    run = taken(made_run(tmp_path / "run", declined))
    assert [len(table(run, name)) for name in ("funding", "funding_shares", "disburse_plan", "schedule", "decisions")] == [0, 0, 0, 0, 5]
    assert all(source["used_fen"] == 0 for source in table(run, "funding_sources"))


def test_an_application_lost_on_the_way_is_an_error_with_the_counts(tmp_path):
    run = made_run(tmp_path / "run", rows(20), buckets=1)
    import pyarrow.parquet as pq

    path = run.file("limit", 0)
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(InternalError) as error:
        taken(run)
    assert "20 applications came in, 19 have a limit row, 19 a decision" in str(error.value)


@pytest.mark.parametrize("together", [1, 7])
def test_schedules_made_some_at_a_time_are_the_same(tmp_path, monkeypatch, together):
    at_once = taken(made_run(tmp_path / "at once", rows(60), buckets=1))
    monkeypatch.setattr("qqloan_cli.stages.disburse._BLOCK", together)
    in_parts = taken(made_run(tmp_path / "in parts", rows(60), buckets=1))
    assert len(table(at_once, "schedule")) > 300
    assert table(in_parts, "schedule") == table(at_once, "schedule")


def test_decisions_of_too_many_for_one_join_are_the_same_in_the_same_order(tmp_path, monkeypatch):
    at_once = taken(made_run(tmp_path / "at once", rows(300), buckets=4))
    monkeypatch.setattr("qqloan_cli.stages.decisions.AT_ONCE", 299)
    by_parts = taken(made_run(tmp_path / "by parts", rows(300), buckets=4))
    assert len(table(at_once, "decisions")) == 300
    assert table(by_parts, "decisions") == table(at_once, "decisions")


def test_a_product_that_the_configuration_forgot_is_paid_at_once_and_decided_last(tmp_path):
    loan = {**next(row for row in rows(50) if row["decision"] == "approve" and row["grade"] == "A"), "product": "old_loan", "grade": "A"}
    run = taken(made_run(tmp_path / "run", [loan], buckets=1))
    plan = table(run, "disburse_plan")
    assert {(row["tranche_no"], row["payee_kind"], row["condition"]) for row in plan} == {(1, "borrower", None)}
    assert table(run, "decisions")[0]["decide_by"] == datetime.date(2026, 11, 27)


PRODUCTS = load_products(ROOT / "configs")


@given(st.dates(datetime.date(2025, 1, 1), datetime.date(2026, 11, 20)))
def test_no_money_leaves_on_a_closed_day(as_of):
    plans = Plans.of(PRODUCTS, as_of)
    calendar = Calendar.around(as_of, 60)
    assert calendar.is_working(plans.pay_date).all() and (plans.pay_date > np.datetime64(as_of)).all()
    assert calendar.next_working_day(np.datetime64(as_of) + 1) == plans.pay_date[-1, 0]
    assert plans.warnings == [] or as_of.year == 2026


def test_a_first_due_date_is_about_a_month_away_whatever_the_due_day():
    for day in (1, 15, 28):
        products = {"cash_loan": PRODUCTS["cash_loan"].model_copy(update={"due_day": day})}
        for as_of in (datetime.date(2026, 1, 5) + datetime.timedelta(n) for n in range(0, 330, 7)):
            plans = Plans.of(products, as_of)
            first = plans.due_dates(3)[0]
            assert [d.item().day for d in first] == [day] * 3
            away = (first[0] - plans.pay_date[0, 0]).astype(int)
            assert AT_LEAST <= away <= AT_LEAST + 31
            assert abs(plans.first_days[0, 0] - away) <= 3


def test_a_tranche_that_would_come_too_late_goes_with_the_first():
    plans = Plans.of(PRODUCTS, datetime.date(2026, 11, 24))
    renovation = np.array([plans.products.index("renovation_loan")] * 2)
    assert plans.split(renovation, np.array([1, 12]), np.array([101, 101])).tolist() == [[101, 0], [51, 50]]


def test_a_year_that_is_not_announced_warns_and_goes_on(tmp_path):
    run = taken(made_run(tmp_path / "run", rows(5), buckets=1, as_of="2026-12-30"))
    warnings = [warning["text"] for warning in run.document["warnings"] if warning["ref"] == "calendar-unannounced"]
    assert len(warnings) == 2 and all("2027" in text for text in warnings)
    assert [text.split(":")[0] for text in sorted(warnings)] == ["decision dates", "payment dates"]


def test_tranches_out_of_order_are_refused():
    renovation = PRODUCTS["renovation_loan"]
    with pytest.raises(ConfigError):
        Plans.of({"renovation_loan": renovation.model_copy(update={"tranches": renovation.tranches[::-1]})}, datetime.date(2026, 11, 24))


# --- what treasury and the partners see -----------------------------------------------------------------------------------------------

def test_the_cash_calendar_is_the_plan_by_source_and_day_and_no_day_goes_below_nothing(tmp_path):
    """A day's cash of 12 million: what does not fit on a day of any tranche waits."""
    applications = rows(900, seed=4)
    run = taken(made_run(tmp_path / "run", applications, config={"funding.toml": ("daily_cash = 36_000_000_000", "daily_cash = 12_000_000")}))
    calendar = table(run, "cash_calendar")
    planned: dict[tuple, int] = {}
    for row in table(run, "disburse_plan"):
        key = row["source"], row["pay_date"]
        planned[key] = planned.get(key, 0) + row["amount_fen"]
    assert {(row["source"], row["pay_date"]): row["out_fen"] for row in calendar} == planned
    assert all(row["left_fen"] is None or row["left_fen"] >= 0 for row in calendar)
    assert {row["daily_cash_fen"] for row in calendar if row["source"] == "own"} == {1_200_000_000}
    assert any(row["queue_reason"] == "F-NO-CASH" for row in table(run, "funding"))


def test_a_days_cash_is_there_once_however_many_runs_spend_it(tmp_path):
    """Three batches of one day, and one of the next month whose first day is the others' second tranche's."""
    tight = {"funding.toml": ("daily_cash = 36_000_000_000", "daily_cash = 12_000_000")}
    given, spent, lonely = [], collections.Counter(), collections.Counter()
    for number, as_of in enumerate((AS_OF, AS_OF, AS_OF, "2026-12-23")):
        applications = [{**row, "application_id": f"B{number}{row['application_id']}"} for row in rows(500, seed=number)]
        alone = taken(made_run(tmp_path / f"alone-{number}", applications, as_of=as_of, config=tight))
        beside = made_run(tmp_path / f"beside-{number}", applications, as_of=as_of, config=tight)
        beside.document["history"] = [str(run.root) for run in given]
        given.append(taken(beside))
        for row in table(beside, "cash_calendar"):
            assert row["earlier_fen"] == spent[row["source"], row["pay_date"]]
        for run, sums in ((alone, lonely), (beside, spent)):
            for row in table(run, "cash_calendar"):
                sums[row["source"], row["pay_date"]] += row["out_fen"]
    own = {day: fen for (source, day), fen in spent.items() if source == "own"}
    assert max(own.values()) <= 1_200_000_000 < max(fen for (source, _), fen in lonely.items() if source == "own")
    assert sum(day > datetime.date(2026, 12, 20) for day in own) >= 1 and "F-NO-CASH" in {row["queue_reason"] for row in table(given[1], "funding")}


def test_every_limit_is_reported_with_what_is_left_and_the_programme_with_its_gap(tmp_path):
    run = taken(made_run(tmp_path / "run", rows(600, seed=5), config={"funding.toml": ("capacity = 36_000_000_000", "capacity = 3_000_000")}))
    limits = {row["limit"]: row for row in table(run, "funding_limits")}
    assert all(row["used_fen"] + row["left_fen"] == row["limit_fen"] and row["left_fen"] >= 0 for row in limits.values())
    assert limits["capacity of own"]["shadow_price"] > 0 and "guarantees of lighthouse" in limits and "own money in joint loans" in limits
    [programme] = table(run, "funding_programme")
    funding = table(run, "funding")
    assert programme["funded_fen"] == sum(row["funded_fen"] for row in funding) and programme["queued"] == sum(row["funded_fen"] == 0 for row in funding)
    assert 0 <= programme["gap"] < 0.05 and programme["reached_yuan"] <= programme["bound_yuan"]


def test_a_refusal_in_a_file_gives_the_loan_a_second_look_elsewhere(tmp_path, lender, lender_run):
    """One loan that Coast Bank shares is refused by it; a refusal of tomorrow is not known yet."""
    folder = tmp_path / "lender"
    shutil.copytree(lender, folder)
    mine = [row["application_id"] for path in sorted(lender_run.glob("funding_shares/*.parquet")) for row in pq.read_table(path).to_pylist() if row["source"] == "coast_bank"][:2]
    (folder / "funding_refusals.csv").write_text(f"application_id,source,refused_at\n{mine[0]},coast_bank,{AS_OF}\n{mine[1]},coast_bank,2027-01-01\n", encoding="utf-8")
    done("run", folder, "--out", tmp_path / "run", "--as-of", AS_OF)
    shares: dict[str, set] = {}
    for path in (tmp_path / "run").glob("funding_shares/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            shares.setdefault(row["application_id"], set()).add(row["source"])
    assert shares[mine[0]] and "coast_bank" not in shares[mine[0]] and "coast_bank" in shares[mine[1]]


SETTLED = {
    "whole yuan, three months of interest first": {"payment_rounding": "up", "payment_unit": "1.00", "principal_free": 3},
    "by real days": {"day_count": "act/365"},
    "by real days of 360, the level levelled": {"day_count": "act/360", "remainder": "level", "interest_rounding": "half_even"},
}
AS_PRODUCT = {"principal_free": "principal_free_months"}


@pytest.mark.parametrize("settled", SETTLED.values(), ids=SETTLED)
def test_a_product_s_own_conventions_are_in_its_schedules(tmp_path, settled):
    """Cash loans so, bridge loans as they are: as the contract's own arithmetic has it, and the cost of what falls due."""
    run = made_run(tmp_path / "run", rows(200, seed=6))
    toml = run.config_dir / "products.toml"
    before, cash, after = re.split(r"(?=\[products\.cash_loan\]|\[products\.cash_loan\.shown\])", toml.read_text(encoding="utf-8"))
    for name, value in settled.items():
        cash, count = re.subn(rf"(?m)^{AS_PRODUCT.get(name, name)} = \S+", f"{AS_PRODUCT.get(name, name)} = {json.dumps(value) if name not in ('payment_unit', 'principal_free') else value}", cash)
        assert count == 1
    toml.write_text(before + cash.replace("terms = [3, 6,", "terms = [6,") + after, encoding="utf-8")
    taken(run)
    loans = {row["application_id"]: row for row in table(run, "limit")}
    due: dict[str, list] = {}
    for row in table(run, "schedule"):
        due.setdefault(row["application_id"], []).append(row)
    checked = collections.Counter()
    for application, instalment_rows in due.items():
        loan = loans[application]
        if loan["product"] == "renovation_loan":  # two tranches
            continue
        contract = Contract(
            principal=Decimal(loan["amount_fen"]) / 100, annual_rate=loan["annual_rate"], instalments=loan["term_months"], start="2026-11-25", method=loan["method"],
            **(settled if loan["product"] == "cash_loan" else {}),
        )
        wanted = [(i.due_date, int(i.principal * 100), int(i.interest * 100)) for i in instalments(contract)]
        got = [(row["due_date"], row["principal_fen"], row["interest_fen"]) for row in sorted(instalment_rows, key=lambda row: row["instalment_no"])]
        assert got == wanted, application
        checked[loan["product"]] += 1
    assert min(checked["cash_loan"], checked["bridge_loan"]) > 10


def test_a_price_is_the_cost_of_what_falls_due_by_real_days_too(tmp_path, lender):
    """Interest act/360 and three months of interest alone: the decision's all-in cost is the schedule's, under the cap."""
    config = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", config)
    toml = config / "products.toml"
    before, cash, after = re.split(r"(?=\[products\.cash_loan\]|\[products\.cash_loan\.shown\])", toml.read_text(encoding="utf-8"))
    cash = cash.replace('day_count = "30/360"', 'day_count = "act/360"').replace("principal_free_months = 0", "principal_free_months = 3").replace("terms = [3, 6,", "terms = [6,")
    toml.write_text(before + cash + after, encoding="utf-8")
    done("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, "--config", config)
    due: dict[str, list] = {}
    for path in (tmp_path / "run/schedule").glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            due.setdefault(row["application_id"], []).append(row)
    loans = [row for path in sorted((tmp_path / "run/limit").glob("*.parquet")) for row in pq.read_table(path).to_pylist() if row["product"] == "cash_loan" and row["application_id"] in due]
    assert len(loans) > 100
    for loan in loans:
        paid = [row["principal_fen"] + row["interest_fen"] + row["fee_fen"] for row in sorted(due[loan["application_id"]], key=lambda row: row["instalment_no"])]
        monthly = rate_of(np.array([loan["amount_fen"]]), np.array([paid]))
        assert abs(float(loan["all_in_nominal"]) - 12 * float(monthly[0])) <= 1.1e-6 and loan["all_in_annual_cost"] <= loan["cost_cap"]
        assert loan["monthly_payment_fen"] == max(paid) and float(loan["all_in_nominal"]) > float(loan["annual_rate"])


def test_the_step_says_who_funds_what_is_short_and_the_gap(tmp_path, lender):
    config = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", config)
    toml = config / "funding.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("capacity = 36_000_000_000", "capacity = 4_000_000"), encoding="utf-8")
    done("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, "--config", config)
    page = done("disburse-plan", tmp_path / "run", "--yes").out
    assert "What is short" in page and "capacity of own" in page and "The programme" in page and "coast_bank" in page
