"""After the money leaves: what falls due, what pays it, what is late, and a ledger that says so whatever the order in which it came to be known."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest
from book_of import DAY, book, close, events, fen, from_the_drawdowns, ledger, loan, panel, post, state
from conftest import call, done
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from qqloan_cli.servicing import close as servicing_close
from qqloan_cli.servicing.book import Book

NO_GRACE = {"grace_days = 3": "grace_days = 0"}
THREE = [("2024-02-10", 1000, 30), ("2024-03-10", 1000, 20), ("2024-04-10", 1000, 10)]


def _one(tmp_path: Path, rows: list[dict], at: str, servicing: dict | None = None, dues: list[tuple] = THREE, **more) -> dict:
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", dues, **more)], servicing if servicing is not None else NO_GRACE)
    if rows:
        post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", **row} for row in rows]))
    close(root, at)
    return state(root, at)["L1"]


# --- days past due ---


@pytest.mark.parametrize(("day", "dpd"), [("2024-02-10", 0), ("2024-03-10", 0), ("2024-03-11", 1), ("2024-03-12", 0)])
def test_a_loan_is_not_late_on_its_due_day_and_not_on_the_day_it_is_paid(tmp_path, day, dpd):
    """Trouble G17: due 10 March, paid 12 March. The day's payments are booked before it is asked how late the loan is."""
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", [("2024-02-10", 100, 0), ("2024-03-10", 100, 0), ("2024-04-10", 100, 0)])])
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": 100}, {"loan_id": "L1", "value_date": "2024-03-12", "amount": "100.00"}]))
    close(root, "2024-03-31")
    assert state(root, day)["L1"]["dpd"] == dpd


def test_days_count_from_the_oldest_unpaid_due_date(tmp_path):
    row = _one(tmp_path, [{"value_date": "2024-03-15", "amount": 1000}], "2024-04-20")
    assert (row["dpd"], row["oldest_due_date"], row["status"]) == (70, DAY("2024-02-10"), "overdue")  # 1000 did not cover the first and its penalty


@pytest.mark.parametrize(("dpd", "named"), [(0, "normal"), (7, "normal"), (8, "special_mention"), (90, "special_mention"), (91, "substandard"), (270, "substandard"), (271, "doubtful"), (361, "loss")])
def test_five_classes_by_days_past_due(tmp_path, dpd, named):
    at = (DAY("2024-02-10") + datetime.timedelta(dpd)).isoformat()
    assert _one(tmp_path, [], at)["class"] == named


# --- what pays what ---


def test_money_counts_for_fees_then_penalty_then_interest_then_principal(tmp_path):
    """
    Due 10 February: principal 1000, interest 30; a fee of 5. Thirty days late at 18 % on 1000 over 360: penalty 15. 40 comes in: 5, 15, 20
    """
    row = _one(tmp_path, [{"kind": "fee", "value_date": "2024-02-20", "amount": 5}, {"value_date": "2024-03-09", "amount": 34}], "2024-03-09")
    assert (row["fees_fen"], row["penalty_fen"], row["interest_fen"], row["principal_due_fen"]) == (0, 0, 3000 - 1500, 100_000)  # 28 days: 14.00


def test_the_order_is_part_of_the_product(tmp_path):
    """By instalments: interest of the second is not paid before principal of the first."""
    rows = [{"value_date": "2024-03-10", "amount": 500}]
    across = _one(tmp_path / "c", rows, "2024-03-10")
    (tmp_path / "i").mkdir(exist_ok=True)
    down = _one(tmp_path / "i", rows, "2024-03-10", NO_GRACE | {'across = "components"': 'across = "instalments"'})
    assert across["interest_fen"] == 0 and down["interest_fen"] == 2000
    assert across["owed_fen"] == down["owed_fen"] and across["principal_due_fen"] == down["principal_due_fen"] + 2000


