"""What funders are to have of a book's money, and the book's money against what others say of it."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest
from book_of import CONFIGS, DAY, book, close, events, ledger, loan, post, state
from conftest import call, done

from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.claims import write_claims
from qqloan_cli.servicing.reconcile import reconcile
from qqloan_cli.servicing.settle import BETWEEN, WHAT, settle

THREE = [("2024-02-10", "333.33", 30, 2), ("2024-03-10", "333.33", 20, 2), ("2024-04-10", "333.34", 10, 2)]


def _settled(root: Path, first: str, last: str) -> dict[str, dict]:
    return {row["source"]: row for row in settle(Book.open(root), DAY(first), DAY(last)).to_pylist()}


def test_a_payment_goes_over_the_sources_as_they_lent_and_fees_to_the_servicer(tmp_path):
    """
    1000.00 by a bank 70 and us 30: the first instalment is 333.33, 30.00 interest, 2.00 fees, on time
    """
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE, funded_by={"bank": 70_000, "own": 30_000})])
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": "365.33"}]))
    close(root, "2024-02-29")
    found = _settled(root, "2024-02-01", "2024-02-29")
    assert (found["bank"]["principal_fen"], found["bank"]["interest_fen"], found["bank"]["fees_fen"], found["bank"]["outstanding_fen"]) == (23_333, 2_100, 0, 46_667)
    assert (found["own"]["principal_fen"], found["own"]["interest_fen"], found["own"]["fees_fen"], found["own"]["to_pay_out_fen"]) == (10_000, 900, 200, 11_100)
    assert found["bank"]["drawn_fen"] == 0 and _settled(root, "2024-01-01", "2024-01-31")["bank"]["drawn_fen"] == 70_000


def test_statements_of_periods_add_up_to_the_whole_and_to_the_ledger(tmp_path):
    """Also where a file came late: it is of the period in which it was booked, and no period that was settled changes."""
    rng = np.random.default_rng(4)
    loans = [loan(f"L{n}", "2024-01-10", THREE, funded_by={"bank": 33_333, "own": 33_333, "trust": 33_334}) for n in range(30)]
    root = book(tmp_path / "b", loans)
    rows = [{"loan_id": f"L{rng.integers(0, 28)}", "value_date": f"2024-0{rng.integers(2, 6)}-{rng.integers(10, 28)}", "amount": int(rng.integers(50, 500))} for _ in range(120)]
    rows += [{"loan_id": "L28", "kind": "write_off", "value_date": "2024-05-05"}, {"loan_id": "L28", "value_date": "2024-06-05", "amount": 77}, {"loan_id": "L29", "kind": "restructure", "value_date": "2024-04-20", "term_months": 5}]
    for number, row in enumerate(rows):
        row["event_id"] = f"E{number}"
    late = [row for n, row in enumerate(rows) if n % 3 == 0]
    post(root, events(tmp_path / "a.csv", [row for n, row in enumerate(rows) if n % 3]))
    close(root, "2024-04-30")
    april = _settled(root, "2024-04-01", "2024-04-30")
    post(root, events(tmp_path / "z.csv", late))
    close(root, "2024-07-31")
    assert _settled(root, "2024-04-01", "2024-04-30") == april
    whole = _settled(root, "2024-01-01", "2024-07-31")
    parts = [_settled(root, f"2024-0{month}-01", f"2024-0{month}-{30 if month in (4, 6) else 29 if month == 2 else 31}") for month in range(1, 8)]
    for source, row in whole.items():
        for what in WHAT:
            assert sum(part[source][f"{what}_fen"] for part in parts) == row[f"{what}_fen"], (source, what)
    added = {what: sum(row[f"{what}_fen"] for row in whole.values()) for what in (*WHAT, "outstanding", "to_pay_out")}
    booked = ledger(root)
    assert added["drawn"] == 30 * 100_000 and added["outstanding"] == booked["principal"] == sum(row["principal_fen"] for row in state(root, "2024-07-31").values())
    assert added["recovered"] == -booked["recovery"] == 7_700
    assert added["to_pay_out"] == booked["cash"] + 30 * 100_000 + booked.get("advance", 0)


def test_what_a_killed_close_left_in_the_ledger_is_of_no_day_that_is_closed(tmp_path):
    """The close to the end of March is killed before book.json has it; the next goes to the 1st of March alone."""
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    close(root, "2024-02-29")
    before = (root / "book.json").read_text(encoding="utf-8")
    close(root, "2024-03-31")
    whole = _settled(root, "2024-01-01", "2024-03-31"), ledger(root)
    (root / "book.json").write_text(before, encoding="utf-8")
    close(root, "2024-03-01")
    assert duckdb.sql(f"SELECT max(posted_at) FROM ({Book.open(root).source('ledger')})").fetchall() == [(DAY("2024-02-29"),)]
    close(root, "2024-03-31")
    assert (_settled(root, "2024-01-01", "2024-03-31"), ledger(root)) == whole


GUARANTEED = {'of = ["coast_bank", "delta_cfc", "harbour_trust", "pearl_rural"]': 'of = ["bank"]'}


def _claim(root: Path, closed: str) -> list[tuple]:
    """Closes, claims and posts; what was claimed."""
    close(root, closed)
    path = root.parent / f"claims-{closed}.csv"
    found = [tuple(row.values()) for row in write_claims(Book.open(root), path, 1).to_pylist()]
    told = post(root, path)
    assert told["refused"] == 0 and told["money_fen"] == 0
    return found


def test_a_guarantor_pays_for_a_late_loan_and_has_the_claim_until_the_lender_buys_it_back(tmp_path):
    """
    1000.00 by a bank 70 and us 30, nobody pays: after 91 days the pool pays the bank 700.00 and 0.7 of 60.00 interest. Then the borrower pays once.
    """
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE, funded_by={"bank": 70_000, "own": 30_000})], servicing=GUARANTEED)
    assert _claim(root, "2024-05-10") == []
    assert _claim(root, "2024-05-11") == [("compensation", "bank", 1, 74_200)]
    assert _claim(root, "2024-05-12") == []
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-06-05", "amount": "500.00"}]))
    close(root, "2024-06-30")
    may, june = _settled(root, "2024-05-01", "2024-05-31"), _settled(root, "2024-06-01", "2024-06-30")
    assert (may["bank"]["compensated_fen"], may["reserve_pool"]["compensated_fen"], may["bank"]["outstanding_fen"], may["reserve_pool"]["outstanding_fen"]) == (74_200, -74_200, 0, 70_000)
    assert may["bank"]["to_pay_out_fen"] == 74_200 and june["bank"]["to_pay_out_fen"] == 0 and june["bank"]["outstanding_fen"] == 0
    assert (june["reserve_pool"]["interest_fen"], june["own"]["interest_fen"]) == (4_200, 1_800)
    assert 0 < june["own"]["principal_fen"] * 7 == pytest.approx(june["reserve_pool"]["principal_fen"] * 3, abs=10)
    stands = june["reserve_pool"]["outstanding_fen"]
    post(root, events(tmp_path / "undo.csv", [{"event_id": "U", "kind": "reversal", "reverses": "compensation-L1-2024-05-12", "value_date": "2024-07-01"}]))  # too late: it has passed on
    assert _claim(root, "2025-06-30") == [("buy_back", "reserve_pool", 1, stands)]
    close(root, "2025-07-31")
    july = _settled(root, "2025-07-01", "2025-07-31")
    assert (july["own"]["bought_back_fen"], july["reserve_pool"]["outstanding_fen"], july["own"]["outstanding_fen"]) == (-stands, 0, state(root, "2025-07-31")["L1"]["principal_fen"])
    assert _settled(root, "2024-05-01", "2024-05-31") == may


def test_statements_add_up_where_claims_pass_on_and_files_come_late(tmp_path):
    """What one source pays another has for; no period that was settled changes; each loan's sources add up to it."""
    rng = np.random.default_rng(8)
    loans = [loan(f"L{n}", "2024-01-10", THREE, funded_by={"bank": 33_333 + n, "own": 66_667 - n}) for n in range(30)]
    root = book(tmp_path / "b", loans, servicing=GUARANTEED | {"from_dpd = 91\nof": "from_dpd = 31\nof", "from_dpd = 361\nof": "from_dpd = 71\nof"})
    rows = [{"event_id": f"P{n}", "loan_id": f"L{rng.integers(0, 26)}", "value_date": f"2024-0{rng.integers(2, 8)}-{rng.integers(10, 28)}", "amount": int(rng.integers(20, 300))} for n in range(90)]
    rows += [{"event_id": f"R{n}", "kind": "reversal", "reverses": f"P{n}", "value_date": f"2024-0{rng.integers(5, 8)}-20"} for n in range(0, 90, 9)]
    statements, claimed = [], []
    for month, last in ((2, 29), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31), (8, 31)):
        post(root, events(tmp_path / f"{month}.csv", rows[month - 2 :: 7]))
        claimed += _claim(root, f"2024-0{month}-{last - 2}")
        close(root, f"2024-0{month}-{last}")
        statements.append(((f"2024-0{month}-01", f"2024-0{month}-{last}"), _settled(root, f"2024-0{month}-01", f"2024-0{month}-{last}")))
    assert {kind for kind, *_ in claimed} == {"compensation", "buy_back"}
    for period, statement in statements:
        assert _settled(root, *period) == statement
    whole = _settled(root, "2024-01-01", "2024-08-31")
    for source, row in whole.items():
        for what in (*WHAT, *BETWEEN):
            assert sum(statement[source][f"{what}_fen"] for _, statement in statements) + (_settled(root, "2024-01-01", "2024-01-31")[source][f"{what}_fen"]) == row[f"{what}_fen"], (source, what)
    assert all(sum(row[f"{what}_fen"] for row in whole.values()) == 0 for what in BETWEEN)
    assert whole["bank"]["guarantee_fee_fen"] < 0 < whole["bank"]["compensated_fen"]
    assert sum(row["outstanding_fen"] for row in whole.values()) == ledger(root)["principal"]
    assert sum(row["to_pay_out_fen"] for row in whole.values()) == ledger(root)["cash"] + 30 * 100_000 + ledger(root).get("advance", 0)
    assert all(row["outstanding_fen"] >= 0 for row in whole.values())


