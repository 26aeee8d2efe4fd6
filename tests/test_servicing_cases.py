"""Trouble that others had after the money left: smallest loans, odd first months, moved due dates, money after a write-off, and panels that cannot be measured."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from book_of import book, close, events, ledger, loan, post, state

from qqloan_cli.errors import InputError
from qqloan_cli.loans.contract import Contract
from qqloan_cli.loans.instalments import instalments
from qqloan_cli.loans.schedule import Terms, schedule
from qqloan_cli.servicing.measures import MEASURES, measure

NO_GRACE = {"grace_days = 3": "grace_days = 0"}


def test_the_file_of_trouble_g17(shared, tmp_path):
    """Due 10 March, paid 12 March: 0 days on the due date, 1 on the 11th (the worst of the month, for a day's payments count before it is asked), 0 once it is paid."""
    told = pd.read_csv(shared / "cases" / "files" / "g17_due_day.csv").set_index("event")
    root = book(tmp_path / "b", [loan("L1", told.date["drawdown"], [(told.date["due"], told.principal["due"], told.interest["due"])])])
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": told.date["paid"], "amount": f"{told.principal['paid'] + told.interest['paid']:.2f}"}]))
    close(root, "2024-03-31")
    assert [state(root, day)["L1"]["dpd"] for day in ("2024-03-10", "2024-03-11", "2024-03-12")] == [0, 1, 0]


# --- a written-off loan that is still collected (frappe/erpnext#37638) ---


def test_money_after_a_write_off_is_a_recovery_and_money_before_it_that_comes_late_is_not(tmp_path):
    """Off on 1 May with 2000 and no interest. 100 of 20 April becomes known in June, 70 came in June, 30 of it bounced."""
    dues = [("2024-03-10", 1000, 0), ("2024-04-10", 1000, 0)]
    root = book(tmp_path / "b", [loan("L", "2024-01-10", dues, rate=0, penalty=0)], NO_GRACE)
    post(root, events(tmp_path / "e.csv", [{"event_id": "W", "loan_id": "L", "kind": "write_off", "value_date": "2024-05-01"}]))
    close(root, "2024-05-31")
    post(root, events(tmp_path / "f.csv", [
        {"event_id": "late", "loan_id": "L", "value_date": "2024-04-20", "amount": 100}, {"event_id": "A", "loan_id": "L", "value_date": "2024-06-03", "amount": 40},
        {"event_id": "B", "loan_id": "L", "value_date": "2024-06-04", "amount": 30}, {"event_id": "back", "kind": "reversal", "reverses": "B", "value_date": "2024-06-10"},
    ]))
    close(root, "2024-06-30")
    row, said = state(root, "2024-06-30")["L"], state(root, "2024-05-31", known_at="2024-05-31")["L"]
    assert (row["status"], row["written_off_fen"], row["recovered_fen"], row["principal_fen"]) == ("written_off", 190_000, 4_000, 0)
    assert (said["written_off_fen"], state(root, "2024-05-31")["L"]["written_off_fen"]) == (200_000, 190_000)
    assert ledger(root) == {"cash": 14_000 - 200_000, "principal": 0, "written_off": 190_000, "recovery": -4_000}


# --- a first period of part of a month (frappe/lending#42) ---


def test_a_loan_that_is_paid_off_within_an_odd_first_period_pays_for_its_days(tmp_path):
    """1200 at 12 %, drawn 20 January, first due 10 February. Paid off on the 30th: ten days of thirty-day months, 4.00; of 365, 3.95."""
    dues = [("2024-02-10", 400, "8.00"), ("2024-03-10", 400, "8.00"), ("2024-04-10", 400, "4.00")]
    interest = {"cash_loan": 400, "renovation_loan": 395}
    root = book(tmp_path / "b", [loan(product, "2024-01-20", dues, product=product) for product in interest], NO_GRACE, {'day_count = "30/360"\n': 'day_count = "act/365"\n'})
    post(root, events(tmp_path / "e.csv", [{"loan_id": product, "kind": "prepayment", "value_date": "2024-01-30", "amount": 1300} for product in interest]))
    close(root, "2024-01-31")
    for product, row in state(root, "2024-01-30").items():
        assert (row["status"], row["principal_fen"], row["advance_fen"]) == ("paid", 0, 10_000 - interest[product])


# --- a loan of 0.50 or less, split (apache/fineract#5206) ---


def test_a_loan_of_a_few_fen_is_repaid_early_agreed_anew_and_paid_to_the_fen(tmp_path):
    """1 to 50 fen in twelve instalments: early repayment that lowers and that shortens, and a restructuring over 36 months; all is paid in the end, and not a fen more."""
    sizes = np.arange(1, 51)
    made = schedule(Terms(sizes, np.full(50, 120_000), np.full(50, 12)))
    days = [f"{2024 + month // 12}-{month % 12 + 1:02}-10" for month in range(1, 13)]
    kinds = {"lower": "cash_loan", "shorten": "bridge_loan", "restructure": "cash_loan"}
    dues = {size: [(day, principal / 100, interest / 100) for day, principal, interest in zip(days, made.principal_fen[size - 1].tolist(), made.interest_fen[size - 1].tolist())] for size in sizes.tolist()}
    loans = [loan(f"{kind}-{size}", "2024-01-10", dues[size], penalty=0, product=product)
             for kind, product in kinds.items() for size in sizes.tolist()]
    root = book(tmp_path / "b", loans, NO_GRACE | {"# --- classes ---": '[product.bridge_loan]\nearly = "shorten"\n\n# --- classes ---'})
    early, anew = {"kind": "prepayment", "amount": "0.20"}, {"kind": "restructure", "term_months": 36}
    told = [{"event_id": f"{one['loan_id']}-a", "loan_id": one["loan_id"], "value_date": "2024-03-25", **(anew if "restructure" in one["loan_id"] else early)} for one in loans]
    told += [{"event_id": f"{one['loan_id']}-b", "loan_id": one["loan_id"], "kind": "prepayment", "amount": "1.00", "value_date": "2027-06-30"} for one in loans]
    post(root, events(tmp_path / "e.csv", told))
    close(root, "2027-06-30")
    anew, end = state(root, "2024-03-25"), state(root, "2027-06-30")
    assert all(row["status"] == "paid" and row["principal_fen"] == row["owed_fen"] == 0 for row in end.values())
    assert all(row["principal_fen"] >= 0 and (row["next_due_fen"] or 0) >= 0 and row["owed_fen"] >= 0 for row in anew.values())
    booked = duckdb.sql(f"""SELECT loan_id, CAST(sum(debit_fen) FILTER (WHERE account = 'cash') AS BIGINT),
          CAST(sum(debit_fen - credit_fen) FILTER (WHERE account IN ('interest_income', 'advance')) AS BIGINT)
        FROM '{root}/ledger/*.parquet' GROUP BY ALL""").fetchall()
    assert all(came == int(name.split("-")[1]) - kept for name, came, kept in booked)  # what came is the loan, its interest, and what is given back


# --- due dates on days that are not worked (apache/fineract#110, #219, #284) ---


def test_a_loan_is_late_from_the_day_after_its_due_date_as_it_was_moved(tmp_path):
    """15 February 2026 is within the Spring Festival: the next working day is the 24th, the one before, which is made up for, Saturday the 14th."""
    second = {"none": "2026-02-15", "following": "2026-02-24", "preceding": "2026-02-14"}
    rows = {rule: instalments(Contract.model_validate({"principal": "3000", "annual_rate": "0", "instalments": 3, "start": "2025-12-15", "business_days": rule})) for rule in second}
    root = book(tmp_path / "b", [loan(rule, "2025-12-15", [(row.pay_date.isoformat(), row.principal, row.interest) for row in of], rate=0, penalty=0) for rule, of in rows.items()], NO_GRACE)
    post(root, events(tmp_path / "e.csv", [{"event_id": rule, "loan_id": rule, "value_date": of[0].pay_date.isoformat(), "amount": 1000} for rule, of in rows.items()]))
    close(root, "2026-02-28")
    assert {rule: row["oldest_due_date"].isoformat() for rule, row in state(root, "2026-02-25").items()} == second
    assert {rule: row["dpd"] for rule, row in state(root, "2026-02-24").items()} == {"none": 9, "following": 0, "preceding": 10}


# --- panels of others ---


def _panel(path: Path, sql: str) -> Path:
    duckdb.execute(f"COPY ({sql}) TO '{path}'")
    return path


GOOD = "SELECT 'a' AS loan_id, DATE '2024-01-31' AS month, 4 AS dpd, 100 AS balance_fen"


@pytest.mark.parametrize("wanted", MEASURES)
@pytest.mark.parametrize(("change", "ref", "says"), [
    ("WHERE false", "panel-empty", "no rows"), ("REPLACE NULL AS dpd", "panel-row-lacks", "1 rows"), ("REPLACE -40 AS dpd", "panel-row-lacks", "1 rows"),
    ("REPLACE NULL AS loan_id", "panel-row-lacks", "1 rows"),
    ("REPLACE 'x' AS dpd", "panel-value", "1 values of dpd"), ("REPLACE '31 January' AS month", "panel-value", "1 values of month"),
    ("REPLACE 'much' AS balance_fen", "panel-value", "1 values of balance_fen"),
])
def test_a_panel_that_cannot_be_measured_is_refused_by_name(tmp_path, wanted, change, ref, says):
    """Nothing is measured of nothing (great_expectations#7432), and a loan of which nobody says how late it is is not the latest of all."""
    sql = f"{GOOD} {change}" if change.startswith("WHERE") else f"SELECT * REPLACE ({change.removeprefix('REPLACE ')}) FROM ({GOOD})"
    with pytest.raises(InputError) as refused:
        measure([_panel(tmp_path / "p.parquet", sql)], wanted)
    assert ref in str(refused.value) and says in str(refused.value)


def test_files_of_several_months_have_the_same_columns_in_any_order_and_type_or_are_refused(tmp_path):
    """Parquet files of several months with other types, or a column missing (duckdb#15600, #22399): whichever is named first."""
    january = _panel(tmp_path / "1.parquet", GOOD)
    february = _panel(tmp_path / "2.csv", "SELECT 77.0 AS balance_fen, 35::BIGINT AS dpd, 'a' AS loan_id, DATE '2024-02-29' AS month")
    lacking = _panel(tmp_path / "3.parquet", "SELECT 'a' AS loan_id, DATE '2024-03-31' AS month, 66 AS dpd")
    wanted = [("M1", 100), ("M2", 77)]
    for order in ([january, february], [february, january]):
        assert [(row["bucket"], row["balance_fen"]) for row in measure(order, "ageing").to_pylist()] == wanted
    for order in ([january, lacking], [lacking, january]):
        with pytest.raises(InputError, match="panel-files-differ: the file lacks balance_fen.*3.parquet"):
            measure(order, "ageing")


def test_a_loan_that_was_late_early_and_then_left_counts_where_its_cohort_is_old_enough(tmp_path):
    """Two of January: one is 124 days late in May and is seen no more, one is seen for a year. One of November that is late already: too young to say."""
    rows = [{"loan_id": "sold", "month": f"2024-{m:02}-28", "dpd": 31 * (m - 1)} for m in range(1, 6)] + [{"loan_id": "good", "month": f"2024-{m:02}-28", "dpd": 0} for m in range(1, 13)]
    rows += [{"loan_id": "young", "month": f"2024-{m}-28", "dpd": dpd} for m, dpd in ((11, 70), (12, 101))]
    pd.DataFrame(rows).to_csv(tmp_path / "p.csv", index=False)
    assert [(row["loans"], row["early_payment_default"]) for row in measure([tmp_path / "p.csv"], "early").to_pylist()] == [(2, 0.5), (1, None)]
