"""Collections: what was done is kept, what may be done is said before, what was done wrong is found after, and which strategy brings more."""

from __future__ import annotations

import csv
import datetime
import itertools
import json
import random
import shutil
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from book_of import CONFIGS, DAY, book, close, events, loan, post
from conftest import call, done
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import ConfigError, InputError, UsageError
from qqloan_cli.policy.collections import load_collections
from qqloan_cli.policy.products import load_lender
from qqloan_cli.policy.regulation import load_regulation
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.collect import arms, check, compare, differences, export, queue, record
from qqloan_cli.servicing.panel import write_panel

COLUMNS = (
    "contact_id", "applicant_id", "loan_id", "kind", "begun_at", "channel", "party", "target", "connected", "outcome", "promise_date", "promise_amount", "hours_from", "hours_until", "hold", "until",
    "debt_details", "agent", "role",
)
TODAY = "2026-04-06"  # the first day that is not closed
DUES = [("2026-02-10", 1000, 30), ("2026-03-10", 1000, 20), ("2026-04-10", 1000, 10)]
BY_HAND = {"channel": "", "party": "", "target": "", "connected": ""}


def contact(at: str, applicant: str = "P1", **more) -> dict:
    """A call to the debtor's own number that nobody answers, unless it is said otherwise. ``at``: HH:MM of TODAY, or a day and time."""
    return {"begun_at": at if len(at) > 5 else f"{TODAY} {at}", "applicant_id": applicant, "channel": "call", "party": "debtor", "target": "own_1", "connected": "no", **more}


def answered(at: str, applicant: str = "P1", **more) -> dict:
    return contact(at, applicant, **{"connected": "yes", **more})


def listed_in(path: Path, rows: list[dict], first: int = 1) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, row in enumerate(rows, first):
            writer.writerow({"contact_id": f"C{number:06d}", **row})
    return path


def recorded(root: Path, rows: list[dict], received: str = TODAY, first: int = 1, config: Path = CONFIGS) -> dict:
    return record.record(Book.open(root), [listed_in(root.parent / f"{root.name}-{first}.csv", rows, first)], DAY(received), config, None)