def test_money_before_its_time_waits_for_the_next_instalment(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-01-20", "amount": 1500}]))
    close(root, "2024-04-30")
    assert state(root, "2024-01-31")["L1"]["advance_fen"] == 150_000
    assert (state(root, "2024-02-10")["L1"]["advance_fen"], state(root, "2024-02-10")["L1"]["dpd"]) == (47_000, 0)
    assert state(root, "2024-03-10")["L1"]["owed_fen"] == 102_000 - 47_000


def test_waived_interest_is_no_money_and_touches_no_principal(tmp_path):
    """Trouble G18: due principal 880, interest 120. 50 of interest is waived; 120.01 could not be."""
    rows = [{"kind": "waiver", "component": "interest", "value_date": "2024-02-10", "amount": 50}]
    row = _one(tmp_path, rows, "2024-02-10", dues=[("2024-02-10", 880, 120), ("2024-03-10", 880, 0)])
    assert (row["interest_fen"], row["principal_due_fen"], row["principal_fen"]) == (7_000, 88_000, 176_000)
    assert ledger(tmp_path / "b", "event_id = 'E1'") == {"waived": 5_000, "interest": -5_000}

    too_much = tmp_path / "more"
    too_much.mkdir()
    row = _one(too_much, [{**rows[0], "amount": "120.01"}], "2024-02-10", dues=[("2024-02-10", 880, 120)])
    assert row["interest_fen"] == 12_000
    assert duckdb.sql(f"SELECT event_id, reason FROM '{too_much}/b/exceptions.parquet'").fetchall() == [("E1", "more interest is waived than is owed")]


def test_penalty_runs_on_principal_past_its_grace_and_stops_in_a_pause(tmp_path):
    """1000 late, 18 % over 360: 0.50 a day. Three days of grace; from 1 to 10 March nothing runs."""
    rows = [{"kind": "pause", "value_date": "2024-03-01", "until": "2024-03-10"}]
    at = "2024-03-09"
    assert _one(tmp_path / "a", [], at, {})["penalty_fen"] == 50 * 25
    row = _one(tmp_path / "b", rows, at, {})
    assert row["penalty_fen"] == 50 * 17 and row["dpd"] == 28
    assert row["delinquent_days"] == 28 - 3 - 8  # of the pause, 1 to 8 March are over


def test_the_penalty_of_a_year_is_the_same_however_often_it_is_looked_at(tmp_path):
    """A balance whose penalty a day is a part of a fen: nightly closes lose none."""
    dues = [("2024-02-10", "7.77", 0)]
    row = _one(tmp_path, [], "2025-02-09", dues=dues)
    assert row["penalty_fen"] == round(777 * 0.18 * 365 / 360)


# --- early, over, off ---


def test_early_principal_pays_interest_to_the_day_and_lowers_what_is_to_come(tmp_path):
    """
    1200 at 12 %, three of 400 (interest monthly). On 25 January, half a month in, 606 comes as prepayment: interest 6, principal 600
    """
    dues = [("2024-02-10", 396.03, 12), ("2024-03-10", 399.99, 8.04), ("2024-04-10", 403.98, 4.04)]
    row = _one(tmp_path, [{"kind": "prepayment", "value_date": "2024-01-25", "amount": 606}], "2024-01-25", dues=dues)
    assert (row["principal_fen"], row["interest_fen"], row["advance_fen"], row["instalments_to_come"]) == (60_000, 0, 0, 3)
    assert row["next_due_date"] == DAY("2024-02-10") and 20_000 < row["next_due_fen"] < 20_500
    kept = _one(tmp_path / "s", [{"kind": "prepayment", "value_date": "2024-01-25", "amount": 606}], "2024-01-25", NO_GRACE | {'early = "lower"': 'early = "shorten"'}, dues)
    assert (kept["principal_fen"], kept["instalments_to_come"]) == (60_000, 2)


def test_a_prepayment_of_all_ends_the_loan_and_what_is_over_waits_to_be_given_back(tmp_path):
    row = _one(tmp_path, [{"kind": "prepayment", "value_date": "2024-01-25", "amount": 4000}], "2024-06-30", dues=[("2024-02-10", 1000, 30), ("2024-03-10", 2000, 20)])
    assert (row["status"], row["principal_fen"], row["owed_fen"], row["next_due_date"]) == ("paid", 0, 0, None)
    assert row["advance_fen"] == 400_000 - 300_000 - 1_500


def test_a_written_off_loan_is_off_the_books_and_what_comes_later_is_a_recovery(tmp_path):
    row = _one(tmp_path, [{"kind": "write_off", "value_date": "2024-05-01"}, {"value_date": "2024-06-01", "amount": 100}], "2024-06-30")
    assert (row["status"], row["class"], row["principal_fen"], row["owed_fen"], row["recovered_fen"]) == ("written_off", "loss", 0, 0, 10_000)
    assert row["written_off_fen"] > 300_000 + 6_000
    found = ledger(tmp_path / "b")
    assert found["recovery"] == -10_000 and found["principal"] == found["interest"] == found["penalty"] == 0 and found["written_off"] == row["written_off_fen"]


def test_a_restructured_loan_owes_nothing_late_and_stays_under_watch(tmp_path):
    rows = [{"kind": "restructure", "value_date": "2024-06-01", "annual_rate": 0.06, "term_months": 6}]
    row = _one(tmp_path, rows, "2024-06-01")
    assert (row["dpd"], row["principal_due_fen"], row["instalments_to_come"], row["class"]) == (0, 0, 6, "substandard")  # as bad as it was
    assert row["principal_fen"] == 300_000 + 6_000 and row["next_due_date"] == DAY("2024-06-10") and row["restructured_on"] == DAY("2024-06-01")
    total = _one(tmp_path / "later", rows, "2024-12-31")
    assert total["principal_due_fen"] == 306_000 and total["instalments_to_come"] == 0


def test_interest_that_was_paid_early_is_not_paid_again(tmp_path):
    """
    3000 at 12 %, drawn 10 January: on the 25th interest of 15 days is 15.00. What comes in on the same day again owes none
    """
    rows = [{"kind": "prepayment", "value_date": "2024-01-25", "amount": 515}, {"kind": "prepayment", "value_date": "2024-01-25", "amount": 500}]
    row = _one(tmp_path, rows, "2024-01-25")
    assert (row["principal_fen"], row["accrued_interest_fen"]) == (200_000, 0)
    assert _one(tmp_path / "later", rows, "2024-01-28")["accrued_interest_fen"] == 2_000 * 12 * 3 // 360


def test_what_waits_pays_a_fee_at_once_and_comes_off_what_is_written_off(tmp_path):
    rows = [{"value_date": "2024-01-20", "amount": 100}, {"kind": "fee", "value_date": "2024-01-21", "amount": 5}]
    row = _one(tmp_path, rows, "2024-01-21")
    assert (row["fees_fen"], row["advance_fen"]) == (0, 9_500)
    off = _one(tmp_path / "off", [*rows, {"kind": "write_off", "value_date": "2024-01-22"}], "2024-01-31")
    assert (off["written_off_fen"], off["advance_fen"], off["principal_fen"]) == (300_000 - 9_500, 0, 0)


def test_a_loan_that_owes_penalty_is_not_paid_in_the_panel_either(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", [("2024-02-10", 1000, 0)])], servicing={'allocation = ["fees", "penalty", "interest", "principal"]': 'allocation = ["fees", "interest", "principal", "penalty"]'})
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-03-10", "amount": 1000}]))
    close(root, "2024-04-30")
    assert state(root, "2024-04-30")["L1"]["status"] == "current" and state(root, "2024-04-30")["L1"]["penalty_fen"] > 0
    assert [row["status"] for row in panel(root, "2024-01-31", "2024-04-30")] == ["current", "overdue", "current", "current"]


def test_nobody_is_late_by_less_than_the_tolerance(tmp_path):
    """
    0.10 of each of three instalments is not paid: late by two years without a tolerance, and not late with one of 0.50
    """
    rows = [{"value_date": f"2024-0{month}-10", "amount": f"{amount}.90"} for month, amount in ((2, 1029), (3, 1019), (4, 1009))]
    assert _one(tmp_path, rows, "2026-02-10")["class"] == "loss"
    row = _one(tmp_path / "some", rows, "2026-02-10", servicing={"tolerance = 0.00": "tolerance = 0.50"})
    assert (row["dpd"], row["class"]) == (0, "normal") and 0 < row["owed_fen"] < 100


def _class_at(tmp_path, rows, at, **config) -> str:
    root = book(tmp_path / at, [loan("L1", "2024-01-10", [(f"{2024 + (m > 12)}-{(m - 1) % 12 + 1:02}-10", 100, 3) for m in range(2, 22)])], **config)
    post(root, events(tmp_path / f"{at}.csv", [{"loan_id": "L1", **row} for row in rows]))
    close(root, at)
    return state(root, at)["L1"]["class"]


def test_a_restructured_loan_is_watched_for_a_year_and_two_instalments(tmp_path):
    """
    Ten days late and restructured on 20 February 2024, then paid as agreed: under watch to 19 February 2025; restructured again within it: bad
    """
    rows = [{"kind": "restructure", "value_date": "2024-02-20", "term_months": 20}] + [{"kind": "repayment", "value_date": "2024-02-21", "amount": 1500}]
    assert _class_at(tmp_path, rows, "2024-02-21") == _class_at(tmp_path, rows, "2025-02-19") == "special_mention"
    assert _class_at(tmp_path, rows, "2025-02-20") == "normal"
    again = rows + [{"kind": "restructure", "value_date": "2024-09-20", "term_months": 12}]
    assert _class_at(tmp_path / "again", again, "2024-09-20") == "substandard"


def test_a_bad_loan_that_pays_up_is_cured_after_six_months_and_two_instalments(tmp_path):
    """
    Nothing is paid until 15 May 2024, 95 days after the first due date; then all that is due and to come of the year. A re-age hides nothing either
    """
    rows = [{"kind": "repayment", "value_date": "2024-05-15", "amount": 1500}]
    assert _class_at(tmp_path, rows, "2024-05-15") == _class_at(tmp_path, rows, "2024-11-14") == "substandard"
    assert _class_at(tmp_path, rows, "2024-11-15") == "normal"
    assert _class_at(tmp_path / "re-age", [{"kind": "re_age", "value_date": "2024-05-15"}], "2024-05-16") == "substandard"
    assert _class_at(tmp_path / "sooner", [{"kind": "repayment", "value_date": "2024-04-15", "amount": 1500}], "2024-04-16") == "normal"


def test_where_policy_says_so_a_borrowers_loans_are_as_bad_as_the_worst(tmp_path):
    loans = [loan(f"L{n}", "2024-01-10", [(due, 100, 1)], applicant_id="P") for n, due in enumerate(("2024-02-10", "2024-06-10"))]
    for by, expected in (("loan", ["substandard", "normal"]), ("borrower", ["substandard", "substandard"])):
        root = book(tmp_path / by, loans, servicing={'by = "loan"': f'by = "{by}"'})
        close(root, "2024-05-31")
        assert [row["class"] for row in state(root, "2024-05-31").values()] == expected


def test_a_re_aged_loan_keeps_its_rate_and_its_end(tmp_path):
    row = _one(tmp_path, [{"kind": "re_age", "value_date": "2024-03-20"}], "2024-03-20")
    assert (row["dpd"], row["instalments_to_come"], row["next_due_date"], row["re_aged"]) == (0, 1, DAY("2024-04-10"), 1)


def test_nothing_happens_to_a_loan_of_which_nothing_is_left(tmp_path):
    rows = [{"kind": "prepayment", "value_date": "2024-01-25", "amount": 4000}, {"kind": "restructure", "value_date": "2024-02-01", "term_months": 3}]
    assert _one(tmp_path, rows, "2024-03-31")["status"] == "paid"
    assert duckdb.sql(f"SELECT event_id, reason FROM '{tmp_path}/b/exceptions.parquet'").fetchall() == [("E2", "nothing is left of the loan")]


# --- what comes late, twice, back, or for nobody ---


def test_a_late_file_counts_from_its_value_date_and_what_was_said_stands_beside_it(tmp_path):
    """
    Paid on 10 February; the file comes on 5 March, after February was closed
    """
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)], NO_GRACE)
    close(root, "2024-03-04")
    before = state(root, "2024-03-01")["L1"]
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": 1030}]))
    close(root, "2024-03-09")
    now = state(root, "2024-03-01")["L1"]
    assert (before["dpd"], before["restated"]) == (20, False)
    assert (now["dpd"], now["penalty_fen"], now["restated"], now["dpd_said"], now["owed_said_fen"]) == (0, 0, True, 20, before["owed_fen"])
    assert state(root, "2024-03-01", known_at="2024-03-04")["L1"] == before
    assert ledger(root, "posted_at <= DATE '2024-03-04'")["penalty"] == 950  # booked at the end of February: 19 days of 0.50
    assert ledger(root)["penalty"] == 0 and ledger(root)["interest"] == 0
    assert duckdb.sql(f"SELECT DISTINCT posted_at FROM '{root}/ledger/*.parquet' WHERE event_id IN ('E1', 'penalty') AND posted_at > DATE '2024-03-01'").fetchall() == [(DAY("2024-03-05"),)]


