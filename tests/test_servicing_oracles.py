"""The book of loans against another servicing system's figures: which are the same to the cent, and for each of the rest, why not."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import duckdb
import pytest
from book_of import book, close, events, fen, loan, post, state
from conftest import ROOT

ORACLES = ROOT / "tests" / "oracles"
TOLD = json.loads((ORACLES / "fineract_servicing.json").read_text(encoding="utf-8"))
PAYMENTS = TOLD["cases"]


def _books(folder: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """By case, (theirs, ours) in fen of every figure: what is due and unpaid on each due date to come if nothing more is paid; what was paid
    of each part by the next due date; the principal left. Cases of the same agreement share a book."""
    groups = defaultdict(list)
    for case in PAYMENTS:
        groups[case["agreed"]] += [(f"{case['id']}-{n}", case, told) for n, told in enumerate(case["expected"])]
    figures = defaultdict(dict)
    for number, (agreed, asked) in enumerate(groups.items()):
        root, edits = folder / f"b{number}", TOLD["agreed"][agreed]
        book(root, [loan(name, case["drawn_on"], case["dues"], rate=float(case["annual_rate_pct"]) / 100, penalty=0) for name, case, _ in asked], edits["servicing"], edits["products"])
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