def kept(root: Path, rows: list[dict], first: int = 1) -> None:
    """The same in place of all that the book had, without a file and its reading."""
    import pyarrow as pa

    types = {"VARCHAR": pa.string(), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"), "BOOLEAN": pa.bool_(), "BIGINT": pa.int64()}
    contract, full = CONTRACTS["contact_log"], []
    for number, row in enumerate(rows, first):
        row = {"contact_id": f"C{number:06d}", "kind": "contact", **{name: value if value != "" else None for name, value in row.items()}, "received_on": DAY(TODAY), "file": "by hand", "row": number}
        row |= {name: row[name] == "yes" for name in ("connected", "debt_details") if row.get(name)} | {name: DAY(row[name]) for name in ("promise_date", "until") if row.get(name)}
        row |= {"begun_at": datetime.datetime.fromisoformat(row["begun_at"]), "promise_amount_fen": round(float(row["promise_amount"]) * 100) if row.get("promise_amount") else None}
        full.append(row)
    con = connect(1)
    con.register("given", pa.table({column.name: pa.array([row.get(column.name) for row in full], types[column.type]) for column in contract.columns}))
    put(con, "contact_log", root / "contacts" / "00001.parquet", "given", True)
    con.close()
    document = json.loads((root / "book.json").read_text())
    (root / "book.json").write_text(json.dumps(document | {"contacts": [{"number": 1}]}))


def queued(root: Path, day: str = TODAY, at: str | None = None, capacity: int | None = None, config: Path = CONFIGS, workers: int = 1, out: str = "queue") -> dict[str, dict]:
    """Rows by borrower."""
    path = root.parent / f"{root.name}-{out}.parquet"
    panel = root.parent / "panel.parquet"
    queue.write_queue(Book.open(root), DAY(day), 60 * int(at[:2]) + int(at[3:]) if at else None, capacity, config, path, workers, panel if panel.exists() else None)
    return {row["applicant_id"]: row for row in pq.read_table(path).to_pylist()}


def breaches(root: Path, first: str = TODAY, last: str = TODAY, config: Path = CONFIGS) -> set[tuple[str, str]]:
    """(breach, contact_id)"""
    rows, _ = check.check(Book.open(root), DAY(first), DAY(last), config)
    return {(row["breach"], row["contact_id"]) for row in rows.to_pylist()}


def dialled(row: dict) -> list[str]:
    return [one["target"] for one in row["targets"] if "call" in one["channels"]]


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Path:
    """Twelve borrowers, all late since 10 February; of P1 two loans. Closed to 5 April 2026, with its panel beside it."""
    root = tmp_path_factory.mktemp("closed") / "book"
    book(root, [loan(f"L{n}", "2026-01-10", DUES, applicant_id=f"P{n}") for n in range(1, 13)] + [loan("L1b", "2026-01-12", [("2026-03-20", 500, 5), ("2026-04-20", 500, 5)], applicant_id="P1")])
    close(root, "2026-04-05")
    write_panel(Book.open(root), DAY("2026-01-31"), DAY("2026-03-31"), root.parent / "panel.parquet", 1)
    return root


@pytest.fixture
def late(closed, tmp_path) -> Path:
    shutil.copy(closed.parent / "panel.parquet", tmp_path / "panel.parquet")
    return Path(shutil.copytree(closed, tmp_path / "book"))


def settings_of(tmp_path: Path, edits: dict[str, dict[str, str]]) -> Path:
    """A configuration with texts of its files replaced."""
    folder = tmp_path / "configs"
    shutil.copytree(CONFIGS, folder, ignore=shutil.ignore_patterns("model"))
    for name, replaced in edits.items():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in replaced.items():
            assert old in text, old
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


# --- what is kept ---


def test_the_same_contact_twice_is_one_and_another_under_its_number_is_refused(late):
    rows = [answered("09:00"), contact("10:00", "P2")]
    assert recorded(late, rows)["recorded"] == 2
    again = recorded(late, [*rows, rows[0] | {"contact_id": "C000002"}, rows[0] | {"contact_id": "C000009"}, rows[1] | {"contact_id": "C000009"}])
    assert (again["recorded"], again["repeated"], again["refused"]) == (0, 2, 3)
    refused = pq.read_table(late / "quarantine" / "contacts-00002.parquet").to_pylist()
    assert [(row["row"], row["rule"]) for row in refused] == [(3, "contact-conflict"), (4, "contact-conflict"), (5, "contact-conflict")]
    assert len(pq.read_table(late / "contacts" / "00001.parquet")) == 2 and len(pq.read_table(late / "contacts" / "00002.parquet")) == 0


_WRONG = [
    (contact("09:00", target="13800138000"), "target-no-slot"), (contact("09:00", target=""), "target-missing"), (contact("09:00", target="contact_1"), "target-of-another"),
    (contact("09:00", "P99"), "borrower-unknown"), (contact("09:00", loan_id="L2"), "loan-of-another"), (contact("2026-04-07 09:00"), "begun-after-received"), (contact("09:00", channel="fax"), "channel-unknown"),
    (answered("09:00", outcome="promise"), "promise-date-missing"), (answered("09:00", outcome="agreed_hours", hours_from="19:00", hours_until="18:00"), "hours-wrong"),
    (answered("09:00", outcome="dead_number"), "outcome-against-connected"), (contact("09:00", kind="hold", hold="sympathy", **BY_HAND), "hold-unknown"), (contact("09:00", connected=""), "connected-missing"),
    (contact("09:00", kind="release", hold="dispute", role="collector", **BY_HAND), "lifted-by-another"), (contact("09:00", applicant_id=""), "applicant-id-missing"), (contact("09:00", begun_at=""), "begun-at-missing"),
    (contact("09:00", party="neighbour"), "party-unknown"), (contact("09:00", outcome="shouted"), "outcome-unknown"), (contact("09:00", kind="hold", **BY_HAND), "hold-missing"),
]


def test_a_row_that_cannot_be_is_refused_with_its_reason_and_without_its_values(late):
    told = recorded(late, [row for row, _ in _WRONG])
    refused = pq.read_table(late / "quarantine" / "contacts-00001.parquet").to_pylist()
    assert (told["recorded"], told["refused"]) == (0, len(_WRONG))
    for number, (_, rule) in enumerate(_WRONG, 1):
        assert rule in {row["rule"] for row in refused if row["row"] == number}, rule
    assert "13800138000" not in json.dumps(refused)


# --- limits at their edges ---


def test_one_may_from_eight_and_not_from_ten_in_the_evening(late):
    kept(late, [contact(time) for time in ("07:59", "08:00", "21:59", "22:00", "00:00", "23:59")])
    assert breaches(late) == {("outside-hours", f"C{number:06d}") for number in (1, 4, 5, 6)}


def test_a_queue_at_ten_in_the_evening_has_nobody_to_be_called_and_before_eight_it_says_from_when(late):
    assert queued(late, at="22:00")["P2"]["why_not_call"] == "outside-hours"
    row = queued(late, at="21:59")["P2"]
    assert (row["why_not_call"], row["window_from"], row["window_until"]) == (None, "21:59", "22:00")
    assert queued(late, at="06:00")["P2"]["window_from"] == "08:00"


def test_agreed_hours_stand_in_place_of_the_rules_hours_from_then_on(late):
    agreed = answered("2026-04-01 10:00", outcome="agreed_hours", hours_from="19:00", hours_until="22:30")
    kept(late, [agreed, contact("22:15"), contact("10:00"), contact("22:30"), contact("2026-04-01 09:00"), contact("22:15", "P2")])
    assert breaches(late, "2026-04-01") == {("agreed-hours", "C000003"), ("outside-hours", "C000004"), ("outside-hours", "C000006")}
    row = queued(late)["P1"]
    assert (row["window_from"], row["window_until"], row["why_not_call"]) == ("19:00", "22:30", None)


def test_the_fourth_connected_call_of_a_day_breaks_the_standard_and_an_ai_voice_counts(late):
    mixes = {"P1": ("call",) * 4, "P2": ("call", "ai_call", "call", "ai_call"), "P3": ("ai_call", "ai_call", "ai_call", "call")}
    rows = [answered(f"{9 + n:02d}:00", name, channel=channels[n]) for n in range(4) for name, channels in mixes.items()]
    kept(late, rows)
    assert breaches(late) == {("calls-used-up", f"C{number:06d}") for number in (10, 11, 12)}
    at_eleven, at_noon = queued(late, at="11:00"), queued(late, at="12:00")
    for name in mixes:
        row = at_noon[name]
        assert (row["calls_left"], row["why_not_call"], row["why_not_ai_call"], row["why_not_sms"]) == (0, "calls-used-up", "calls-used-up", None)
        assert (at_eleven[name]["calls_left"], at_eleven[name]["why_not_call"]) == (1, None)  # of three, two were made before


def test_connected_calls_are_counted_by_debtor_over_their_numbers_and_days_begin_anew(late):
    rows = [answered(f"{9 + n:02d}:00", target=target) for n, target in enumerate(("own_1", "own_2", "own_3", "own_1"))]
    kept(late, [*rows, answered("2026-04-05 21:59"), answered("2026-04-05 21:58"), answered("2026-04-05 21:57")])
    assert breaches(late, "2026-04-05") == {("calls-used-up", "C000004")}


def test_the_seventh_unanswered_try_of_a_number_breaks_the_guideline_and_two_numbers_have_each_their_count(late):
    rows = [contact(f"{8 + n:02d}:00", target=target) for n in range(6) for target in ("own_1", "own_2")]
    kept(late, [*rows, contact("15:00")])
    assert breaches(late) == {("tries-used-up", "C000013")}
    assert dialled(queued(late, at="13:00")["P1"])[:2] == ["own_1", "own_2"]  # five tries each by then
    assert not {"own_1", "own_2"} & set(dialled(queued(late, at="14:00")["P1"]))


def test_tries_and_connected_calls_are_two_counts(late):
    rows = [contact(f"{8 + n:02d}:00") for n in range(6)] + [answered("15:00", target="own_2"), answered("16:00", target="own_2"), answered("17:00", target="own_2")]
    kept(late, rows)
    assert breaches(late) == set()
    one = queued(late, at="16:30")["P1"]
    assert [(t["target"], t["tries_left"], t["calls_left"]) for t in one["targets"] if "call" in t["channels"]] == [("own_2", 6, 1)]


def test_what_binds_is_told_by_licence_and_date(late, tmp_path):
    """The tries are the banking association's, from 2026-01-30; a microloan company has the standard alone."""
    config = settings_of(tmp_path, {"lender.toml": {'licence = "bank"': 'licence = "microloan"'}})
    kept(late, [contact(f"{8 + n:02d}:00") for n in range(7)] + [answered(f"{15 + n}:00", "P2") for n in range(4)])
    assert breaches(late, config=config) == {("calls-used-up", "C000011")}
    assert breaches(late) == {("tries-used-up", "C000007"), ("calls-used-up", "C000011")}
    law = load_regulation(CONFIGS)
    rules = {rule.id: rule for rule in law.rules}
    assert not [row for row in law.periods(load_lender(CONFIGS)) if row["id"].startswith("col.")]  # no decision hangs on them
    assert not rules["col.gb.calls"].in_force(DAY("2025-02-27")) and rules["col.nifa.calls"].in_force(DAY("2025-02-27")) and not rules["col.nifa.calls"].in_force(DAY("2025-02-28"))
    assert (rules["col.gb.calls"].kind, rules["col.cba.tries"].kind, rules["col.cfc.keep"].kind) == ("standard", "self_regulation", "law")


def test_a_rule_that_the_lender_does_not_hold_itself_to_withholds_nothing_and_is_still_reported(late, tmp_path):
    config = settings_of(tmp_path, {"collections.toml": {'observe = ["law", "guidance", "standard", "self_regulation"]': 'observe = ["law"]'}})
    kept(late, [answered(f"{9 + n:02d}:00") for n in range(4)])
    row = queued(late, at="14:00", config=config)["P1"]
    assert (row["why_not_call"], row["calls_left"]) == (None, None)
    [found] = check.check(Book.open(late), DAY(TODAY), DAY(TODAY), config)[0].to_pylist()
    assert (found["breach"], found["rule"], found["force"], found["certainty"], found["observed"]) == ("calls-used-up", "col.gb.calls", "standard", "H", False)


# --- third parties ---


def _third(at: str, **more) -> dict:
    return contact(at, **{"party": "contact", "target": "contact_1", **more})


def test_a_contact_person_only_where_the_debtor_cannot_be_reached(late):
    cases = [
        ([], False),
        ([contact("09:00"), contact("10:00")], False),
        ([contact("09:00"), contact("10:00"), contact("11:00", channel="ai_call")], True),
        ([contact("09:00"), answered("10:00"), contact("11:00"), contact("11:30")], False),
        ([contact("09:00", channel="sms"), contact("10:00", channel="sms"), contact("11:00", channel="sms")], False),
        ([contact("09:00", outcome="dead_number")], True),
        ([contact("09:00", outcome="dead_number"), contact("10:00", target="own_2")], False),
        ([contact("09:00", outcome="dead_number"), contact("10:00", target="own_2", outcome="dead_number")], True),
        ([contact("09:00", outcome="dead_number"), answered("10:00")], False),
        ([answered("09:00", outcome="deceased")], True),
        ([answered("09:00", outcome="incapable")], True),
    ]
    by_borrower = {f"P{number}": (before, fine) for number, (before, fine) in enumerate(cases, 1)}
    kept(late, [{**row, "applicant_id": name} for name, (before, _) in by_borrower.items() for row in (*before, _third("12:00"))])
    broke = {row["applicant_id"]: row["breach"] for row in check.check(Book.open(late), DAY(TODAY), DAY(TODAY), CONFIGS)[0].to_pylist()}
    listed = queued(late, at="12:00")
    for name, (_, fine) in by_borrower.items():
        assert broke.get(name) == (None if fine else "third-party"), name
        assert ("contact_1" in dialled(listed[name])) is fine, name


def test_a_contact_person_who_refuses_is_left_alone_and_told_of_no_debt(late):
    failed = [contact("09:00"), contact("09:10"), contact("09:20")]
    kept(late, [*failed, _third("10:00", connected="yes", outcome="refused", debt_details="no"), _third("11:00"), _third("11:00", target="contact_2"), _third("12:00", target="contact_2", connected="yes", debt_details="yes")])
    assert breaches(late) == {("third-party-refused", "C000005"), ("debt-told", "C000007")}
    assert dialled(queued(late, at="13:00")["P1"]) == ["own_1", "contact_2"]


def test_a_list_tells_a_contact_person_nothing_of_the_debt(late):
    kept(late, [contact("2026-04-05 09:00", outcome="dead_number")])
    queued(late)
    rows, _ = export.contact_list(late.parent / "book-queue.parquet", "call", CONFIGS, [])
    [row] = [row for row in rows.to_pylist() if row["applicant_id"] == "P1"]
    assert (row["target"], row["owed_fen"], row["loan_ids"], row["script"]) == ("contact_1", None, None, "find")


# --- holds ---


def test_a_dispute_holds_all_contact_until_it_is_lifted_by_who_may(late):
    kept(late, [answered("2026-04-05 09:00", outcome="disputed"), contact("2026-04-05 10:00"), contact("2026-04-05 11:00", kind="release", hold="dispute", role="complaints", **BY_HAND), contact("2026-04-05 12:00")])
    assert breaches(late, "2026-04-05") == {("hold", "C000002")}
    assert queued(late)["P1"]["why_not_call"] is None
    kept(late, [answered("09:00", "P2", outcome="disputed")])
    row = queued(late, at="09:01")["P2"]
    assert {row[f"why_not_{channel}"] for channel in ("call", "sms", "app", "letter", "visit")} == {"hold-dispute"} and row["channel"] is None


def test_a_hold_runs_out_after_its_days_and_one_by_hand_on_its_last_day(late):
    """paid_already: three days after the first; by hand: to the day named."""
    kept(late, [
        answered("2026-04-01 09:00", outcome="paid_already"), contact("2026-04-04 21:00"), contact("2026-04-05 08:00"),
        contact("2026-04-01 09:00", "P2", kind="hold", hold="hardship", until="2026-04-02", **BY_HAND), contact("2026-04-02 21:00", "P2"), contact("2026-04-03 09:00", "P2"),
    ])
    assert breaches(late, "2026-04-01") == {("hold", "C000002"), ("hold", "C000005")}


def test_a_deceased_debtor_is_not_contacted_and_a_bankrupt_one_by_nothing(late):
    kept(late, [answered("2026-04-05 09:00", outcome="deceased"), contact("2026-04-05 09:00", "P2", kind="hold", hold="bankrupt", **BY_HAND)])
    found = queued(late)
    assert dialled(found["P1"]) == ["contact_1"] and found["P1"]["why_not_sms"] == "hold-deceased"
    assert found["P2"]["channel"] is None and found["P2"]["why_not_letter"] == "hold-bankrupt"


def test_a_paused_loan_is_no_reason_for_contact(late):
    post(late, events(late.parent / "p.csv", [{"event_id": "X1", "loan_id": loan_id, "kind": "pause", "value_date": TODAY, "until": "2026-05-01"} for loan_id in ("L2", "L1b")][:1]
                      + [{"event_id": "X2", "loan_id": "L1b", "kind": "pause", "value_date": TODAY, "until": "2026-05-01"}]), TODAY)
    found = queued(late)
    assert found["P2"]["why_not_call"] == "paused" and found["P2"]["owed_fen"] == 0
    assert found["P1"]["why_not_call"] is None and found["P1"]["owed_fen"] == sum(one["owed_fen"] for one in found["P1"]["loans"] if one["loan_id"] == "L1")
    kept(late, [contact("10:00", "P2", loan_id="L2"), contact("10:00", loan_id="L1")])
    assert breaches(late) == {("paused", "C000001")}


# --- the queue ---


def test_a_borrower_has_one_row_with_the_sum_of_their_late_loans(late):
    row = queued(late)["P1"]
    assert [one["loan_id"] for one in row["loans"]] == ["L1", "L1b"] and row["dpd"] == 54 and row["stage"] == "M2"
    assert row["owed_fen"] == sum(one["owed_fen"] for one in row["loans"]) and row["expected_fen"] == sum(round(one["owed_fen"] * one["chance"]) for one in row["loans"])
    assert row["at_risk_fen"] > row["owed_fen"] and row["state_on"] == DAY("2026-04-05") and row["day"] == DAY(TODAY)


def test_chances_are_the_books_drawn_to_the_prior_where_loans_are_few(tmp_path):
    """Of twelve M1 at the end of February, three pay what was late by the end of March, one of them late anew; weight 200, prior 0.70, and each arm's drawn to the book's."""
    root = book(tmp_path / "book", [loan(f"L{n}", "2026-01-10", DUES, applicant_id=f"P{n}") for n in range(1, 13)])
    post(root, events(tmp_path / "e.csv", [{"loan_id": name, "value_date": "2026-03-05", "amount": amount} for name, amount in (("L1", 1050), ("L2", 2100), ("L3", 2100), ("L4", 500))]))
    close(root, "2026-04-05")

    def chances(config: Path) -> dict[tuple, dict]:
        told = queue.write_queue(Book.open(root), DAY(TODAY), None, None, config, tmp_path / "q.parquet", 1)
        return {(row["arm"], row["bucket"]): row for row in told["chances"].to_pylist()}

    found, of_book = chances(CONFIGS), (3 + 200 * 0.70) / 212
    for arm in ("champion", "challenger"):
        row = found[arm, "M1"]
        assert row["chance"] == pytest.approx((row["paid"] + 200 * of_book) / (200 + row["loans"]), abs=1e-6) and row["chance_from"] == "shrunk"
    assert sum(found[arm, "M1"]["loans"] for arm in ("champion", "challenger")) == 12 and sum(found[arm, "M1"]["paid"] for arm in ("champion", "challenger")) == 3
    assert (found["champion", "M3"]["chance_from"], found["champion", "M3"]["chance"]) == ("prior", 0.15)
    assert {row["chance_from"] for (_, bucket), row in chances(settings_of(tmp_path, {"collections.toml": {"weight = 200": "weight = 1"}})).items() if bucket == "M1"} == {"book"}


def test_promises_are_kept_by_money_open_until_their_day_and_broken_after(late):
    kept(late, [
        answered("2026-04-01 09:00", outcome="promise", promise_date="2026-04-03", promise_amount="100"), answered("2026-04-01 09:00", "P2", outcome="promise", promise_date="2026-04-03", promise_amount="100"),
        answered("2026-04-01 09:00", "P3", outcome="promise", promise_date="2026-04-08", promise_amount="100"), answered("2026-04-01 09:00", "P4", outcome="promise", promise_date="2026-04-03"),
        answered("2026-04-01 09:00", "P5", outcome="promise", promise_date="2026-04-03", promise_amount="100"),
    ])
    paid = [("L1", "2026-04-04", 100), ("L2", "2026-04-05", 100), ("L4", "2026-04-02", 1), ("L5", "2026-04-02", "99.99")]
    post(late, events(late.parent / "paid.csv", [{"loan_id": loan_id, "value_date": day, "amount": amount} for loan_id, day, amount in paid]), TODAY)
    close(late, TODAY)
    found = queued(late, "2026-04-07")
    assert {name: found[name]["promise"] for name in ("P1", "P2", "P3", "P4", "P5", "P6")} == {"P1": "kept", "P2": "broken", "P3": "open", "P4": "kept", "P5": "broken", "P6": None}
    assert found["P3"]["why_not_call"] == "hold-promise" and found["P3"]["channel"] == "sms"


def test_few_callers_call_those_from_whom_the_most_is_expected(late):
    free, few = queued(late), queued(late, capacity=4)
    called = sorted((row["priority"], name) for name, row in few.items() if row["channel"] == "call")
    assert [priority for priority, _ in called] == [1, 2, 3, 4] and len([row for row in free.values() if row["channel"] == "call"]) == 12
    assert {row["why_not_call"] for row in few.values() if row["channel"] != "call"} == {"over-capacity"} and {row["channel"] for row in few.values()} == {"call", "sms"}
    assert sorted(free.values(), key=lambda row: row["priority"]) == sorted(free.values(), key=lambda row: (-row["expected_fen"], -row["owed_fen"], -row["dpd"], row["applicant_id"]))


def test_the_queue_and_the_check_are_the_same_bytes_for_any_workers_and_order_of_rows(closed, tmp_path):
    rng, rows = random.Random(5), []
    for n in range(300):
        rows.append({"contact_id": f"C{n:06d}", **contact(f"{8 + n % 14:02d}:{rng.randrange(60):02d}", f"P{rng.randrange(1, 13)}", target=rng.choice(["own_1", "own_2"]), connected=rng.choice(["yes", "no"]))})
    made = []
    for turn, workers in enumerate((1, 2)):
        root = Path(shutil.copytree(closed, tmp_path / f"book{turn}"))
        recorded(root, rows)
        queue.write_queue(Book.open(root), DAY(TODAY), 900, 5, CONFIGS, tmp_path / f"{turn}.parquet", workers)
        made.append(((tmp_path / f"{turn}.parquet").read_bytes(), check.check(Book.open(root), DAY(TODAY), DAY(TODAY), CONFIGS)[0].to_pylist()))
        rng.shuffle(rows)
    assert made[0] == made[1] and made[0][1]


# --- the list ---


def _run_of(folder: Path) -> Path:
    """A run that knows phones, and nothing else."""
    (folder / "inputs" / "applicants").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"as_of": "2026-01-10", "buckets": 1}))
    con = connect(1)
    given_ = {"application_id": "applicant_id", "applied_at": "TIMESTAMP '2026-01-10 09:00:00'"} | {"phone": "'1380013' || lpad(CAST(n AS VARCHAR), 4, '0')", "contact_phone": "'1390013' || lpad(CAST(n AS VARCHAR), 4, '0')"}
    columns = ", ".join(f"{given_.get(c.name, f'CAST(NULL AS {c.type})')} AS {c.name}" for c in CONTRACTS["applicants"].columns if c.name != "applicant_id")
    con.execute(f"CREATE TEMP TABLE made AS SELECT applicant_id, {columns} FROM (SELECT 'P' || n AS applicant_id, n FROM range(1, 12) t(n))")
    put(con, "applicants", folder / "inputs" / "applicants" / "000.parquet", "made", True)
    con.close()
    return folder