def test_a_reversed_payment_never_was_once_the_reversal_is_there(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)], NO_GRACE)
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": 1030}, {"event_id": "R", "kind": "reversal", "reverses": "E1", "value_date": "2024-02-13"}]))
    close(root, "2024-02-29")
    assert state(root, "2024-02-12", known_at="2024-02-12")["L1"]["dpd"] == 0
    row = state(root, "2024-02-12")["L1"]
    assert (row["dpd"], row["restated"], row["dpd_said"]) == (2, True, 0)
    assert state(root, "2024-02-20")["L1"]["dpd"] == 10 and ledger(root)["cash"] == -300_000


def test_the_same_event_twice_is_one_and_another_with_its_number_is_refused(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    row = {"loan_id": "L1", "value_date": "2024-02-10", "amount": 1030}
    post(root, events(tmp_path / "e.csv", [row]))
    again = post(root, events(tmp_path / "again.csv", [row, {**row, "event_id": "E1"}]))
    assert (again["rows"], again["posted"], again["repeated"]) == (2, 0, 2)
    assert post(root, events(tmp_path / "other.csv", [{**row, "amount": 1031}]))["refused"] == 1
    found = duckdb.sql(f"SELECT file, row, rule FROM '{root}/quarantine/00003.parquet'").fetchall()
    assert found == [("other.csv", 1, "event-conflict")]
    close(root, "2024-02-29")
    assert ledger(root)["cash"] == 103_000 - 300_000


def test_of_two_rows_that_contradict_each_other_in_one_file_neither_is_taken(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    row = {"event_id": "E1", "loan_id": "L1", "value_date": "2024-02-10", "amount": 1030}
    post(root, events(tmp_path / "e.csv", [row, {**row, "amount": 5}]))
    assert duckdb.sql(f"SELECT row, rule FROM '{root}/quarantine/00001.parquet' ORDER BY 1").fetchall() == [(1, "event-conflict"), (2, "event-conflict")]


@pytest.mark.parametrize(("row", "rule"), [
    ({"amount": ""}, "amount-missing"), ({"amount": "-5"}, "amount-not-positive"), ({"value_date": "30 February"}, "not-a-date"), ({"kind": "present"}, "kind-unknown"),
    ({"kind": "reversal"}, "reverses-missing"), ({"kind": "waiver", "component": "principal"}, "component-missing"), ({"kind": "pause", "until": "2024-01-01"}, "until-missing"),
    ({"kind": "fee", "loan_id": ""}, "loan-id-missing"), ({"event_id": ""}, "event-id-missing"), ({"kind": "restructure", "term_months": 0}, "term-wrong"),
])
def test_a_row_that_cannot_be_is_refused_by_name(tmp_path, row, rule):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": 5, **row}, {"loan_id": "L1", "value_date": "2024-02-10", "amount": 6}]))
    assert duckdb.sql(f"SELECT row, rule FROM '{root}/quarantine/00001.parquet'").fetchall() == [(1, rule)]
    assert json.loads((root / "book.json").read_text())["posts"][0]["posted"] == 1


def test_money_without_a_loan_waits_until_its_loan_is_named(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)], NO_GRACE)
    post(root, events(tmp_path / "e.csv", [{"loan_id": "l-one", "value_date": "2024-02-10", "amount": 1030}]))
    close(root, "2024-02-20")
    assert ledger(root)["unmatched"] == -103_000 and state(root, "2024-02-20")["L1"]["dpd"] == 10
    assert duckdb.sql(f"SELECT event_id, reason FROM '{root}/exceptions.parquet'").fetchall() == [("E1", "the book has no such loan")]
    post(root, events(tmp_path / "m.csv", [{"event_id": "M", "kind": "match", "loan_id": "L1", "reverses": "E1", "value_date": "2024-02-21"}]))
    close(root, "2024-02-29")
    assert ledger(root)["unmatched"] == 0 and ledger(root)["cash"] == 103_000 - 300_000
    row = state(root, "2024-02-20")["L1"]
    assert (row["dpd"], row["restated"], row["dpd_said"]) == (0, True, 10)
    assert duckdb.sql(f"SELECT count(*) FROM '{root}/exceptions.parquet'").fetchall() == [(0,)]


