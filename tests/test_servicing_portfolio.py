"""Measures of a portfolio against published figures, on real accounts, and on a book whose truth is known."""

from __future__ import annotations

import json
import random
import zipfile
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from book_of import DAY, book, close, events, fen, loan, post, state
from conftest import call, done

from qqloan_cli.loans.schedule import METHODS, Rounding
from qqloan_cli.servicing import transitions
from qqloan_cli.servicing.account import FAR, KINDS, Accounts, How
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.measured_book import measured_book
from qqloan_cli.servicing.measures import measure
from qqloan_cli.servicing.panel import write_panel
from qqloan_cli.servicing.portfolio import portfolio

ORACLES = Path(__file__).parent / "oracles"
PUBLISHED = {case["id"]: case for case in json.loads((ORACLES / "transitions.json").read_text(encoding="utf-8"))}


def _rows(table: pa.Table) -> list[dict]:
    return table.to_pylist()


# --- movements between states ---


def test_the_duration_method_gives_a_chance_to_what_nobody_did_in_one_step():
    case = PUBLISHED["TM1"]
    counts = np.array([[0, 1, 0], [1, 0, 1], [0, 0, 0]])
    years = np.array([float(Fraction(case["firm_years"]["A"])), float(Fraction(case["firm_years"]["B"])), 1.0])
    rates = transitions.generator(counts, years)
    assert np.allclose(rates, case["generator"], atol=1e-8)
    assert np.allclose(transitions.over(rates, 1.0), case["duration_one_year"], atol=1e-8)
    assert np.allclose(transitions.cohort([[9, 1, 0], [1, 8, 1], [0, 0, 0]]), case["cohort"])
    one = lambda i, j: np.array([[1 if (a, b) == (i, j) else 0 for b in range(3)] for a in range(3)])  # noqa: E731
    moves = [(one(0, 1), np.array([10, 10, 0])), (one(1, 0), np.array([9, 11, 0])), (one(1, 2), np.array([10, 10, 0]))]
    assert np.allclose(transitions.aalen_johansen(moves), [[float(Fraction(cell)) for cell in row] for row in case["aalen_johansen"]])


def test_who_left_is_taken_out_of_what_the_shares_are_of():
    case = PUBLISHED["TM3"]
    given = np.array(case["with_withdrawn_column_pct"])
    found = transitions.without_left(given[:, :-1], given[:, -1] / 100)
    assert np.abs(found - case["after_removing_pct"]).max() < case["tolerance_pct_points"]


def test_roll_rates_keep_who_left_apart_and_do_not_count_who_is_new(tmp_path):
    case = PUBLISHED["TM5"]
    rows = [{"loan_id": name, "month": DAY("2024-01-31"), "dpd": bucket * 30, "balance_fen": case["balances_month_1"][name]} for name, bucket in case["month_1"].items()]
    rows += [{"loan_id": name, "month": DAY("2024-02-29"), "dpd": bucket * 30, "balance_fen": 1} for name, bucket in case["month_2"].items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "panel.parquet")
    names = {"M0": 0, "M1": 1, "M2": 2, "M3": 3, "M4": 3, "left": 4}
    counts, amounts = np.zeros((4, 5), int), np.zeros((4, 5), int)
    for row in _rows(measure([tmp_path / "panel.parquet"], "rolls")):
        at = names[row["from_bucket"]], names[row["to_bucket"]]
        counts[at] += row["loans"]
        amounts[at] += row["balance_fen"]
    assert counts.tolist() == case["counts"] and amounts.tolist() == case["amounts_month_1"]