def test_the_list_and_what_is_withheld_add_up_to_the_queue(late):
    kept(late, [answered("2026-04-05 09:00", outcome="disputed"), contact("2026-04-05 09:00", "P2", kind="hold", hold="bankrupt", **BY_HAND), *[contact(f"{8 + n:02d}:00", "P3") for n in range(6)]])
    rows = queued(late, at="14:00", capacity=3)
    for channel in ("call", "ai_call", "sms", "app", "letter", "visit"):
        listed, told = export.contact_list(late.parent / "book-queue.parquet", channel, CONFIGS, [])
        assert told["listed"] + sum(told["withheld"].values()) == told["queue"] == 12
        assert {row["applicant_id"] for row in listed.to_pylist()} == {name for name, row in rows.items() if row["channel"] == channel}
        assert not {"P1", "P2"} & {row["applicant_id"] for row in listed.to_pylist()}
    assert told["withheld"]["hold-dispute"] == 1


def test_phones_are_in_the_list_only_where_they_are_asked_for_and_only_its_owner_may_read_it(late, tmp_path):
    kept(late, [contact("2026-04-05 09:00", "P2", outcome="dead_number")])
    run, config = _run_of(tmp_path / "run"), ("--config", CONFIGS)
    out = done("collections", "queue", "--book", late, "--at", TODAY, "--out", tmp_path / "q.parquet", *config, "--format", "json")
    assert json.loads(out.out)["borrowers"] == 12 and "rule-not-law: col.gb.from" in out.err and "recommended standard, not law" in out.err
    plain, counted = export.contact_list(tmp_path / "q.parquet", "call", CONFIGS, [])
    assert counted["listed"] == 12 and "phone" not in plain.column_names
    told = done("collections", "export", "--queue", tmp_path / "q.parquet", "--channel", "call", "--out", tmp_path / "phones.csv", "--with-phones", run, *config, "--format", "json")
    assert stat.S_IMODE((tmp_path / "phones.csv").stat().st_mode) == 0o600 and "personal-data" in told.err and "0600" in told.err and "138001" not in told.out + told.err
    with open(tmp_path / "phones.csv", encoding="utf-8-sig", newline="") as file:
        by_borrower = {row["applicant_id"]: row for row in csv.DictReader(file)}
    assert by_borrower["P3"]["phone"] == "13800130003" and (by_borrower["P2"]["target"], by_borrower["P2"]["phone"], by_borrower["P2"]["owed_fen"]) == ("contact_1", "13900130002", "")
    assert json.loads(told.out)["withheld"] == {"no-phone": 1} and "P12" not in by_borrower
    assert call("collections", "export", "--queue", tmp_path / "q.parquet", "--channel", "call", "--out", tmp_path / "phones.csv", *config).code == 2
    with pytest.raises(InputError, match="no queue"):
        export.contact_list(late / "contacts" / "00001.parquet", "call", CONFIGS, [])