def test_one_broken_loan_stops_only_itself_and_is_listed(tmp_path):
    whole, broken = loan("L1", "2024-01-10", THREE), loan("L2", "2024-01-10", THREE, principal_fen=1)
    root = book(tmp_path / "b", [whole, broken])
    close(root, "2024-02-29")
    found = state(root, "2024-02-29")
    assert (found["L1"]["status"], found["L2"]["status"], found["L2"]["dpd"]) == ("overdue", "broken", None)
    assert duckdb.sql(f"SELECT loan_id, event_id, reason FROM '{root}/exceptions.parquet'").fetchall() == [("L2", None, "the instalments do not add up to the loan")]


# --- days ---


def test_a_closed_day_is_closed_and_an_open_one_cannot_be_asked(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    close(root, "2024-02-29")
    paid = events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": 5}])
    for arguments, ref in [
        (("close", "--to", "2024-02-29"), "day-closed"), (("post", paid, "--received", "2024-02-29"), "day-closed"),
        (("state", "--at", "2024-03-01", "--out", tmp_path / "s.parquet"), "day-not-closed"), (("state", "--at", "2024-02-01", "--known-at", "2024-01-31", "--out", tmp_path / "s.parquet"), "known-at-wrong"),
    ]:
        refused = call("servicing", *arguments, "--book", root)
        assert refused.code == 2 and ref in refused.err and len(refused.err.strip().splitlines()) == 1
    assert not (tmp_path / "s.parquet").exists()
    assert call("servicing", "close", "--book", tmp_path / "none", "--to", "2024-02-29").code == 2


def _digests(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in [*sorted((root / "ledger").glob("*")), root / "exceptions.parquet"]}


def _many(rng: np.random.Generator, loans: int) -> tuple[list[dict], list[dict]]:
    """Loans and events of every kind, some reversed, some of nobody."""
    made, told = [], []
    for number in range(loans):
        months = int(rng.integers(1, 7))
        first = datetime.date(2024, 1, int(rng.integers(1, 29)))
        dues = [((datetime.date(2024, 2 + k, first.day)).isoformat(), int(rng.integers(1, 200)), int(rng.integers(0, 20)), int(rng.integers(0, 3))) for k in range(months)]
        made.append(loan(f"L{number}", first.isoformat(), dues, method=["equal_instalment", "equal_principal", "interest_only"][number % 3], product=["cash_loan", "renovation_loan"][number % 2]))
        for _ in range(int(rng.integers(0, 7))):
            kind = ["repayment", "repayment", "repayment", "prepayment", "fee", "waiver", "pause", "restructure", "re_age", "write_off"][int(rng.integers(0, 10))]
            day = datetime.date(2024, 1, 1) + datetime.timedelta(int(rng.integers(0, 240)))
            row = {"event_id": f"E{len(told)}", "loan_id": f"L{number}" if rng.random() < 0.95 else "nobody", "kind": kind, "value_date": day.isoformat()}
            row |= {
                "repayment": {"amount": int(rng.integers(1, 300))}, "prepayment": {"amount": int(rng.integers(1, 900))}, "fee": {"amount": int(rng.integers(1, 9))},
                "waiver": {"amount": int(rng.integers(1, 9)), "component": ["fees", "penalty", "interest"][int(rng.integers(0, 3))]}, "pause": {"until": (day + datetime.timedelta(20)).isoformat()},
                "restructure": {"term_months": int(rng.integers(1, 12)), "annual_rate": "0.06"},
            }.get(kind, {})
            told.append(row)
            if rng.random() < 0.15:
                told.append({"event_id": f"E{len(told)}", "kind": "reversal", "reverses": row["event_id"], "value_date": (day + datetime.timedelta(int(rng.integers(0, 30)))).isoformat()})
    return made, told


def test_nightly_or_at_once_in_any_order_of_files_the_same_bytes(tmp_path):
    rng = np.random.default_rng(11)
    loans, told = _many(rng, 40)
    whole = book(tmp_path / "whole", loans, buckets=2)
    post(whole, events(tmp_path / "all.csv", told))
    close(whole, "2024-09-30")
    shuffled = [told[i] for i in rng.permutation(len(told))]
    nightly = book(tmp_path / "nightly", loans, buckets=2)
    for part in range(5):
        post(nightly, events(tmp_path / f"{part}.csv", shuffled[part::5]))
    for day in [*(f"2024-02-{day:02}" for day in range(8, 14)), "2024-02-29", "2024-05-17", "2024-05-18", "2024-06-03", "2024-06-04", "2024-09-29", "2024-09-30"]:
        close(nightly, day)
    assert _digests(whole) == _digests(nightly)
    assert state(whole, "2024-09-30") == state(nightly, "2024-09-30")


def test_files_that_come_night_after_night_end_in_the_bytes_of_one_close_over_all_of_them(tmp_path, monkeypatch):
    """Late ones, reversals and matches among them. A night looks only at loans to which something happens, and gathers old files; the one close looks at all."""
    monkeypatch.setattr(servicing_close, "GATHERED", 3)
    rng = np.random.default_rng(23)
    loans, told = _many(rng, 40)
    told += [{"event_id": f"M{n}", "kind": "match", "loan_id": f"L{n}", "reverses": row["event_id"], "value_date": "2024-04-01"} for n, row in enumerate(told) if row.get("loan_id") == "nobody"][:4]
    nights = [datetime.date(2024, 2, 25) + datetime.timedelta(int(n)) for n in range(0, 63, 9)]
    came = {night: [] for night in nights}
    for row in told:
        came[nights[int(rng.integers(0, len(nights)))]].append(row)
    nightly, once = book(tmp_path / "nightly", loans, buckets=2), book(tmp_path / "once", loans, buckets=2)
    for night, rows in came.items():
        if not rows:
            continue
        path = events(tmp_path / f"{night}.csv", rows)
        post(once, path, night.isoformat())
        if Book.open(nightly).closed_to != night - datetime.timedelta(1):
            close(nightly, (night - datetime.timedelta(1)).isoformat())
        post(nightly, path)
        close(nightly, night.isoformat())
    for root in (nightly, once):
        close(root, "2024-09-30")
    assert _digests(nightly) == _digests(once)
    assert [path for path in (nightly / "events").iterdir() if "-" in path.stem] and len(list((nightly / "events").iterdir())) < len(nights)
    assert state(nightly, "2024-04-15") == state(once, "2024-04-15")
    assert state(nightly, "2024-04-15", "2024-04-20") == state(once, "2024-04-15", "2024-04-20")
    anew = from_the_drawdowns(nightly)
    assert state(nightly, "2024-09-30") == state(anew, "2024-09-30")
    for first, last in (("2024-01-01", "2024-09-30"), ("2024-04-01", "2024-08-31"), ("2024-08-01", "2024-09-30")):
        assert panel(nightly, first, last) == panel(anew, first, last)


@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))  # a book is dear to make: no shrinking
@given(seed=st.integers(0, 10_000), split=st.integers(1, 200), across=st.booleans(), excess=st.booleans())
def test_debits_are_credits_on_every_date_and_the_ledger_is_the_state(tmp_path_factory, seed, split, across, excess):
    """Also where half of it came late: as known at any time, and by value date."""
    rng = np.random.default_rng(seed)
    loans, told = _many(rng, 12)
    tmp_path = tmp_path_factory.mktemp("book")
    edits = {'across = "components"': f'across = "{"components" if across else "instalments"}"', 'excess = "hold"': f'excess = "{"hold" if excess else "principal"}"'}
    root = book(tmp_path / "b", loans, edits)
    late = rng.random(len(told)) < 0.4
    post(root, events(tmp_path / "a.csv", [row for row, is_late in zip(told, late) if not is_late]))
    middle = (datetime.date(2024, 2, 1) + datetime.timedelta(split)).isoformat()
    close(root, middle)
    said = state(root, middle)
    post(root, events(tmp_path / "z.csv", [{**row, "event_id": row["event_id"]} for row, is_late in zip(told, late) if is_late]))
    close(root, "2024-10-31")
    unbalanced = duckdb.sql(f"SELECT * FROM (SELECT value_date, posted_at, loan_id FROM '{root}/ledger/*.parquet' GROUP BY ALL HAVING sum(debit_fen) <> sum(credit_fen))").fetchall()
    assert unbalanced == []
    assert duckdb.sql(f"SELECT count(*) FROM '{root}/ledger/*.parquet' WHERE debit_fen < 0 OR credit_fen < 0 OR posted_at < value_date").fetchall() == [(0,)]
    again = state(root, middle, known_at=middle)
    assert again == said
    for at in (middle, "2024-10-31"):
        rows = state(root, at).values()
        booked = ledger(root, f"value_date <= DATE '{at}'")
        assert sum(row["principal_fen"] for row in rows) == booked.get("principal", 0)
        for name in ("interest", "fees"):
            assert sum(row[f"{name}_fen"] for row in rows) == booked.get(name, 0), (at, name)
        assert sum(row["advance_fen"] for row in rows) == -booked.get("advance", 0)
        assert sum(row["recovered_fen"] for row in rows) == -booked.get("recovery", 0)
        grown = sum(row["penalty_fen"] for row in rows) - booked.get("penalty", 0)
        assert grown >= 0 and (at != "2024-10-31" or grown == 0)  # booked at the end of each month, and whenever the loan moves


