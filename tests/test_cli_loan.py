"""qqloan loan: anybody can check a contract from the shell."""

from __future__ import annotations

import json

import pytest
from conftest import call as qqloan

BASE = ["--principal", "12000", "--annual-rate", "0.12", "--instalments", "3", "--start", "2026-01-31"]


def test_a_schedule_for_people():
    done = qqloan("loan", "schedule", *BASE, "--charge", "guarantee:0.05%", "--charge", "late:50:contingent")
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines() if line.strip()]
    assert lines[2] == ["1", "2026-02-28", "3,960.27", "120.00", "6.00", "4,086.27", "8,039.73"]
    assert lines[-1] == ["total", "12,000.00", "240.80", "18.00", "12,258.80"]


def test_a_schedule_for_machines():
    document = json.loads(qqloan("loan", "schedule", *BASE, "--format", "json").out)
    assert document["schema_version"] == 1 and sum(row["principal_fen"] for row in document["instalments"]) == 1_200_000
    csv = qqloan("loan", "schedule", *BASE, "--format", "csv").out.splitlines()
    assert csv[0].replace('"', "").startswith("instalment_no,due_date,pay_date,principal_fen") and len(csv) == 4


def test_the_cost_of_card_instalments_is_nearly_twice_what_they_say():
    """tests/oracles/annual_cost.json, CN1: 0.6 % a month on the first principal, 7.2 % stated."""
    found = json.loads(qqloan("loan", "cost", "--principal", "12000", "--annual-rate", "0", "--instalments", "12", "--start", "2026-01-01", "--charge", "service:0.6%", "--format", "json").out)
    assert (round(found["all_in_nominal"], 6), round(found["all_in_effective"], 6)) == (0.130342, 0.138418)
    assert found["charges"] == [{"name": "service", "amount_fen": 86_400}] and found["total_cost_fen"] == 86_400


def test_a_short_and_costly_loan():
    """Case G15: 1000.00 lent, 30.00 taken at drawdown, 1005.00 back after 7 days."""
    found = json.loads(qqloan("loan", "cost", "--principal", "1000", "--annual-rate", "0.26071428", "--instalments", "1", "--start", "2026-01-01", "--every", "7 days",
                              "--day-count", "act/365", "--charge", "fee:30:drawdown", "--format", "json").out)
    assert (found["received_fen"], found["repaid_fen"]) == (97_000, 100_500)
    assert (round(found["all_in_dated"] * 100, 3), round(found["simple"] * 100, 2)) == (534.898, 188.14)


def test_contingent_charges_stand_beside_the_cost():
    found = json.loads(qqloan("loan", "cost", *BASE, "--charge", "late:50:contingent", "--format", "json").out)
    assert found["contingent_charges"] == [{"name": "late", "amount_fen": 5_000}] and found["total_cost_fen"] == found["interest_fen"]


def test_many_from_a_file_with_the_options_for_what_it_leaves_out(tmp_path):
    file = tmp_path / "loans.jsonl"
    file.write_text("\n".join(json.dumps({"id": f"L{n}", "principal": f"{1000 + n}.00"}) for n in range(200)), encoding="utf-8")
    done = qqloan("loan", "schedule", file, *BASE[2:])
    assert done.code == 0
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [document["id"] for document in documents] == [f"L{n}" for n in range(200)]
    assert all(sum(row["principal_fen"] for row in document["instalments"]) == (1000 + n) * 100 for n, document in enumerate(documents))
    costs = [json.loads(line) for line in qqloan("loan", "cost", file, *BASE[2:]).out.splitlines()]
    assert len(costs) == 200 and all(abs(each["all_in_nominal"] - 0.12) < 1e-3 for each in costs)


def test_a_bad_line_is_named_and_the_others_are_put_out(tmp_path):
    file = tmp_path / "loans.jsonl"
    file.write_text('{"id": "L1", "principal": "1000"}\n{"id": "L2"}\nnonsense\n{"principal": "1", "tenor": 3}\n', encoding="utf-8")
    done = qqloan("loan", "schedule", file, *BASE[2:])
    assert done.code == 3 and [json.loads(line)["id"] for line in done.out.splitlines()] == ["L1"]
    assert f"is missing ({file}, line 2, principal)" in done.err and f"not a JSON object ({file}, line 3)" in done.err and "line 4, tenor" in done.err
    assert "3 of 4 lines are no contract" in done.err


@pytest.mark.parametrize("options, said", [
    (["--principal", "12000"], "is missing (--annual-rate)"), ([*BASE, "--method", "balloon"], "--method"), ([*BASE, "--rate-change", "2026-02-01"], "is not DATE:RATE"),
    ([*BASE, "--format", "yaml"], "format-unknown"), ([*BASE, "--annual-rate", "much"], "--annual-rate"), ([*BASE, "--charge", "x:1:sometimes"], "--charge"),
])
def test_a_wrong_setting_is_one_line_and_names_the_option(options, said):
    done = qqloan("loan", "schedule", *options)
    assert done.code == 2 and said in done.err and done.err.count("\n") == 1


def test_working_days_that_nobody_has_announced_are_said_and_not_guessed():
    far = [*BASE[:-1], "2031-01-31", "--business-days", "following"]
    assert "calendar-unannounced" in qqloan("loan", "schedule", *far).err and "2031" in qqloan("loan", "schedule", *far).err
    assert qqloan("loan", "schedule", *BASE, "--business-days", "following").err == ""
    assert qqloan("loan", "schedule", *far[:-2]).err == ""