# --- what was done wrong ---


_PLANTED = {
    "outside-hours": [contact("22:00", "P2")],
    "calls-used-up": [answered(f"{9 + n:02d}:00", "P2") for n in range(4)],
    "tries-used-up": [contact(f"{9 + n:02d}:00", "P2") for n in range(7)],
    "third-party": [contact("09:00", "P2", party="contact", target="contact_1")],
    "third-party-refused": [*(contact(f"09:0{n}", "P2") for n in range(3)), *(answered(f"10:0{n}", "P2", party="contact", target="contact_1", outcome="no_more_contact") for n in range(2))],
    "debt-told": [*(contact(f"09:0{n}", "P2") for n in range(3)), answered("10:00", "P2", party="contact", target="contact_1", debt_details="yes")],
    "visit-alone": [answered("10:00", "P2", channel="visit", target="", agent="A7")],
    "hold": [answered("09:00", "P2", outcome="disputed"), contact("10:00", "P2")],
    "agreed-hours": [answered("09:00", "P2", outcome="agreed_hours", hours_from="18:00", hours_until="20:00"), contact("10:00", "P2")],
}
_INNOCENT = [
    answered("08:00", "P3"), contact("09:00", "P3"), answered("10:00", "P3", channel="sms"), answered("21:59", "P4", channel="visit", target="", agent="A1;A2"), contact("23:00", "P5", channel="letter", target=""),
    answered("09:00", "P6", outcome="promise", promise_date="2026-04-06"),
]