def test_a_book_as_a_run_opens_it(lender_run, tmp_path):
    """Every tranche is a loan; what was generated for it can be posted; the truth is found again."""
    root, told = tmp_path / "book", tmp_path / "told.csv"
    done("servicing", "open", lender_run, "--book", root, "--quiet")
    assert "run-in-book" in call("servicing", "open", lender_run, "--book", root).err
    done("generate", "repayments", lender_run, "--months", 6, "--seed", 5, "--out", told, "--quiet")
    before = told.read_bytes()
    done("generate", "repayments", lender_run, "--months", 6, "--seed", 5, "--out", told, "--quiet")
    assert told.read_bytes() == before
    post(root, told)
    book_json = json.loads((root / "book.json").read_text())
    [(tranches, lent)] = duckdb.sql(f"SELECT count(DISTINCT (application_id, tranche_no)), CAST(sum(amount_fen) AS BIGINT) FROM '{lender_run}/disburse_plan/*.parquet'").fetchall()
    assert (book_json["opens"][0]["loans"], book_json["opens"][0]["principal_fen"]) == (tranches, lent)
    at = (datetime.date.fromisoformat(book_json["opened_on"]) + datetime.timedelta(31 * 6)).isoformat()
    close(root, at)
    found = state(root, at)
    truth = duckdb.sql(f"SELECT loan_id, behaviour, stops_with_instalment FROM '{tmp_path}/told.truth.csv'").fetchall()
    assert set(found) <= {loan_id for loan_id, *_ in truth} and len(truth) == tranches
    stopped = [found[loan_id] for loan_id, behaviour, stops in truth if behaviour == "stops" and loan_id in found and stops <= 4 and found[loan_id]["instalments_fallen"] >= stops + 1]
    assert stopped and all(row["dpd"] > 0 for row in stopped)
    punctual = [found[loan_id] for loan_id, behaviour, _ in truth if behaviour == "punctual" and loan_id in found]
    assert sum(row["dpd"] > 0 for row in punctual) < 0.2 * len(punctual)  # but for those that were reversed or went astray