def test_a_roll_rate_is_of_the_balance_of_the_month_before(tmp_path):
    case = PUBLISHED["TM6"]
    rows = [{"loan_id": f"L{n}", "month": DAY("2024-01-31"), "dpd": 45, "balance_fen": int(case["balance_month_1"]) // 5} for n in range(5)]
    rows += [{"loan_id": f"L{n}", "month": DAY("2024-02-29"), "dpd": 75 if n == 0 else 45, "balance_fen": 1} for n in range(5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    rolled = {row["to_bucket"]: row for row in _rows(measure([tmp_path / "p.parquet"], "rolls"))}
    assert (rolled["M3"]["balance_fen"], f"{rolled['M3']['share_of_balance']:.2%}") == (int(case["of_those_month_2"]), case["roll_rate"])


# --- real accounts ---


def test_real_card_accounts_roll_as_their_publisher_counted(shared, tmp_path):
    """credit_record: a million months of 46,000 accounts. Status 0 is 1 to 29 days late, 1 is 30 to 59, ... 5 more than 149; C paid, X none."""
    packed = shared / "data" / "credit_record" / "credit_record.zip"
    with zipfile.ZipFile(packed) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".csv")]
        archive.extract(name, tmp_path)
    panel = tmp_path / "panel.parquet"
    duckdb.execute(f"""COPY (
        SELECT CAST(ID AS VARCHAR) AS loan_id, last_day(DATE '2020-01-01' + INTERVAL (MONTHS_BALANCE) MONTH) AS month,
          CASE STATUS WHEN 'X' THEN 0 WHEN 'C' THEN 0 ELSE CAST(STATUS AS INTEGER) * 30 + 15 END AS dpd, CASE WHEN STATUS = 'C' THEN 'paid' ELSE 'open' END AS status
        FROM read_csv('{tmp_path / name}', all_varchar = false)) TO '{panel}'""")
    rolls = measure([panel], "rolls")  # noqa: F841  read by name
    shares = {}
    for row in _rows(duckdb.sql("SELECT from_bucket, to_bucket, sum(loans) AS loans FROM rolls WHERE to_bucket <> 'left' GROUP BY ALL").to_arrow_table()):
        shares[row["from_bucket"], row["to_bucket"]] = int(row["loans"])
    of = {bucket: sum(loans for (from_, _), loans in shares.items() if from_ == bucket) for bucket, _ in shares}
    found = {pair: round(100 * loans / of[pair[0]], 1) for pair, loans in shares.items()}
    assert (found["M1", "M2"], found["M2", "M3"], found["M2", "M1"], found["M5", "M6"]) == (1.9, 5.2, 49.9, 66.5)
    worst = duckdb.sql(f"SELECT avg(CAST(w >= 75 AS INT)), avg(CAST(w >= 105 AS INT)) FROM (SELECT max(dpd) AS w FROM '{panel}' GROUP BY loan_id)").fetchall()[0]
    assert [round(100 * share, 2) for share in worst] == [1.45, 0.72]
    vintages = _rows(measure([panel], "vintages"))
    last = {row["cohort"]: row for row in vintages}
    ever = sum(row["ever_60"] * row["loans"] for row in last.values()) / sum(row["loans"] for row in last.values())
    assert round(100 * ever, 2) == 1.45
    assert all(a["ever_30"] <= b["ever_30"] for a, b in zip(vintages, vintages[1:]) if a["cohort"] == b["cohort"])


# --- payments as another servicing system works them out ---


def _by_days(excess: str, shorten: bool = False) -> How:
    """Act/365 interest, a level in whole units, halves to even: the product of these cases."""
    return How(("penalty", "fees", "interest", "principal"), "instalments", excess, 0, 365, True, shorten, 0, METHODS.index("equal_instalment"), 365, 0,
               Rounding("half_even", "half_even", payment_unit_fen=100), tolerance_fen=0, bad_dpd=91, watch_months=12, cure_months=6)


@pytest.mark.parametrize(("case", "excess", "shorten"), [("FE05", "hold", False), ("FE08", "principal", False), ("FE11", "principal", True), ("FE12", "principal", False), ("FE02", "principal", False)])
def test_part_large_and_early_payments_agree_with_fineract_to_the_cent(case, excess, shorten):
    """What is owed after the payments, and every instalment that is still to come. FE05: later interest is not raised by what is late."""
    told = next(c for c in json.loads((ORACLES / "fineract_payments.json").read_text(encoding="utf-8")) if c["id"] == case)
    expected = told["expected"][-1]["schedule"]
    days = lambda text: np.datetime64(text).astype("datetime64[D]").astype(int)  # noqa: E731
    # The schedule before any payment: the level is 862, interest by real days.
    balance, last, dues = 500_000, days("2022-11-01"), []
    for number, due in enumerate(["2022-12-01", "2023-01-01", "2023-02-01", "2023-03-01", "2023-04-01", "2023-05-01"]):
        interest = round(balance * 12 * (days(due) - last) / 36_500)
        principal = balance if number == 5 else 86_200 - interest
        dues.append((days(due), interest, principal))
        balance, last = balance - principal, days(due)
    due = np.array([[d for d, *_ in dues]])
    amounts = np.array([[[0] * 6], [[i for _, i, _ in dues]], [[p for *_, p in dues]]])
    accounts = Accounts(_by_days(excess, shorten), np.array([days("2022-11-01")]), np.array([120_000]), np.array([0]), due, amounts)
    paid = [event for event in told["events"] if event["kind"] == "repayment"]
    n = len(paid)
    columns = {"event": np.arange(n), "fen": np.array([fen(event["amount"]) for event in paid]), "part": np.zeros(n, int), "rate_ppm": np.full(n, -1), "term": np.zeros(n, int)}
    accounts.happen(np.zeros(n, int), np.array([days(event["date"]) for event in paid]), np.full(n, KINDS.index("repayment")), columns, np.array([days(told["expected"][-1]["as_of"])]))
    to_come = [(int(accounts.due[0, k]), int(accounts.amounts[2, 0, k]), int(accounts.amounts[1, 0, k])) for k in range(int(accounts.fallen[0]), int(accounts.count[0]))]
    wanted = [(days(row["due"]), fen(row["principal"]), fen(row["interest"])) for row in expected if "due" in row and days(row["due"]) > days(told["expected"][-1]["as_of"])]
    assert to_come == wanted
    assert (accounts.due < FAR).sum() == accounts.count[0]


LATENESS = {case["id"]: case for case in json.loads((ORACLES / "fineract_delinquency.json").read_text(encoding="utf-8"))["cases"]}


@pytest.mark.parametrize("case", ["FD01", "FD03", "FD04", "FD05"])
def test_days_late_and_days_that_count_agree_with_fineract(tmp_path, case):
    """
    Four of 250 every fifteen days, the first on the day of drawdown; three days of grace; what is paused does not count. Theirs names the
    day after a pause as its end, and leaves what falls due on the day itself out of what is late.
    """
    told = LATENESS[case]
    dues = [("2023-10-01", 250, 0), ("2023-10-16", 250, 0), ("2023-10-31", 250, 0), ("2023-11-15", 250, 0)]
    root = book(tmp_path / "b", [loan("L", "2023-10-01", dues, rate=0, penalty=0)])
    rows = [{"loan_id": "L", "value_date": event["date"], "amount": event["amount"]} for event in told["events"] if event["kind"] == "repayment"]
    rows += [{"loan_id": "L", "kind": "pause", "value_date": event["start"], "until": (DAY(event["end"]) - timedelta(1)).isoformat()} for event in told["events"] if event["kind"] == "delinquency_pause"]
    if rows:
        post(root, events(tmp_path / "e.csv", rows))
    close(root, "2023-12-31")
    bounds = {"RANGE_1": (1, 3), "RANGE_3": (4, 30), "RANGE_30": (31, 60), "RANGE_60": (61, 90)}
    for expected in told["expected"]:
        row = state(root, expected["as_of"])["L"]
        if "loan_delinquency" in expected:
            wanted = expected["loan_delinquency"]
            due_today = 25_000 * (expected["as_of"] in {day for day, *_ in dues})
            assert (row["dpd"], row["delinquent_days"], row["owed_fen"] - due_today) == (wanted["past_due_days"], wanted["delinquent_days"], fen(wanted["amount"])), expected["as_of"]
        elif case != "FD05" and (expected["after_events"] == len(told["events"]) or not rows):
            oldest = max(expected["instalment_delinquency"], key=lambda part: bounds[part["bucket"]][0])
            assert bounds[oldest["bucket"]][0] <= row["dpd"] <= bounds[oldest["bucket"]][1]
            assert row["owed_fen"] == sum(fen(part["amount"]) for part in expected["instalment_delinquency"])


# --- a panel of a book ---


def test_a_panel_follows_every_loan_to_its_end_and_agrees_with_the_states(tmp_path):
    dues = [("2024-02-10", 1000, 30), ("2024-03-10", 1000, 20), ("2024-04-10", 1000, 10)]
    root = book(tmp_path / "b", [loan(name, "2024-01-10", dues) for name in ("paid", "late", "off")] + [loan("new", "2024-03-05", [("2024-04-05", 500, 5)])])
    post(root, events(tmp_path / "e.csv", [
        {"loan_id": "paid", "value_date": "2024-02-01", "amount": 3060}, {"loan_id": "off", "kind": "write_off", "value_date": "2024-05-20"}, {"loan_id": "off", "value_date": "2024-06-05", "amount": 60},
    ]))
    close(root, "2024-06-30")
    out = tmp_path / "panel.parquet"
    rows = write_panel(Book.open(root), DAY("2024-01-31"), DAY("2024-06-30"), out, 1)
    panel = pq.read_table(out).to_pylist()
    assert len(panel) == rows == 4 + 6 + 6 + 4  # paid leaves after the month in which it was paid; new comes in March
    by = {(row["loan_id"], row["month"].isoformat()): row for row in panel}
    for day in ("2024-02-29", "2024-04-30", "2024-06-30"):
        for name, row in state(root, day).items():
            if (name, day) in by:
                assert by[name, day]["dpd"] == row["dpd"] and (row["status"] == "written_off" or by[name, day]["balance_fen"] == row["principal_fen"])
    assert by["paid", "2024-04-30"]["status"] == "paid" and by["new", "2024-03-31"]["mob"] == 0
    assert by["off", "2024-06-30"]["balance_fen"] == by["off", "2024-05-31"]["balance_fen"] - 6_000
    aged = {(row["month"].isoformat(), row["bucket"]): row["loans"] for row in _rows(measure([out], "ageing"))}
    assert aged["2024-03-31", "M0"] == 2 and aged["2024-03-31", "M2"] == 2 and aged["2024-06-30", "written_off"] == 1
    early = {row["cohort"].isoformat(): row for row in _rows(measure([out], "early"))}
    assert (early["2024-01-01"]["first_payment_default"], early["2024-03-01"]["first_payment_default"]) == (round(2 / 3, 6), 1.0)


def test_a_cure_is_seen_and_so_is_a_relapse(tmp_path):
    late = {"cured": [0, 40, 70, 100, 0, 0, 0, 0, 0], "again": [0, 40, 70, 100, 0, 40, 70, 100, 130], "never": [0, 40, 70, 100, 130, 160, 190, 220, 250]}
    rows = [{"loan_id": name, "month": DAY(f"2024-{m + 1:02}-28"), "dpd": dpd, "balance_fen": 100} for name, days in late.items() for m, dpd in enumerate(days)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    [row] = _rows(measure([tmp_path / "p.parquet"], "cures"))
    assert (row["defaults"], row["cured"], row["again"], row["cure_rate"], row["redefault_rate"]) == (3, 2, 1, round(2 / 3, 6), 0.5)


def test_measures_on_the_command_line(lender_run, tmp_path):
    root, told, panel = tmp_path / "book", tmp_path / "told.csv", tmp_path / "panel.parquet"
    done("servicing", "open", lender_run, "--book", root, "--quiet")
    done("generate", "repayments", lender_run, "--months", 4, "--out", told, "--quiet")
    done("servicing", "post", told, "--book", root, "--quiet")
    opened = DAY(json.loads((root / "book.json").read_text())["opened_on"])
    to = opened.replace(day=1, month=opened.month % 12 + 1, year=opened.year + (opened.month == 12)).replace(day=28).isoformat()
    done("servicing", "close", "--book", root, "--to", to, "--quiet")
    done("servicing", "panel", "--book", root, "--to", to, "--out", panel, "--quiet")
    rows = json.loads(done("servicing", "measure", panel, "--format", "json").out)["rows"]
    assert rows and {row["bucket"] for row in rows} <= {"M0", "M1", "M2", "M3", "paid"}
    for arguments, ref in [(("measure", panel, "-m", "hope"), "measure-unknown"), (("measure", told), "panel-lacks"), (("measure", root / "book.json"), "panel-unreadable"),
                           (("panel", "--book", root, "--to", "2099-01-01", "--out", tmp_path / "x.parquet"), "day-not-closed")]:
        refused = call("servicing", *arguments)
        assert refused.code in (2, 3) and ref in refused.err and len(refused.err.strip().splitlines()) == 1


@pytest.mark.parametrize("buckets", [1, 4])
def test_a_book_as_it_stands(tmp_path, buckets):
    """
    Four of 1000 in two instalments, not late, 40, 100 and 300 days late; one is restructured, and bad until it pays on the day; one paid; one written off
    """
    at = "2024-12-31"
    late = {"good": "2025-02-10", "m2": "2024-11-21", "m4": "2024-09-22", "m10": "2024-03-06"}
    dues = {name: [(day, 500, 0), ("2025-06-10", 500, 0)] for name, day in late.items()}
    loans = [loan(name, "2024-01-10", due, penalty=0, region=f"R{n % 2}", pd=0.04) for n, (name, due) in enumerate(dues.items())]
    loans += [loan(name, "2024-01-10", [("2024-03-10", 1000, 0)], rate=0, penalty=0) for name in ("agreed", "paid", "off")]
    root = book(tmp_path / "b", loans, buckets=buckets)
    post(root, events(tmp_path / "e.csv", [
        {"loan_id": "agreed", "kind": "restructure", "value_date": "2024-06-01", "term_months": 24}, {"loan_id": "paid", "kind": "prepayment", "value_date": "2024-02-01", "amount": 1000},
        {"loan_id": "off", "kind": "write_off", "value_date": "2024-07-01"}, {"loan_id": "off", "value_date": "2024-08-01", "amount": 10}, {"loan_id": "agreed", "value_date": "2024-12-31", "amount": 1000},
    ]))
    close(root, at)
    found = {name: _rows(table) for name, table in portfolio(Book.open(root), DAY(at), 1).items()}
    rows = state(root, at)
    assert {name: rows[name]["dpd"] for name in late} == {"good": 0, "m2": 40, "m4": 100, "m10": 300}
    classes = {row["class"]: row for row in found["classes"]}
    left = rows["agreed"]["principal_fen"]
    assert {name: (row["loans"], row["principal_fen"]) for name, row in classes.items()} == {
        "normal": (1, 100_000), "special_mention": (1, 100_000), "substandard": (2, 100_000 + left), "doubtful": (1, 100_000)}
    assert {name: row["provision_fen"] for name, row in classes.items()} == {
        "normal": 1_000, "special_mention": 2_000, "substandard": 25_000 + round(left * 0.25), "doubtful": 50_000}
    stages = {row["stage"]: row for row in found["stages"]}
    assert {stage: row["loans"] for stage, row in stages.items()} == {1: 1, 2: 1, 3: 3}
    assert stages[3]["expected_loss_fen"] == sum(round(0.65 * (rows[name]["principal_fen"] + rows[name]["accrued_interest_fen"])) for name in ("m4", "m10", "agreed")) and stages[3]["pd"] == 1
    assert stages[1]["expected_loss_fen"] == round(0.04 * 2 / 12 * 0.65 * rows["good"]["principal_fen"] + 0.04 * 2 / 12 * 0.65 * rows["good"]["accrued_interest_fen"])
    concentration = {row["what"]: row for row in found["concentration"]}
    total = 400_000 + left
    assert concentration["borrower"]["parties"] == 5 and concentration["source"]["hhi"] == 1
    assert concentration["region"]["hhi"] == round((2 * 200_000**2 + left**2) / total**2, 6)
    assert {name: row["parties"] for name, row in concentration.items()} == {"borrower": 5, "source": 1, "region": 3, "product": 1, "grade": 1}
    assert (concentration["product"]["largest_share"], concentration["borrower"]["largest_share"]) == (1, round(max(left, 100_000) / total, 6))
    months = {row["month"].isoformat(): row for row in found["yields"]}
    assert (months["2024-02-01"]["early_fen"], months["2024-02-01"]["smm"]) == (100_000, round(1 / 7, 6))
    assert (months["2024-07-01"]["lost_fen"], months["2024-08-01"]["recovered_fen"]) == (100_000, 1_000)
    assert months["2024-12-01"]["closing_fen"] == total and months["2024-01-01"]["cpr"] is None
    shown = done("servicing", "portfolio", "--book", root, "--at", at, "--view", "classes", "--format", "json")
    assert json.loads(shown.out)["rows"][0]["class"] == "normal"
    assert "view-unknown" in call("servicing", "portfolio", "--book", root, "--at", at, "--view", "hope").err


def test_a_book_measured_by_bucket_is_its_panel_measured_whole(tmp_path):
    """
    Sixty loans of twelve instalments, of three cohorts, that stop paying when chance says so; in four buckets
    """
    rng = random.Random(7)
    loans, paid = [], []
    for n in range(60):
        start = DAY(f"2024-{1 + n % 3:02d}-05")
        dues = [(f"{start.year + (start.month + k) // 12}-{(start.month + k) % 12 + 1:02d}-05", 100, 1) for k in range(12)]
        loans.append(loan(f"L{n:02d}", str(start), dues, penalty=0))
        paid += [{"loan_id": f"L{n:02d}", "value_date": due[0], "amount": 101} for due in dues[: rng.randrange(13)]]
    root = book(tmp_path / "b", loans, buckets=4)
    post(root, events(tmp_path / "e.csv", paid))
    close(root, "2025-03-31")
    out = tmp_path / "panel.parquet"
    write_panel(Book.open(root), DAY("2024-01-01"), DAY("2025-03-31"), out, 1)
    found = measured_book(Book.open(root), DAY("2025-03-31"), 1, tmp_path / "panels")
    assert {name: found[name].equals(measure([out], name)) for name in found} == {name: True for name in ("ageing", "rolls", "vintages", "early", "cures")}
    assert sorted(_rows(pq.read_table(tmp_path / "panels")), key=lambda row: (row["loan_id"], row["month"])) == _rows(pq.read_table(out))