@pytest.mark.parametrize("kind", _PLANTED)
def test_one_planted_breach_of_each_kind_is_found_and_nothing_else(late, kind):
    kept(late, [*_INNOCENT, *_PLANTED[kind]])
    assert breaches(late) == {(kind, f"C{len(_INNOCENT) + len(_PLANTED[kind]):06d}")}


def test_a_gap_in_the_numbering_is_flagged_and_old_records_may_be_erased(late, tmp_path):
    kept(late, [*_INNOCENT, contact("12:00", "P2") | {"contact_id": "C000009"}, contact("12:01", "P2") | {"contact_id": "chat-8f3a"}, contact("2021-03-01 10:00", "P2") | {"contact_id": "C000010"}])
    rows = {row["breach"]: row for row in check.check(Book.open(late), DAY(TODAY), DAY(TODAY), CONFIGS)[0].to_pylist()}
    assert set(rows) == {"numbering-gap", "may-be-erased"}
    assert rows["numbering-gap"]["contact_id"] == "C000009" and "2 missing between C000006 and C000009" in rows["numbering-gap"]["says"]
    assert (rows["may-be-erased"]["contact_id"], rows["may-be-erased"]["rule"]) == ("C000010", "own.records")
    cfc = settings_of(tmp_path, {"lender.toml": {'licence = "bank"': 'licence = "cfc"'}})
    found = [row for row in check.check(Book.open(late), DAY(TODAY), DAY(TODAY), cfc)[0].to_pylist() if row["breach"] == "may-be-erased"]
    assert [(row["rule"], row["force"], row["certainty"]) for row in found] == [("col.cfc.keep", "law", "M")]