def test_a_loan_keeps_what_was_agreed_when_it_was_lent(tmp_path):
    """A later run's configuration has another order; the earlier loan's money still counts by its own."""
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)], NO_GRACE)
    later = book(tmp_path / "later", [loan("L2", "2024-01-10", THREE)], NO_GRACE | {'across = "components"': 'across = "instalments"'})
    shutil.copytree(later / "opens" / "00001", root / "opens" / "00002")
    duckdb.execute(f"COPY (SELECT * REPLACE ('later' AS run_id) FROM '{later}/opens/00001/loans/000.parquet') TO '{root}/opens/00002/loans/000.parquet' (FORMAT parquet)")
    document = json.loads((root / "book.json").read_text())
    document["opens"].append({**document["opens"][0], "number": 2, "run_id": "later"})
    (root / "book.json").write_text(json.dumps(document))
    post(root, events(tmp_path / "e.csv", [{"loan_id": name, "value_date": "2024-03-10", "amount": 500} for name in ("L1", "L2")]))
    close(root, "2024-03-10")
    found = state(root, "2024-03-10")
    assert (found["L1"]["interest_fen"], found["L2"]["interest_fen"]) == (0, 2000)


def test_a_dry_run_counts_and_writes_nothing(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    before = sorted(path.name for path in root.rglob("*"))
    paid = events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": 5}, {"value_date": "2024-02-10", "amount": "x"}])
    said = done("servicing", "post", paid, "--book", root, "--dry-run").err + done("servicing", "close", "--book", root, "--to", "2024-02-29", "--dry-run").err
    assert "1 would be posted" in said and "1 refused" in said and "would close 2024-01-10 to 2024-02-29" in said
    assert sorted(path.name for path in root.rglob("*")) == before


def test_a_killed_step_leaves_the_book_as_it_was(tmp_path):
    """What a killed post or close left beside is nobody's: the next one clears it."""
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    shutil.copytree(root, tmp_path / "as-was")
    (root / ".posts-00001").mkdir()
    (root / ".posts-00001" / "events.parquet").write_bytes(b"half")
    (root / "events").mkdir()
    (root / "events" / "00001.parquet").write_bytes(b"renamed, and book.json not written")
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": 1030}]))
    close(root, "2024-02-29")
    assert state(root, "2024-02-29")["L1"]["dpd"] == 0 and not list(root.glob(".*"))
    assert fen("10.30") == 1030