def test_a_tranche_that_is_cancelled_in_time_is_never_drawn(tmp_path):
    """
    L2's cancellation comes before its drawdown and stands, L3's is taken back in time, L4's comes on the day after: refused. Money for L2 has no loan
    """
    loans = [loan(name, day, [("2024-05-10", 100, 1)]) for name, day in (("L1", "2024-01-10"), ("L2", "2024-03-10"), ("L3", "2024-03-10"), ("L4", "2024-02-10"))]
    root = book(tmp_path / "b", loans)
    close(root, "2024-02-10")
    told = post(root, events(tmp_path / "e.csv", [
        {"event_id": "C2", "kind": "cancel", "loan_id": "L2", "value_date": "2024-02-11"}, {"event_id": "C3", "kind": "cancel", "loan_id": "L3", "value_date": "2024-02-11"},
        {"event_id": "C4", "kind": "cancel", "loan_id": "L4", "value_date": "2024-02-11"}, {"event_id": "U3", "kind": "reversal", "reverses": "C3", "value_date": "2024-03-10"},
        {"event_id": "M", "loan_id": "L2", "value_date": "2024-04-01", "amount": 7},
    ]))
    assert told["refused"] == 1
    for day in ("2024-03-08", "2024-03-09", "2024-03-10", "2024-04-30", "2024-06-01"):
        close(root, day)
    assert set(state(root, "2024-06-01")) == set(state(root, "2024-05-31")) == {"L1", "L3", "L4"}
    assert ledger(root)["principal"] == 30_000 and ledger(root)["unmatched"] == -700
    assert post(root, tmp_path / "e.csv")["repeated"] == 4