def test_compliance_asks_from_the_shell(late, tmp_path):
    path = listed_in(tmp_path / "c.csv", [*_INNOCENT, *_PLANTED["calls-used-up"], contact("09:00", "P99"), contact("2026-03-01")])
    told = done("collections", "record", path, "--book", late, "--config", CONFIGS)
    assert "12 rows: 11 recorded as of 2026-04-06, 0 known before, 1 refused" in told.err and "no-time-of-day: 1 contacts begin at 00:00" in told.err and "contacts-00001.parquet" in told.err
    found = call("collections", "check", "--book", late, "--from", TODAY, "--to", TODAY, "--config", CONFIGS, "--fail-on", "--format", "jsonl")
    assert found.code == 1 and [json.loads(line)["rule"] for line in found.out.splitlines()] == ["col.gb.calls"]
    assert "1 breaches by 1 of them" in found.err and "an association's guideline, not law" in found.err
    assert "regulation-unverified" in [ref for ref, _ in check.check(Book.open(late), DAY("2026-12-01"), DAY("2026-12-31"), CONFIGS)[1]["notes"]]
    assert call("collections", "queue", "--book", late, "--at", TODAY, "--from-time", "8h", "--out", tmp_path / "q", "--config", CONFIGS).code == 2
    with pytest.raises(UsageError, match="2026-04-07 is not closed"):
        queued(late, "2026-04-08")
    with pytest.raises(UsageError, match="2026-04-05 is closed"):
        recorded(late, [contact("09:00")], "2026-04-05", first=99)


# --- the promise of the list ---


_OUTCOMES = (None,) * 8 + ("refused", "disputed", "dead_number", "no_more_contact", "deceased", "paid_already")
_NUMBERS = ("own_1", "own_1", "own_2", "contact_1")


def _of_number(number: int, borrower: str) -> dict:
    """A contact of yesterday or today with anybody by anything: every number is one."""
    parts = []
    for choices in (1440, 4, 4, len(_OUTCOMES), 2, 3, 4):
        number, part = divmod(number, choices)
        parts.append(part)
    minute, day, target, outcome, connected, details, channel = parts
    target, outcome = _NUMBERS[target], _OUTCOMES[outcome]
    return contact(
        f"{'2026-04-05' if day == 0 else TODAY} {minute // 60:02d}:{minute % 60:02d}", borrower, channel=("call", "call", "ai_call", "sms")[channel], target=target,
        party="contact" if target == "contact_1" else "debtor", connected="no" if outcome == "dead_number" else ("yes", "no")[connected], outcome=outcome, debt_details=("", "no", "yes")[details])


_PAST = st.lists(st.lists(st.integers(0, 1440 * 4 * 4 * len(_OUTCOMES) * 2 * 3 * 4 - 1), max_size=16), min_size=12, max_size=12).map(
    lambda lists: [_of_number(number, f"P{borrower}") for borrower, numbers in enumerate(lists, 1) for number in numbers])


