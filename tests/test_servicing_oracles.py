"""The book of loans against another servicing system's figures: which are the same to the cent, and for each of the rest, why not."""

from __future__ import annotations

import datetime
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pytest
from book_of import DAY, book, close, events, fen, loan, post, state
from conftest import ROOT

from qqloan_cli.loans.annual_cost import irr
from qqloan_cli.loans.contract import Contract
from qqloan_cli.loans.cost import cost
from qqloan_cli.loans.due_dates import due_dates
from qqloan_cli.loans.instalments import instalments

ORACLES = ROOT / "tests" / "oracles"
TOLD = json.loads((ORACLES / "fineract_servicing.json").read_text(encoding="utf-8"))
PAYMENTS = TOLD["cases"]


def _books(folder: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """By case, (theirs, ours) in fen of every figure: what is due and unpaid on each due date to come if nothing more is paid; what was paid
    of each part by the next due date; the principal left. Cases that count interest alike share a book; what else they agree on is a product's."""
    groups = defaultdict(list)
    for case in PAYMENTS:
        groups[case["agreed"]] += [(f"{case['id']}-{n}", case, told) for n, told in enumerate(case["expected"])]
    figures = defaultdict(dict)
    for number, (agreed, asked) in enumerate(groups.items()):
        root, edits = folder / f"b{number}", TOLD["agreed"][agreed]
        loans = [loan(name, case["drawn_on"], case["dues"], rate=float(case["annual_rate_pct"]) / 100, penalty=0, product=case["product"]) for name, case, _ in asked]
        book(root, loans, edits["servicing"], edits["products"])
        post(root, events(folder / f"{number}.csv", [row for name, case, told in asked for row in _rows(name, case, told)]))
        on = defaultdict(set)
        for name, case, told in asked:
            for day in {told["as_of"]} | {due for due, *_ in case["dues"] + told.get("outstanding", [])}:
                on[day] |= {name} if day >= told["as_of"] else set()
        close(root, max(on))
        found = {day: state(root, day) for day in sorted(on) if on[day]}
        for name, case, told in asked:
            at = f"{told['as_of']}, after event {told['after_events']}"
            for day in [day for day in found if name in on[day] and "outstanding" in told]:
                figures[case["id"]][f"{at}: due and unpaid on {day}"] = sum(fen(left) for due, left in told["outstanding"] if due <= day), found[day][name]["owed_fen"]
            if "paid" in told:
                next_due = next((due for due, *_ in case["dues"] if due >= told["as_of"]), told["as_of"])
                figures[case["id"]] |= {f"{at}: {part} paid": (fen(told["paid"][part]), paid) for part, paid in _paid(root, name, next_due).items()}
                figures[case["id"]][f"{at}: principal left"] = fen(told["balance"]), found[told["as_of"]][name]["principal_fen"]
    return figures


def _rows(name: str, case: dict, told: dict) -> list[dict]:
    rows = [{"event_id": f"{name}-{n}", "loan_id": name, "kind": kind, "value_date": day, "amount": amount} for n, (after, kind, day, amount) in enumerate(case["events"]) if after <= told["after_events"]]
    for row in rows:
        if row["kind"] == "reversal":
            row["reverses"] = next(other["event_id"] for other in rows if other["kind"] == "repayment")
    return rows


def _paid(root: Path, name: str, day: str) -> dict[str, int]:
    """With money, by a day: what came early is held until then."""
    booked = dict(duckdb.sql(f"SELECT account, CAST(sum(credit_fen) AS BIGINT) FROM '{root}/ledger/*.parquet' WHERE loan_id = '{name}' AND value_date <= DATE '{day}' GROUP BY ALL").fetchall())
    return {"principal": booked.get("principal", 0), "interest": booked.get("interest", 0), "charges": booked.get("fees", 0) + booked.get("penalty", 0)}


@pytest.fixture(scope="session")
def held(tmp_path_factory) -> dict[str, dict[str, tuple[int, int]]]:
    return _books(tmp_path_factory.mktemp("fineract"))


@pytest.mark.parametrize("case", PAYMENTS, ids=lambda case: case["id"])
def test_a_case_agrees_to_the_cent_but_for_what_is_written_down_with_its_reason(held, case):
    differ = {name: list(pair) for name, pair in held[case["id"]].items() if pair[0] != pair[1]}
    assert differ == {name: pair for entry in case["differs"] for name, pair in entry["figures"].items()}
    assert all(len(entry["reason"]) > 20 for entry in case["differs"])


def test_the_share_that_agrees(held):
    pairs = [pair for figures in held.values() for pair in figures.values()]
    whole = [case["id"] for case in PAYMENTS if not case["differs"]]
    print(f"{len(whole)} of {len(PAYMENTS)} cases, {sum(theirs == ours for theirs, ours in pairs)} of {len(pairs)} figures")
    assert [len(whole), len(PAYMENTS), sum(theirs == ours for theirs, ours in pairs), len(pairs)] == TOLD["agree"]


# --- how late: the buckets of the same system ---

LATENESS = json.loads((ORACLES / "fineract_delinquency.json").read_text(encoding="utf-8"))["cases"]
_BUCKETS = {"NO_DELINQUENCY": (0, 0), "RANGE_1": (1, 3), "RANGE_3": (4, 30), "RANGE_30": (31, 60), "RANGE_60": (61, 90)}
_DUES = [("2023-10-01", 250, 0), ("2023-10-16", 250, 0), ("2023-10-31", 250, 0), ("2023-11-15", 250, 0)]


@pytest.fixture(scope="session")
def lateness(tmp_path_factory) -> dict[str, tuple]:
    """(theirs, ours) of every figure of the five cases: one loan for each number of events that they ask after."""
    folder, asked = tmp_path_factory.mktemp("late"), [(f"{case['id']} after {told['after_events']}", case, told) for case in LATENESS for told in case["expected"]]
    root = book(folder / "b", [loan(name, "2023-10-01", _DUES, rate=0, penalty=0) for name in sorted({name for name, *_ in asked})])
    rows = {}
    for name, case, told in asked:
        for n, event in enumerate(case["events"][: told["after_events"]]):
            kind = {"repayment": "repayment", "charge": "fee", "delinquency_pause": "pause"}.get(event["kind"])
            if kind:
                # theirs names the day after a pause as its end
                until = {"until": (DAY(event["end"]) - datetime.timedelta(1)).isoformat()} if kind == "pause" else {"amount": event["amount"]}
                rows[name, n] = {"event_id": f"{name}-{n}", "loan_id": name, "kind": kind, "value_date": event.get("due", event["date"]), **until}
    post(root, events(folder / "e.csv", list(rows.values())))
    close(root, "2023-12-31")
    found = {day: state(root, day) for day in sorted({told["as_of"] for *_, told in asked})}
    figures = {}
    for name, _, told in asked:
        row, at = found[told["as_of"]][name], f"{name}, {told['as_of']}"
        due_today = sum(fen(amount) for day, amount, _ in _DUES if day == told["as_of"])  # theirs is late from the day after
        if "loan_delinquency" in told:
            of = told["loan_delinquency"]
            figures[f"{at}: days past due"] = of["past_due_days"], row["dpd"]
            figures[f"{at}: days that count"] = of["delinquent_days"], row["delinquent_days"]
            figures[f"{at}: since"] = of["delinquent_since"], (row["oldest_due_date"] + datetime.timedelta(3)).isoformat()
            figures[f"{at}: owed"] = fen(of["amount"]), row["owed_fen"] - due_today
            figures[f"{at}: bucket"] = of["bucket"], next(bucket for bucket, (low, high) in _BUCKETS.items() if low <= row["delinquent_days"] <= high)
        if "instalment_delinquency" in told:
            of = told["instalment_delinquency"]
            figures[f"{at}: owed by instalments"] = sum(fen(part["amount"]) for part in of), row["owed_fen"] - due_today
            figures[f"{at}: bucket of the oldest"] = max(of, key=lambda part: _BUCKETS[part["bucket"]])["bucket"], next(bucket for bucket, (low, high) in _BUCKETS.items() if low <= row["dpd"] <= high)
    return figures


def test_days_late_and_what_is_owed_agree_with_fineract_but_for_what_is_written_down(lateness):
    told = TOLD["lateness"]
    assert {name: list(pair) for name, pair in lateness.items() if pair[0] != pair[1]} == {name: pair for entry in told["differs"] for name, pair in entry["figures"].items()}
    assert [sum(a == b for a, b in lateness.values()), len(lateness)] == told["agree"]


# --- the other oracles: is every case held? ---

TAKEN = json.loads((ORACLES / "taken.json").read_text(encoding="utf-8"))
_OF_LOANS = ("apr_effective_annual", "apr_regz", "daycount", "due_dates", "fineract_delinquency", "fineract_payments", "fineract_schedules_cumulative", "fineract_schedules_progressive", "irr",
             "published_schedules", "transitions")


def _ids(told) -> set[str]:
    if isinstance(told, dict):
        return {told["id"]} | set().union(*map(_ids, told.values())) if isinstance(told.get("id"), str) else set().union(*map(_ids, told.values()))
    return set().union(*map(_ids, told)) if isinstance(told, list) else set()


def test_every_case_of_the_oracles_is_held_or_says_why_not(shared):
    asked = {case for name in _OF_LOANS for case in _ids(json.loads((shared / "oracles" / f"{name}.json").read_text(encoding="utf-8")))}
    held = {case for path in ORACLES.glob("*.json") for case in _ids(json.loads(path.read_text(encoding="utf-8")))}
    rest = asked - held
    print(f"{len(asked - rest)} of {len(asked)} cases stand in tests/oracles; {len(TAKEN['held_elsewhere'])} are held by a test of their own")
    assert rest == set(TAKEN["held_elsewhere"]) | set(TAKEN["not_held"])
    assert {test.split("::")[1] for test in TAKEN["held_elsewhere"].values()} <= set(globals())


def _printed(case: dict) -> list[dict]:
    rows = case.get("expected_rows") or case.get("expected") or []
    return [row for row in (rows[0]["schedule"] if rows and "schedule" in rows[0] else rows) if "disbursed" not in row]


def test_every_printed_row_of_other_programs_and_books_or_why_not(shared):
    """Not only the rows that tests/oracles/contracts.json copied."""
    contracts = {case["id"]: case for case in json.loads((ORACLES / "contracts.json").read_text(encoding="utf-8"))["cases"]}
    pairs = {}
    for name in ("published_schedules", "fineract_schedules_cumulative", "fineract_schedules_progressive"):
        told = json.loads((shared / "oracles" / f"{name}.json").read_text(encoding="utf-8"))
        for case in told if isinstance(told, list) else told["cases"]:
            rows, unit = instalments(Contract.model_validate(contracts[case["id"]]["contract"])), Decimal(contracts[case["id"]].get("unit", "0.01"))
            for k, row in enumerate(_printed(case), 1):
                n = int(row.get("n") or row.get("payment") or k)
                ours = rows[n - 1]
                for part, value in {"principal": ours.principal, "interest": ours.interest, "balance": ours.balance, "total": ours.payment, "payment_amount": ours.payment}.items():
                    if part in row:
                        pairs[f"{case['id']} {n} {part}"] = str(Decimal(row[part]).quantize(unit)), str(value.quantize(unit))
                if "due" in row:
                    pairs[f"{case['id']} {n} due"] = row["due"], ours.due_date.isoformat()
    told = TAKEN["printed_rows"]
    assert {name: list(pair) for name, pair in pairs.items() if pair[0] != pair[1]} == {name: pair for entry in told["differs"] for name, pair in entry["figures"].items()}
    assert [sum(a == b for a, b in pairs.values()), len(pairs)] == told["agree"]


@pytest.mark.parametrize(("first", "wanted"), [("2022-10-17", ["2022-10-17", "2022-11-17", "2023-09-17"]), ("2022-10-31", ["2022-10-31", "2022-11-30", "2023-09-30"])])
def test_due_dates_that_another_program_keeps(first, wanted):
    """frappe/lending test_loan.py:887, DDF1 and DDF2: a day of the month; and the ends of months, which with us is a first due date that is one."""
    dates = due_dates(np.array([first], "datetime64[D]"), 12)[0].astype(str).tolist()
    assert [dates[0], dates[1], dates[-1]] == wanted


def test_a_loan_repaid_on_its_day_of_drawdown_has_no_rate():
    """EU8: every rate solves it; theirs says 0, ours that there is none."""
    assert np.isnan(irr(np.array([[-500.0, 500.0]]), np.array([[0.0, 0.0]]))).all()


def test_costs_financed_out_of_a_loan_are_no_credit():
    """EU-net, European Commission SWD(2012)128 section 3: of 5000 with 100 of costs out of it 4900 is credit, 100 cost, 5000 payable (no interest here)."""
    told = cost(Contract.model_validate({"principal": "5000", "annual_rate": "0", "instalments": 10, "start": "2026-01-05", "charges": [{"name": "arrangement", "at": "drawdown", "amount": "100"}]}))
    assert (told.received, told.total, told.repaid) == (4900, 100, 5000)