def test_every_difference_is_found_aged_and_explained_to_the_fen(tmp_path):
    """
    The channel has one the book has not, one of another amount, one on another day, one twice, one that the book reversed, and lacks one
    """
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    same = [{"event_id": f"S{n}", "loan_id": "L1", "value_date": "2024-02-12", "amount": 10} for n in range(3)]
    ours = [
        {"event_id": "less", "loan_id": "L1", "value_date": "2024-02-13", "amount": 40}, {"event_id": "moved", "loan_id": "L1", "value_date": "2024-02-14", "amount": 5},
        {"event_id": "twice", "loan_id": "L1", "value_date": "2024-02-15", "amount": 7}, {"event_id": "back", "loan_id": "L1", "value_date": "2024-02-16", "amount": 30},
        {"event_id": "R", "kind": "reversal", "reverses": "back", "value_date": "2024-02-20"}, {"event_id": "mine", "loan_id": "L1", "value_date": "2024-02-17", "amount": 9},
        {"event_id": "lost", "loan_id": "nobody", "value_date": "2024-02-18", "amount": 3}, {"event_id": "later", "loan_id": "L1", "value_date": "2024-05-01", "amount": 1},
    ]
    post(root, events(tmp_path / "ours.csv", same + ours))
    theirs = same + [
        {"event_id": "less", "loan_id": "L1", "value_date": "2024-02-13", "amount": "40.01"}, {"event_id": "moved", "loan_id": "L1", "value_date": "2024-02-15", "amount": 5},
        ours[2], ours[2], ours[3], {"event_id": "new", "loan_id": "L1", "value_date": "2024-02-19", "amount": 100}, ours[6],
    ]
    told, rows = reconcile(Book.open(root), [events(tmp_path / "theirs.csv", theirs)], DAY("2024-02-01"), DAY("2024-02-29"), CONFIGS, None)
    found = {row["event_id"]: (row["what"], row["difference_fen"], row["age_days"], row["why"]) for row in rows.to_pylist()}
    assert found == {
        "less": ("amounts differ", -1, 16, None), "moved": ("dates differ", 0, 15, None), "twice": ("amounts differ", -700, 14, "the file has it 2 times"),
        "back": ("amounts differ", -3_000, 13, "the book has a reversal of 2024-02-20"), "mine": ("only in the book", 900, 12, None), "new": ("only in the file", -10_000, 10, "not posted to the book"),
        "lost": ("unmatched", 0, 11, "the book has no such loan"),
    }
    assert told == {"breaks": 7, "difference_fen": -1 - 700 - 3_000 + 900 - 10_000, "file_rows_refused": 0}