def _by_hand(rows: list[dict]) -> set[tuple[str, str]]:
    """What is wrong with the rows, one after another: a bank's rules of April 2026, told again without SQL."""
    found, numbered = set(), sorted(((row["begun_at"], f"C{n:06d}", row) for n, row in enumerate(rows, 1)), key=lambda one: one[:2])
    for place, (at, contact_id, row) in enumerate(numbered):
        day, before = at[:10], [other for _, _, other in numbered[:place] if other["applicant_id"] == row["applicant_id"]]
        voice, to_debtor = row["channel"] in ("call", "ai_call"), row["party"] == "debtor"
        if not "08:00" <= at[11:] < "22:00":
            found.add(("outside-hours", contact_id))
        calls = [other for other in before if other["channel"] in ("call", "ai_call")]
        same_person = [other for other in calls if other["party"] == row["party"] and (to_debtor or other["target"] == row["target"]) and other["begun_at"][:10] == day]
        if voice and row["connected"] == "yes" and sum(other["connected"] == "yes" for other in same_person) >= 3:
            found.add(("calls-used-up", contact_id))
        if voice and row["connected"] == "no" and sum(other["connected"] == "no" and other["target"] == row["target"] for other in same_person) >= 6:
            found.add(("tries-used-up", contact_id))
        if not to_debtor:
            straight, dead = 0, {"own_1": False}
            for other in before:
                if other["party"] == "debtor":
                    if other["channel"] != "sms":
                        straight = 0 if other["connected"] == "yes" else straight + 1
                    dead[other["target"]] = True if other["outcome"] == "dead_number" else False if other["channel"] != "sms" and other["connected"] == "yes" else dead.get(other["target"], False)
            if straight < 3 and not all(dead.values()) and not any(other["outcome"] == "deceased" for other in before):
                found.add(("third-party", contact_id))
            if any(other["target"] == row["target"] and other["outcome"] in ("refused", "no_more_contact") for other in before):
                found.add(("third-party-refused", contact_id))
            if row["debt_details"] == "yes":
                found.add(("debt-told", contact_id))
        for other in before:
            if other["begun_at"] < at:
                stops = (other["party"] == "debtor" and other["outcome"] in ("disputed", "paid_already")) or (to_debtor and other["outcome"] == "deceased") or (
                    to_debtor and other["party"] == "debtor" and other["outcome"] == "no_more_contact")
                if stops:
                    found.add(("hold", contact_id))
    return found


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(past=_PAST, now=st.integers(0, 24 * 60 - 1), answers=st.lists(st.booleans(), min_size=20, max_size=60))
def test_who_acts_out_the_list_breaks_nothing_and_the_check_sees_what_an_eye_sees(closed, tmp_path_factory, past, now, answers):
    root = Path(shutil.copytree(closed, tmp_path_factory.mktemp("acted") / "book"))
    shutil.copy(closed.parent / "panel.parquet", root.parent / "panel.parquet")
    so_far = [row for row in past if row["begun_at"] < f"{TODAY} {now // 60:02d}:{now % 60:02d}"]
    kept(root, so_far)
    wrong = breaches(root, "2026-04-05")
    assert wrong == _by_hand(so_far)
    clock = f"{now // 60:02d}:{now % 60:02d}"
    rows, acted, spun = [], [], itertools.cycle(answers)
    queued(root, at=clock)
    for channel in ("call", "ai_call", "sms"):
        listed, _ = export.contact_list(root.parent / "book-queue.parquet", channel, CONFIGS, [])
        rows += [(channel, row) for row in listed.to_pylist()]
    reached = set()
    for channel, row in rows:  # a borrower's numbers in turn, each as often as it may be tried, until one connects
        for n in range((row["tries_left"] or 1) if channel != "sms" else 1):
            if row["applicant_id"] in reached:
                break
            assert clock <= row["window_from"] < row["window_until"] or row["window_from"] == "08:00"
            last = datetime.datetime.fromisoformat(f"{TODAY} {row['window_until']}") - datetime.timedelta(minutes=1)
            answer = next(spun)
            acted.append(contact(
                (last if n else datetime.datetime.fromisoformat(f"{TODAY} {row['window_from']}")).strftime("%Y-%m-%d %H:%M"), row["applicant_id"], channel=channel, target=row["target"], party=row["party"],
                connected="yes" if answer else "no", debt_details="no"))
            if answer and channel != "sms":
                reached.add(row["applicant_id"])
    kept(root, so_far + acted)
    assert breaches(root, "2026-04-05") == wrong
    shutil.rmtree(root.parent)


# --- strategies ---


def test_a_borrower_stays_in_one_arm_and_arms_are_near_their_shares():
    policy, con = load_collections(CONFIGS), connect(1)
    of = f"SELECT {arms.arm_of(policy.arms)} AS arm, count(*) FROM (SELECT 'P' || n AS applicant_id FROM range(50000) t(n)) GROUP BY arm"
    counts = dict(con.execute(of).fetchall())
    assert counts["champion"] + counts["challenger"] == 50_000 and abs(counts["challenger"] / 50_000 - 0.2) < 4 * (0.2 * 0.8 / 50_000) ** 0.5
    pinned = con.execute(f"SELECT applicant_id, {arms.arm_of(policy.arms)} FROM (VALUES ('P1'), ('P2'), ('P3'), ('P4'), ('P5')) t(applicant_id)").fetchall()
    assert dict(pinned) == {name: _arm_by_hand(policy.arms.salt, name) for name, _ in pinned}
    wider = policy.arms.model_copy(update={"shares": {"champion": policy.arms.shares["champion"] - policy.arms.shares["challenger"] / 2, "challenger": policy.arms.shares["challenger"] * 3 / 2}})
    moved = con.execute(f"SELECT count(*) FROM (SELECT 'P' || n AS applicant_id FROM range(5000) t(n)) WHERE {arms.arm_of(policy.arms)} = 'challenger' AND {arms.arm_of(wider)} = 'champion'").fetchall()
    assert moved == [(0,)]  # a larger share takes borrowers in and lets none go
    con.close()


def _arm_by_hand(salt: str, applicant: str) -> str:
    import hashlib

    return "challenger" if int(hashlib.sha256(f"{salt}:{applicant}".encode()).hexdigest()[:8], 16) / 2**32 < 0.2 else "champion"


def _history(tmp_path: Path, seed: int, cures: dict[str, float], debts: dict[str, int] | None = None, borrowers: int = 320) -> Path:
    """Everybody is late from 11 February; whom the chance of their arm takes pays what is due ten days later."""
    rng, config = random.Random(seed), settings_of(tmp_path, {"collections.toml": {"champion = 0.8, challenger = 0.2": "champion = 0.5, challenger = 0.5"}})
    policy, con = load_collections(config), connect(1)
    names = [f"S{seed}-{n}" for n in range(borrowers)]
    arm = dict(con.execute(f"SELECT applicant_id, {arms.arm_of(policy.arms)} FROM (SELECT unnest($1) AS applicant_id)", [names]).fetchall())
    con.close()
    amount = {name: (debts or {}).get(arm[name], 0) + rng.randrange(500, 1500) for name in names}
    root = book(tmp_path / "book", [loan(name, "2026-01-10", [("2026-02-10", amount[name], 0), ("2026-08-10", 1000, 0)]) for name in names])
    post(root, events(tmp_path / "e.csv", [{"loan_id": name, "value_date": "2026-02-21", "amount": amount[name] + 50} for name in names if rng.random() < cures[arm[name]]]))
    close(root, "2026-04-05")
    kept(root, [answered(f"2026-02-{12 + n % 9} 10:00", name, channel="call" if arm[name] == "champion" else "ai_call", **({"outcome": "promise", "promise_date": "2026-02-25", "promise_amount": 400} if n % 4 == 0 else {}))
                    for n, name in enumerate(names)])
    return root


def _compared(root: Path) -> tuple[dict[tuple, dict], dict, list]:
    tables, notes = compare.compare(Book.open(root), DAY("2026-02-01"), DAY("2026-03-05"), root.parent / "configs", 1)
    return {(row["stage"], row["measure"]): row for row in tables["differences"].to_pylist()}, {(row["stage"], row["arm"]): row for row in tables["arms"].to_pylist()}, notes


@pytest.mark.parametrize("seed", [1, 2])
def test_a_difference_that_is_there_is_found_with_what_it_cost(tmp_path, seed):
    root = _history(tmp_path, seed, {"champion": 0.35, "challenger": 0.6})
    found, by_arm, notes = _compared(root)
    for measure in ("cure_rate", "recovered_fen_each"):
        assert found["M1", measure]["told_apart"] and found["M1", measure]["low"] > 0 and found["all", measure]["told_apart"]
    assert abs(found["M1", "cure_rate"]["difference"] - 0.25) < 0.15 and "Newcombe" in found["M1", "cure_rate"]["method"]
    assert notes == []
    one, other = by_arm["M1", "challenger"], by_arm["M1", "champion"]
    assert one["entered"] + other["entered"] == one["contacts"] + other["contacts"] == 320 and one["cost_fen"] == 15 * one["contacts"] and other["cost_fen"] == 250 * other["contacts"]
    assert other["cost_per_yuan"] > 10 * one["cost_per_yuan"] and one["cost_per_yuan"] == pytest.approx(one["cost_fen"] / one["recovered_fen"], abs=1e-6)
    paid = set(row[0] for row in connect(1).execute(f"SELECT loan_id FROM '{root}/events/*.parquet'").fetchall())
    promised = {row[0] for row in connect(1).execute(f"SELECT applicant_id FROM '{root}/contacts/*.parquet' WHERE outcome = 'promise'").fetchall()}
    assert one["cured"] + other["cured"] == len(paid) and one["promises"] + other["promises"] == 80 and one["promises_kept"] + other["promises_kept"] == len(paid & promised)


@pytest.mark.parametrize("seed", [3, 4])
def test_no_difference_is_not_found(tmp_path, seed):
    found, _, notes = _compared(_history(tmp_path, seed, {"champion": 0.45, "challenger": 0.45}))
    assert not any(row["told_apart"] for row in found.values()) and notes == []


def test_arms_that_were_not_alike_at_entry_are_said(tmp_path):
    root = _history(tmp_path, 6, {"champion": 0.45, "challenger": 0.45}, {"challenger": 400})
    _, _, notes = _compared(root)
    assert [ref for ref, _ in notes] == ["arms-not-alike"]
    told = done("collections", "compare", "--book", root, "--from", "2026-02-01", "--to", "2026-04-05", "--config", tmp_path / "configs", "--format", "json")
    assert set(json.loads(told.out)) >= {"arms", "differences", "balance"} and "arms-not-alike" in told.err and "entries-too-recent" in told.err


def test_intervals_are_the_published_ones():
    """Newcombe 1998, table II, method 10: 56/70 less 48/80 is 0.0524 to 0.3339; 9/10 less 3/10 is 0.1705 to 0.8090."""
    for (a, m, b, n), wanted in (((56, 70, 48, 80), (0.0524, 0.3339)), ((9, 10, 3, 10), (0.1705, 0.8090)), ((0, 10, 0, 20), (-0.1611, 0.2775))):
        _, low, high = differences.of_rates([(differences.Sample(m, a, 0, 0), differences.Sample(n, b, 0, 0))], 0.95)
        assert (low, high) == (pytest.approx(wanted[0], abs=1e-4), pytest.approx(wanted[1], abs=1e-4))


# --- configuration ---


@pytest.mark.parametrize(("old", "new", "says"), [
    ("champion = 0.8", "champion = 0.7", "add up to 0.9"), ('control = "champion"', 'control = "cautious"', "there is no arm cautious"), ("from_dpd = 31", "from_dpd = 1", "rising days"),
    ('[strategy.challenger]\n"M1"', '[strategy.challenger]\n"M9"', "a step for each stage"), ("M6 = 0.05, ", "", "prior has M1"), ("days = 20", 'days = 20\nends = "promise_date"', "one of them"),
])
def test_a_configuration_that_cannot_be_is_refused(tmp_path, old, new, says):
    with pytest.raises(ConfigError, match=says):
        load_collections(settings_of(tmp_path, {"collections.toml": {old: new}}))