def test_a_funders_statement_is_held_against_its_settlement_loan_by_loan(tmp_path):
    """
    February: L1 and L2 paid in time; L3's payment of 10 February came in March. The bank has L2 a fen less, L3 in February, L1 twice, and one that is nobody's
    """
    loans = [loan(f"L{n}", "2024-01-10", THREE, funded_by={"bank": 70_000, "own": 30_000}) for n in (1, 2, 3)]
    root = book(tmp_path / "b", loans)
    paid = {"value_date": "2024-02-10", "amount": "365.33"}
    post(root, events(tmp_path / "feb.csv", [{"event_id": f"E{n}", "loan_id": f"L{n}", **paid} for n in (1, 2)]))
    close(root, "2024-02-29")
    post(root, events(tmp_path / "mar.csv", [{"event_id": "E3", "loan_id": "L3", **paid}]))
    close(root, "2024-03-31")
    statement = tmp_path / "bank.csv"
    statement.write_text("loan_id,principal,interest\nL1,233.33,21.00\nL1,233.33,21.00\nL2,233.33,20.99\nL3,233.33,21.00\nX,1.00,\n", encoding="utf-8")
    period = ("--book", root, "--from", "2024-02-01", "--to", "2024-02-29", "--funder", "bank")
    found = call("servicing", "reconcile", statement, *period, "--fail-on", "--format", "json")
    assert found.code == 1
    rows = {(row["loan_id"], row["part"]): (row["difference_fen"], row["why"]) for row in json.loads(found.out)["rows"]}
    assert rows == {
        ("L1", "principal"): (-23_333, "the file has it 2 times"), ("L1", "interest"): (-2_100, "the file has it 2 times"), ("L2", "interest"): (1, "a fen of rounding"),
        ("L3", "principal"): (-23_333, "the file counts by value date, the book by the day of booking"), ("L3", "interest"): (-2_100, "the file counts by value date, the book by the day of booking"),
        ("X", "principal"): (-100, "the book has no such loan"),
    }
    statement.write_text("loan_id,principal,interest,outstanding\nL1,233.33,21.00,466.67\nL2,233.33,21.00,466.67\nL3,0,0,700\n", encoding="utf-8")
    assert "0 differences" in done("servicing", "reconcile", statement, *period, "--fail-on").err
    assert "funder-unknown" in call("servicing", "reconcile", statement, *period[:-1], "nobody").err


def test_on_the_command_line(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE, funded_by={"bank": 100_000})])
    paid = events(tmp_path / "e.csv", [{"loan_id": "L1", "value_date": "2024-02-10", "amount": "365.33"}])
    post(root, paid)
    close(root, "2024-02-29")
    period = ("--book", root, "--from", "2024-02-01", "--to", "2024-02-29")
    rows = json.loads(done("servicing", "settle", *period, "--format", "json").out)["rows"]
    assert [(row["source"], row["to_pay_out_fen"]) for row in rows] == [("bank", 36_333), ("own", 200), ("reserve_pool", 0)]
    assert "0 differences" in done("servicing", "reconcile", paid, *period, "--fail-on").err
    none = events(tmp_path / "none.csv", [{"event_id": "X", "loan_id": "L1", "value_date": "2024-02-11", "amount": 1}])
    assert call("servicing", "reconcile", none, *period, "--fail-on").code == 1
    assert "day-not-closed" in call("servicing", "settle", "--book", root, "--from", "2024-02-01", "--to", "2024-03-31").err


@pytest.mark.parametrize(("first", "last"), [("2024-02-02", "2024-02-01")])
def test_a_period_that_cannot_be_is_refused(tmp_path, first, last):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", THREE)])
    close(root, "2024-02-29")
    assert "period-wrong" in call("servicing", "settle", "--book", root, "--from", first, "--to", last).err
