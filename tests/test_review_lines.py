"""Credit lines in life: every action on its edge, no flapping, nothing known too early, a score that lateness never betters."""

from __future__ import annotations

import csv
import datetime
import json
import shutil
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import book_of
from book_of import CONFIGS, DAY, book, close, events, post
from conftest import call, done
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.contracts.lines import BEHAVIOUR
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.errors import ConfigError, InputError, UsageError
from qqloan_cli.policy.line_facts import LATENESS, LINE_FACTS
from qqloan_cli.policy.lines import ACTIONS, ADVERSE, SAID_BY_KEEP, LineRules, load_line_policy
from qqloan_cli.policy.products import load_products
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring import behaviour, measures
from qqloan_cli.servicing import book as books
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.lines.figures import figures_of, write_history
from qqloan_cli.servicing.lanes import Agreements
from qqloan_cli.servicing.lines.review import file_of, night_of, notices, review, stops, summary

POLICY, PRODUCTS, SCALE = load_line_policy(CONFIGS), load_products(CONFIGS), load_scale(CONFIGS)
CARD = behaviour.ByCard(POLICY.lines.card, POLICY.lines)
ONE = datetime.timedelta(1)


def night(root: Path, at: str | datetime.date, policy=POLICY, score=CARD, refresh: Run | None = None, workers: int = 1) -> dict[str, dict]:
    """Rows by line."""
    day, opened = at if isinstance(at, datetime.date) else DAY(at), Book.open(root)
    review(night_of(opened, day, policy, PRODUCTS, score, refresh), file_of(opened, day), workers)
    return {row["line_id"]: row for row in pq.read_table(file_of(opened, day)).to_pylist()}


def loan(*of, **other) -> dict:
    """Without penalty: an instalment that is paid late is paid."""
    return book_of.loan(*of, penalty=0, **other)


def dues(first: str, months: int, fen: int = 1_000) -> list[tuple]:
    """Instalments of 1,000 yuan and 10 of interest, on the day of the month."""
    year, month, day = map(int, first.split("-"))
    return [(f"{year + (month + k - 1) // 12}-{(month + k - 1) % 12 + 1:02}-{day:02}", fen, 10) for k in range(months)]


def paid(name: str, due: list[tuple], upto: int, late: int = 0) -> list[dict]:
    return [{"loan_id": name, "value_date": (DAY(day) + late * ONE).isoformat(), "amount": principal + interest} for day, principal, interest in due[:upto]]


def told(root: Path, rows: list[dict], to: str, name: str = "e", received: str | None = None) -> Path:
    numbered = [{"event_id": f"{name}-{n}", **row} for n, row in enumerate(rows)]
    if numbered:
        post(root, events(root.parent / f"{root.name}-{name}.csv", numbered), received)
    close(root, to)
    return root


# --- what a book holds of a line ---


def test_a_run_brings_a_line_for_every_approved_application(lender_run, tmp_path):
    root = tmp_path / "book"
    shown = done("servicing", "open", lender_run, "--book", root)
    approved = duckdb.sql(f"SELECT application_id, amount_fen, max_amount_fen, monthly_income_fen FROM '{lender_run}/limit/*.parquet' LEFT JOIN (SELECT application_id, monthly_income_fen FROM '{lender_run}/income/*.parquet') USING (application_id) WHERE decision = 'approve'").fetchall()
    lines = {row["line_id"]: row for path in Book.open(root).files("lines") for row in pq.read_table(path).to_pylist()}
    assert set(lines) == {row[0] for row in approved} and f"{len(lines):,} lines" in shown.err + shown.out
    assert all((lines[name]["amount_fen"], lines[name]["limit_fen"], lines[name]["monthly_income_fen"]) == (amount, max(amount, most), income) for name, amount, most, income in approved)
    assert all(row["expires_on"] == row["opened_on"].replace(year=row["opened_on"].year + (2 if row["product"] == "renovation_loan" else 3)) for row in lines.values())
    # A book of before there were lines: one line says so, and how to mend it; mended, its loans are what they were.
    shutil.rmtree(root / "opens" / "00001" / "lines")
    done("servicing", "close", "--book", root, "--to", "2026-12-31", "--quiet")
    refused = call("review-lines", "--book", root, "--at", "2026-12-31")
    assert refused.code == 2 and "book-without-lines" in refused.err and "servicing open RUN" in refused.err and len(refused.err.strip().splitlines()) == 1
    loans = {path.name: path.read_bytes() for path in Book.open(root).files("loans")}
    done("servicing", "open", lender_run, "--book", root, "--quiet")
    assert {path.name: path.read_bytes() for path in Book.open(root).files("loans")} == loans
    assert {row["line_id"]: row for path in Book.open(root).files("lines") for row in pq.read_table(path).to_pylist()} == lines
    assert "run-in-book" in call("servicing", "open", lender_run, "--book", root).err
    rows = json.loads(done("review-lines", "--book", root, "--at", "2026-12-31", "--format", "json").out)["rows"]
    assert sum(row["lines"] for row in rows) == len(lines)


def test_facts_are_the_columns_that_rules_are_asked_over(tmp_path):
    root = told(book(tmp_path / "b", [loan("L", "2026-01-10", dues("2026-02-10", 6))]), [], "2026-03-31")
    night(root, "2026-03-31")
    con = connect(1)
    figures_of(con, Book.open(root), 0, DAY("2026-03-31"), Agreements.of(Book.open(root)), 3)
    got = {name: kind for name, kind, *_ in con.sql("DESCRIBE line_figures").fetchall()}
    owed = con.sql("SELECT dpd, owed_fen FROM line_figures").fetchall()
    con.close()
    assert owed == [(49, 202_000)]
    assert set(BEHAVIOUR) <= set(got) and set(LATENESS) <= set(BEHAVIOUR)
    assert {name: kind for name, kind in got.items() if name in BEHAVIOUR} == {column.name: column.type for column in CONTRACTS["line_months"].columns if column.name in BEHAVIOUR}
    from qqloan_cli.servicing.lines import review as review_module

    sql = (Path(review_module.__file__).with_name("review.sql")).read_text(encoding="utf-8")
    assert not [fact.name for fact in LINE_FACTS if fact.name not in sql.split("VIEW line_facts")[1].split("FROM before_night")[0]]


def test_the_configuration_is_right_and_says_where_it_is_not(tmp_path):
    assert LineRules(POLICY.lines.rule).check_examples() == []
    assert "examples of lines.toml" in done("config", "check").out
    for old, new, says in [
        ('when = "dpd >= 31"', 'when = "dpd + 31"', "true or false"), ('when = "dpd >= 31"', 'when = "hope > 1"', "hope is no fact"), ("points = [9, -3, 0]", "points = [-9, 3, 0]", "against its direction"),
        ('may_do_en = "You may apply again at any time."\n', "", "what the borrower may do"), ("{limit} yuan is frozen", "{name} is frozen", "{name} is no place"), ("step = 0.3", "", "a step belongs"),
        ('code = "LN-THAW"', 'code = "LN-HOPE"', "LN-HOPE has no text"), ('dpd = { direction = 1', 'hope = { direction = 1', "hope is no column"), ('stopped_by = ["stop", "freeze"]', 'stopped_by = ["freeze"]', "stopped_by lacks stop"),
    ]:
        folder = tmp_path / "configs"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(CONFIGS, folder)
        text = (folder / "lines.toml").read_text(encoding="utf-8")
        assert old in text
        (folder / "lines.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ConfigError) as wrong:
            load_line_policy(folder)
        assert says in str(wrong.value) and "\n" not in str(wrong.value)


def test_a_rule_counts_from_its_day_to_its_last(tmp_path):
    [rule] = [rule for rule in POLICY.lines.rule if rule.code == "LN-FREEZE-LATE"]
    dated = rule.model_copy(update={"from_": DAY("2026-03-01"), "to": DAY("2026-03-31")})
    assert [dated.in_force(DAY(day)) for day in ("2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01")] == [False, True, True, False]
    policy = type(POLICY)(POLICY.lines.model_copy(update={"rule": [dated]}), POLICY.reasons, "x")
    assert len(policy.rules(DAY("2026-03-31")).rules) == 1 and len(policy.rules(DAY("2026-04-01")).rules) == 0
    root = told(book(tmp_path / "b", [loan("L", "2026-01-10", dues("2026-02-10", 6))]), [], "2026-04-30")
    assert night(root, "2026-02-28", policy)["L"]["reason_codes"] == ["LN-KEPT"]  # none is in force
    assert night(root, "2026-03-31", policy)["L"]["reason_codes"] == ["LN-FREEZE-LATE"]


# --- every action, the day before and on its day ---


def test_expiry_by_date_is_final(tmp_path):
    due = dues("2026-02-10", 12)
    root = told(book(tmp_path / "b", [loan("L", "2026-01-10", due, line={"expires_on": DAY("2026-06-01")})]), paid("L", due, 12), "2027-02-28")
    assert night(root, "2026-05-31")["L"]["action"] == "keep"
    ended = night(root, "2026-06-01")["L"]
    assert (ended["action"], ended["reason_codes"], ended["available_fen"], ended["limit_fen"], ended["adverse"]) == ("expire", ["LN-EXPIRE-DATE"], 0, ended["outstanding_fen"], True)
    for day in ("2026-06-02", "2026-12-31"):  # six clean instalments raise nothing any more
        later = night(root, day)["L"]
        assert (later["action"], later["reason_codes"], later["available_fen"], later["expired_on"]) == ("keep", ["LN-EXPIRED"], 0, DAY("2026-06-01"))


def test_expiry_by_idleness_takes_twelve_whole_months(tmp_path):
    """Paid off on 10 March 2026; another was approved on 10 January and never drawn."""
    due = dues("2026-02-10", 2)
    root = told(book(tmp_path / "b", [loan("L", "2026-01-10", due)], undrawn=[{"line_id": "U"}]), paid("L", due, 2), "2027-04-30")
    assert {name: row["action"] for name, row in night(root, "2027-01-09").items()} == {"L": "keep", "U": "keep"}
    assert {name: row["action"] for name, row in night(root, "2027-01-10").items()} == {"L": "keep", "U": "expire"}
    assert night(root, "2027-03-09")["L"]["action"] == "keep"
    assert night(root, "2027-03-10")["L"]["reason_codes"] == ["LN-EXPIRE-IDLE"]


def test_freeze_on_the_31st_day_and_of_all_lines_of_the_borrower(tmp_path):
    due = dues("2026-02-10", 12)
    lines = [loan("late", "2026-01-10", due, applicant_id="P"), loan("good", "2026-01-10", due, applicant_id="P"), loan("other", "2026-01-10", due, applicant_id="Q")]
    root = told(book(tmp_path / "b", lines), paid("good", due, 5) + paid("other", due, 5), "2026-06-30")
    before = night(root, "2026-03-12")
    assert {name: (row["action"], row["dpd"]) for name, row in before.items()} == {"late": ("keep", 30), "good": ("keep", 0), "other": ("keep", 0)}
    rows = night(root, "2026-03-13")
    assert {name: (row["action"], row["reason_codes"]) for name, row in rows.items()} == {
        "late": ("freeze", ["LN-FREEZE-LATE"]), "good": ("freeze", ["LN-FREEZE-CROSS"]), "other": ("keep", ["LN-KEPT"])}
    assert rows["late"]["available_fen"] == rows["good"]["available_fen"] == 0 and rows["good"]["frozen_on"] == DAY("2026-03-13")
    assert night(root, "2026-03-14")["late"]["reason_codes"] == ["LN-FROZEN", "LN-FREEZE-LATE"]


def test_a_written_off_loan_freezes_and_never_thaws(tmp_path):
    due = dues("2026-02-10", 6)
    root = book(tmp_path / "b", [loan("L", "2026-01-10", due)])
    told(root, [{"loan_id": "L", "kind": "write_off", "value_date": "2026-02-01"}], "2026-12-31")
    assert night(root, "2026-02-01")["L"]["reason_codes"] == ["LN-FREEZE-WRITTEN-OFF"]
    assert {night(root, f"2026-{month:02}-28")["L"]["action"] for month in (3, 7, 12)} == {"keep"}


def test_a_thaw_takes_three_clean_months_on_every_line_of_the_borrower(tmp_path):
    """
    Late from 10 February, all paid on 20 March: the last day late is 19 March. May's instalment comes in time, or three days late, which
    leaves a month clean, or four, which is late again to 13 May, though at no month's end. Each borrower has another line that is paid in time.
    """
    due = dues("2026-02-10", 12)
    loans, rows = [], []
    for days in (0, 3, 4):
        loans += [loan(f"late-{days}", "2026-01-10", due, applicant_id=f"P{days}"), loan(f"good-{days}", "2026-01-10", due, applicant_id=f"P{days}")]
        of = paid(f"late-{days}", due, 8)
        of[0]["value_date"] = of[1]["value_date"] = "2026-03-20"
        of[3]["value_date"] = (DAY("2026-05-10") + days * ONE).isoformat()
        rows += of + paid(f"good-{days}", due, 9)
    root = told(book(tmp_path / "b", loans), rows, "2026-09-30")
    actions = lambda day: {name: row["action"] for name, row in night(root, day).items()}  # noqa: E731
    assert set(actions("2026-03-19").values()) == {"freeze"}
    assert set(actions("2026-06-18").values()) == {"keep"}
    thawed = actions("2026-06-19")
    assert {name for name, action in thawed.items() if action == "unfreeze"} == {"late-0", "good-0", "late-3", "good-3"}
    assert set(actions("2026-08-12").values()) == {"keep"}
    assert {name for name, action in actions("2026-08-13").items() if action == "unfreeze"} == {"late-4", "good-4"}


def test_the_next_tranche_is_stopped_on_the_eighth_day_and_its_cancellation_can_be_posted(tmp_path):
    due = dues("2026-02-10", 6)
    both = lambda: [loan("T-1", "2026-01-10", due, application_id="T", applicant_id="P"), loan("T-2", "2026-03-20", dues("2026-04-10", 4), application_id="T", applicant_id="P", tranche_no=2)]  # noqa: E731
    root = told(book(tmp_path / "b", both()), [], "2026-03-31")
    eve = night(root, "2026-02-17")["T"]
    assert (eve["action"], eve["undrawn_fen"], eve["limit_fen"]) == ("keep", 400_000, 1_000_000)
    rows = night(root, "2026-02-18")
    stopped = rows["T"]
    assert (stopped["action"], stopped["stopping"], stopped["stopped"], stopped["undrawn_fen"], stopped["reason_codes"]) == ("stop", ["T-2"], ["T-2"], 0, ["LN-STOP-LATE"])
    assert stopped["limit_fen"] == stopped["limit_before_fen"] - 400_000 == stopped["outstanding_fen"]  # what is not lent is not to be had another way
    [event] = stops(file_of(Book.open(root), DAY("2026-02-18"))).to_pylist()
    assert event == {"event_id": "stop-T-2", "loan_id": "T-2", "kind": "cancel", "value_date": DAY("2026-02-18")}
    after = night(root, "2026-02-19")["T"]
    assert (after["action"], after["stopping"], after["stopped"]) == ("keep", [], ["T-2"]) and len(stops(file_of(Book.open(root), DAY("2026-02-19")))) == 0
    # A freeze stops it as well.
    other = told(book(tmp_path / "c", both()), [], "2026-03-31")
    frozen = night(other, "2026-03-13")["T"]
    assert (frozen["action"], frozen["stopping"], frozen["undrawn_fen"]) == ("freeze", ["T-2"], 0)


def test_a_tranche_that_was_cancelled_is_neither_promised_nor_owed(tmp_path):
    due = dues("2026-02-10", 6)
    loans = [loan("T-1", "2026-01-10", due, application_id="T", applicant_id="P"), loan("T-2", "2026-03-20", dues("2026-04-10", 4), application_id="T", applicant_id="P", tranche_no=2)]
    root = book(tmp_path / "b", loans)
    post(root, events(tmp_path / "e.csv", paid("T-1", due, 4)))
    post(root, events(tmp_path / "stop.csv", [{"event_id": "C", "loan_id": "T-2", "kind": "cancel", "value_date": "2026-02-20"}]), "2026-02-20")
    close(root, "2026-05-31")
    assert night(root, "2026-02-19")["T"]["undrawn_fen"] == 400_000
    assert night(root, "2026-02-20")["T"]["undrawn_fen"] == 0
    assert night(root, "2026-05-09")["T"]["outstanding_fen"] == 300_000


def test_a_cut_on_the_third_late_month_not_below_what_is_outstanding_and_not_twice_in_its_pause(tmp_path):
    """Late at the ends of February, March and April, each paid on the fifth."""
    due = dues("2026-02-20", 12)
    rows = [{**row, "value_date": f"2026-{3 + k:02}-05"} for k, row in enumerate(paid("L", due, 3))] + paid("L", due[3:], 6)
    root = told(book(tmp_path / "b", [loan("L", "2026-01-20", due)]), rows, "2026-12-31")
    assert night(root, "2026-04-20")["L"]["action"] == "keep"  # the third is due today
    cut = night(root, "2026-04-21")["L"]
    assert (cut["action"], cut["reason_codes"], cut["limit_before_fen"], cut["limit_fen"]) == ("cut", ["LN-CUT-LATE"], 1_200_000, 1_000_000)
    assert cut["outstanding_fen"] == 1_000_000  # a fifth less would be 9,600
    assert night(root, "2026-05-31")["L"]["reason_codes"] == ["LN-TOO-SOON"]
    assert night(root, "2026-07-19")["L"]["reason_codes"] == ["LN-TOO-SOON"]
    again = night(root, "2026-07-20")["L"]
    assert (again["action"], again["limit_fen"]) == ("cut", 800_000)


def test_a_raise_after_six_clean_instalments_its_steps_its_pause_and_its_ceiling(tmp_path):
    """
    12,000 approved; the waterfall allows 18,000: nine tenths of it are 16,200, and half more than was approved 18,000. Steps of a fifth.
    """
    due = dues("2026-02-10", 24, 500)
    root = told(book(tmp_path / "b", [loan("L", "2026-01-10", due, line={"limit_fen": 1_800_000}), loan("poor", "2026-01-10", due, line={"dti": 0.51}), loan("unknown", "2026-01-10", due, line={"dti": None})]),
                [row for name in ("L", "poor", "unknown") for row in paid(name, due, 24)], "2028-01-31")
    assert night(root, "2026-07-09")["L"]["reason_codes"] == ["LN-KEPT"]
    rows = night(root, "2026-07-10")
    up = rows["L"]
    assert (up["action"], up["reason_codes"], up["limit_before_fen"], up["limit_fen"]) == ("raise", ["LN-RAISE-PROVEN"], 1_200_000, 1_440_000)
    assert up["available_fen"] == 1_440_000 - 900_000 and up["raised_on"] == DAY("2026-07-10")
    assert (rows["poor"]["action"], rows["poor"]["reason_codes"]) == ("keep", ["LN-KEPT"])
    assert (rows["unknown"]["action"], rows["unknown"]["reason_codes"], rows["unknown"]["rules_unknown"]) == ("keep", ["LN-UNKNOWN"], ["LN-RAISE-PROVEN"])
    assert night(root, "2027-01-05")["L"]["reason_codes"] == ["LN-TOO-SOON"]  # 179 days
    top = night(root, "2027-01-06")["L"]
    assert (top["action"], top["limit_fen"]) == ("raise", 1_620_000)
    assert night(root, "2027-08-31")["L"]["reason_codes"] == ["LN-NO-ROOM"]


def test_the_lines_of_a_borrower_are_raised_one_at_a_time_and_together_within_one_decision(tmp_path):
    """Two of 12,000 each; 32,000 are allowed for the person, of which nine tenths: 28,800. Each alone could have 18,000."""
    due = dues("2026-02-10", 24, 500)
    own = {"applicant_id": "P", "line": {"limit_fen": 3_200_000}}
    root = told(book(tmp_path / "b", [loan(name, "2026-01-10", due, **own) for name in ("A", "B")]), paid("A", due, 24) + paid("B", due, 24), "2027-12-31")
    first = night(root, "2026-07-10")
    assert {name: (row["action"], row["limit_fen"], row["reason_codes"]) for name, row in first.items()} == {
        "A": ("raise", 1_440_000, ["LN-RAISE-PROVEN"]), "B": ("keep", 1_200_000, ["LN-TOO-SOON"])}
    second = night(root, "2026-07-11")
    assert {name: (row["action"], row["limit_fen"]) for name, row in second.items()} == {"A": ("keep", 1_440_000), "B": ("raise", 1_440_000)}
    assert {name: (row["action"], row["reason_codes"]) for name, row in night(root, "2027-06-30").items()} == {name: ("keep", ["LN-NO-ROOM"]) for name in "AB"}


def test_a_refresh_lowers_the_ceiling_stops_and_cuts(lender_run, tmp_path):
    fresh = tmp_path / "fresh"
    (fresh / "limit").mkdir(parents=True)
    document = json.loads((lender_run / "run.json").read_text(encoding="utf-8"))
    (fresh / "run.json").write_text(json.dumps({**document, "as_of": "2026-05-01", "buckets": 1}))
    due = dues("2026-02-10", 12)
    limits = [
        {"application_id": f"new-{name}", "applicant_id": name, "product": "cash_loan", "pd": pd, "decision": decision, "max_amount_fen": most}
        for name, pd, decision, most in (("worse", 0.12, "refer", 3_000_000), ("less", 0.02, "approve", 1_100_000), ("same", 0.02, "approve", 9_000_000), ("no", 0.02, "decline", 9_000_000))
    ]
    con = connect(1)
    con.register("given", pa.Table.from_pylist([{**{column.name: None for column in CONTRACTS["limit"].columns}, **row} for row in limits]))
    con.execute(f"COPY ({CONTRACTS['limit'].select('given')}) TO '{fresh}/limit/000.parquet'")
    con.close()
    loans = [loan(name, "2026-01-10", due) for name in ("worse", "less", "same", "none")]
    loans += [loan("no-1", "2026-01-10", due, application_id="no", applicant_id="no"), loan("no-2", "2026-06-20", dues("2026-07-10", 4), application_id="no", applicant_id="no")]
    root = told(book(tmp_path / "b", loans), [row for name in ("worse", "less", "same", "none", "no-1") for row in paid(name, due, 5)], "2026-06-30")
    rows = night(root, "2026-05-20", refresh=Run.open(fresh))
    assert {name: (row["action"], row["reason_codes"]) for name, row in rows.items()} == {
        "worse": ("cut", ["LN-CUT-REFRESH"]), "less": ("cut", ["LN-CUT-REFRESH"]), "same": ("keep", ["LN-KEPT"]), "none": ("keep", ["LN-KEPT"]), "no": ("stop", ["LN-STOP-REFRESH"])}
    assert (rows["less"]["cap_fen"], rows["none"]["cap_fen"]) == (1_100_000, 3_600_000) and rows["none"]["refreshed_by"] is None and rows["less"]["refreshed_by"].startswith("2026-05-01")
    other = told(book(tmp_path / "c", loans), [], "2026-04-30")
    with pytest.raises(UsageError) as late:
        night(other, "2026-04-30", refresh=Run.open(fresh))
    assert late.value.ref == "refresh-too-late"


# --- no flapping ---


def test_nights_of_a_borrower_who_is_late_every_other_week_move_nothing_to_and_fro(tmp_path):
    """Instalments every fortnight from 1 March on, each paid a week late; the other borrower stops in March and pays everything on 20 April."""
    fortnights = [((DAY("2026-03-01") + 14 * k * ONE).isoformat(), 1_000, 10) for k in range(12)]
    stops_paying = dues("2026-03-01", 12)
    rows = paid("L", fortnights, 12, late=7) + [{**row, "value_date": "2026-04-20"} for row in paid("S", stops_paying, 2)] + paid("S", stops_paying[2:], 3)
    root = told(book(tmp_path / "b", [loan("L", "2026-02-15", fortnights), loan("S", "2026-02-15", stops_paying)]), rows, "2026-12-31")
    seen: dict[str, list[tuple]] = {"L": [], "S": []}
    for k in (*range(0, 36, 6), *range(36, 50, 2)):
        for name, row in night(root, DAY("2026-03-20") + k * ONE).items():
            seen[name].append((row["action"], row["limit_fen"], row["frozen_on"]))
    actions = {name: [action for action, *_ in rows if action != "keep"] for name, rows in seen.items()}
    assert actions == {"L": ["cut"], "S": ["freeze"]}  # late at the ends of March and April, and a third time: one step down, and no second within its pause
    limits = [limit for _, limit, _ in seen["L"]]
    assert limits == sorted(limits, reverse=True) and len(set(limits)) == 2 and not any(frozen for *_, frozen in seen["L"])


# --- what always holds ---


_LINE = st.fixed_dictionaries({
    "applicant": st.sampled_from(["P", "Q", "R"]), "income": st.sampled_from([0.2, 0.6, None]), "cap": st.integers(1, 4), "expires": st.sampled_from([40, 200, 1000]),
    "second": st.booleans(), "pays": st.lists(st.tuples(st.booleans(), st.sampled_from([-5, 0, 0, 0, 2, 10, 40])), min_size=8, max_size=8), "broken": st.sampled_from([False] * 6 + [True]),
})


@given(lines=st.lists(_LINE, min_size=6, max_size=12), gaps=st.lists(st.sampled_from([1, 1, 7, 31, 92, 181]), min_size=3, max_size=3), anew=st.booleans())
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_holds_of_every_night(tmp_path_factory, lines, gaps, anew):
    root = tmp_path_factory.mktemp("nights") / "b"
    due, loans, rows = dues("2026-02-10", 8), [], []
    for n, of in enumerate(lines):
        own = {"applicant_id": of["applicant"], "application_id": f"A{n}", "line": {
            "dti": of["income"], "limit_fen": of["cap"] * 800_000, "expires_on": DAY("2026-01-10") + of["expires"] * ONE}}
        loans.append(loan(f"A{n}-1", "2026-01-10", due, **own, **({"principal_fen": 1} if of["broken"] else {})))
        if of["second"]:
            loans.append(loan(f"A{n}-2", "2026-07-01", dues("2026-08-01", 3), tranche_no=2, **own))
        rows += [paid(f"A{n}-1", due, k + 1, delay)[k] for k, (pays, delay) in enumerate(of["pays"]) if pays]
    if anew:
        rows.append({"loan_id": "A0-1", "kind": "restructure", "value_date": "2026-05-05", "term_months": 12})
    told(book(root, loans), rows, "2028-12-31")
    day, before = DAY("2026-03-01"), {}
    for gap in gaps:
        day += gap * ONE
        found = night(root, day)
        assert set(found) == {f"A{n}" for n in range(len(lines))}  # one decision each
        counts = summary(file_of(Book.open(root), day)).to_pylist()
        assert sum(row["lines"] for row in counts) == len(lines) and sum(row["limit_fen"] for row in counts) == sum(row["limit_fen"] for row in found.values())
        raised = [row["applicant_id"] for row in found.values() if row["action"] == "raise"]
        assert len(raised) == len(set(raised))
        for name, row in found.items():
            last = before.get(name)
            assert row["action"] in ACTIONS and row["reason_codes"] and row["adverse"] == (row["action"] in ADVERSE) and (row["notice"] is None) == (row["action"] == "keep")
            assert row["limit_before_fen"] == (last["limit_fen"] if last else _drawn(loans, name))
            assert row["limit_fen"] >= row["outstanding_fen"] + row["undrawn_fen"] >= 0 <= row["available_fen"]
            if row["action"] == "raise":
                assert row["dpd"] == 0 and row["frozen_on"] is None and row["limit_fen"] <= 0.9 * row["cap_fen"] and row["limit_fen"] > row["limit_before_fen"]
            if row["dpd"] is None or row["dpd"] > 0:
                assert row["action"] not in ("raise", "unfreeze")
            if row["dpd"] is None:  # broken: nothing is known of it, and it says so
                assert row["rules_unknown"] and row["behaviour_pd"] is None
            if row["frozen_on"] or row["expired_on"]:
                assert row["available_fen"] == 0 and row["action"] in ("keep", "freeze", "expire", "stop")
            if last and last["expired_on"]:
                assert row["action"] == "keep" and row["expired_on"] == last["expired_on"]
            assert set(row["stopping"]) <= set(row["stopped"]) and set(last["stopped"] if last else []) | set(row["stopping"]) == set(row["stopped"])
        before = found


def _drawn(loans: list[dict], name: str) -> int:
    return sum(of.get("principal_fen", sum(principal for _, principal, _ in of["dues"]) * 100) for of in loans if of["application_id"] == name)


# --- in time ---


def test_what_comes_later_changes_no_night_and_a_night_made_up_gives_what_it_would_have_given(tmp_path):
    """
    The borrower seems late in March; in May it turns out that the money was there in time, and another's payment of April is taken back.
    """
    due = dues("2026-02-10", 12)
    loans = [loan("L", "2026-01-10", due), loan("M", "2026-01-10", due)]
    days = ("2026-03-15", "2026-04-20", "2026-04-30")
    rows = paid("M", due, 3) + paid("L", due[:1], 1)
    later = [{"loan_id": "L", "value_date": "2026-03-10", "amount": 1_010}, {"kind": "reversal", "reverses": "e-2", "value_date": "2026-04-12"}]
    nightly, at_once = book(tmp_path / "nightly", loans), book(tmp_path / "at-once", loans)
    told(nightly, rows, "2026-04-30")
    for day in days:
        night(nightly, day)
    first = [file_of(Book.open(nightly), DAY(day)).read_bytes() for day in days]
    for root in (nightly, at_once):
        if root == at_once:
            told(root, rows, "2026-04-30")
        told(root, later, "2026-05-31", name="later", received="2026-05-10")
    assert night(nightly, "2026-04-30") and file_of(Book.open(nightly), DAY("2026-04-30")).read_bytes() == first[-1]
    for day in days:
        night(at_once, day)
    assert [file_of(Book.open(at_once), DAY(day)).read_bytes() for day in days] == first
    with_it = night(at_once, "2026-05-31")
    assert with_it["M"]["dpd"] == 51 and with_it["L"]["dpd"] == 51 and night(nightly, "2026-05-31") == with_it


def test_a_run_opened_later_was_not_there_before(tmp_path):
    root = told(book(tmp_path / "b", [loan("L", "2026-01-10", dues("2026-02-10", 3))]), [], "2026-02-28")
    later = book(tmp_path / "later", [loan("N", "2026-01-10", dues("2026-02-10", 3), line={"opened_on": DAY("2026-03-01")})])
    night(root, "2026-02-28")
    before = file_of(Book.open(root), DAY("2026-02-28")).read_bytes()
    shutil.copytree(later / "opens" / "00001", root / "opens" / "00002")
    document = json.loads((root / "book.json").read_text())
    document["opens"].append({**document["opens"][0], "number": 2, "run_id": "later", "opened_on": "2026-03-01"})
    (root / "book.json").write_text(json.dumps(document))
    path = root / "opens" / "00002" / "loans" / "000.parquet"
    rows = pq.read_table(path).to_pylist()
    pq.write_table(pa.Table.from_pylist([{**row, "opened_on": DAY("2026-03-01"), "run_id": "by-hand"} for row in rows], pq.read_schema(path)), path)
    night(root, "2026-02-28")
    assert file_of(Book.open(root), DAY("2026-02-28")).read_bytes() == before
    close(root, "2026-03-01")
    assert set(night(root, "2026-03-01")) == {"L", "N"}


def test_workers_and_repeats_change_no_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(books, "WORTH_SEVERAL", 0)
    due = dues("2026-02-10", 6)
    root = told(book(tmp_path / "b", [loan(f"L{n}", "2026-01-10", due) for n in range(8)], buckets=2), [row for n in range(0, 8, 2) for row in paid(f"L{n}", due, 6, n)], "2026-08-31")
    night(root, "2026-06-30")
    found = []
    for workers in (1, 2):
        night(root, "2026-08-31", workers=workers)
        found.append(file_of(Book.open(root), DAY("2026-08-31")).read_bytes())
    assert found[0] == found[1]


# --- the score ---


def _past(rng: np.random.Generator) -> list[int]:
    return [int(d) for d in rng.choice([0, 0, 0, 0, 1, 5, 10, 29, 30, 31, 45, 60, 61, 95], 13)]


def _features(pasts: list[list[int]], **other) -> pa.Table:
    con = connect(1)
    try:
        con.register("given", pa.table({"n": range(len(pasts)), **{f"d{ago}": [past[ago] for past in pasts] for ago in range(13)}}))
        table = con.sql(f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in LATENESS.items())} FROM given ORDER BY n").to_arrow_table()
    finally:
        con.close()
    for column in CONTRACTS["line_months"].columns:
        if column.name in BEHAVIOUR and column.name not in LATENESS:
            table = table.append_column(column.name, pa.array([other.get(column.name)] * len(pasts), pa.float64()))
    return table


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    """A model of a panel made by hand: who was late is late again, and the further back the less."""
    folder = tmp_path_factory.mktemp("behaviour")
    rng, rows = np.random.default_rng(5), []
    for line in range(1_500):
        poor, worst = rng.random() < 0.25, 0
        for month in range(30):
            worst = worst + 30 if worst and rng.random() < 0.55 else (15 if rng.random() < (0.2 if poor else 0.02) else 0)
            rows.append((f"L{line:05}", month, min(worst, 120)))
    names, months, dpd = (list(column) for column in zip(*rows))
    con = connect(1)
    con.register("given", pa.table({"loan_id": names, "m": months, "dpd": dpd}))
    con.execute(f"COPY (SELECT loan_id, last_day(DATE '2023-01-01' + to_months(CAST(m AS INTEGER))) AS month, dpd FROM given) TO '{folder}/panel.csv'")
    con.close()
    shown = done("review-lines", "train", folder / "panel.csv", "--out", folder / "model", "--bags", 2, "--trees", 120)
    return folder / "model", shown.out + shown.err


def test_training_tells_what_the_model_is_worth_out_of_time_with_intervals(trained):
    model, said = trained
    assert all(f"out of time: {name}" in said for name in ("auc", "ks", "brier", "ece", "observed to expected", "calibration slope")) and " to " in said
    auc = float(said.split("out of time: auc ")[1].split()[0])
    assert 0.65 < auc < 0.99 and "features-not-known" in said and json.loads((model / "manifest.json").read_text())["every_months"] == 6


@pytest.mark.parametrize("of", ["card", "model"])
def test_more_or_worse_lateness_never_betters_a_score(of, trained):
    score = CARD if of == "card" else behaviour.ByModel(trained[0], SCALE)
    rng = np.random.default_rng(11)
    pasts = [_past(rng) for _ in range(600)]
    worse = []
    for past in pasts:
        more, at = list(past), rng.integers(0, 13)
        more[at] += int(rng.choice([1, 15, 30, 60]))
        worse.append(more)
    a, b = score(_features(pasts, months_on_book=14)), score(_features(worse, months_on_book=14))
    pd_a, pd_b = a.column("behaviour_pd").to_numpy(), b.column("behaviour_pd").to_numpy()
    assert (pd_b >= pd_a).all() and (pd_b > pd_a).any()
    assert (b.column("behaviour_score").to_numpy() <= a.column("behaviour_score").to_numpy()).all()
    assert pd_a[0] == score(_features(pasts[:1], months_on_book=14)).column("behaviour_pd")[0].as_py()  # alone as among many
    texts = POLICY.reasons
    assert all(code in texts for codes in a.column("score_reasons").to_pylist() for code in codes)


def test_the_card_on_real_accounts_is_what_its_figures_say(shared, tmp_path):
    """
    credit_record: monthly statuses of 46,000 card accounts. The card stands in lines.toml; here it meets the last month of observation, with a
    year before it and half a year after it.
    """
    with zipfile.ZipFile(shared / "data" / "credit_record" / "credit_record.zip") as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".csv")]
        archive.extract(name, tmp_path)
    panel = tmp_path / "panel.parquet"
    duckdb.execute(f"""COPY (
        SELECT CAST(ID AS VARCHAR) AS loan_id, last_day(DATE '2020-01-01' + to_months(CAST(MONTHS_BALANCE AS INTEGER))) AS month,
          CASE STATUS WHEN 'X' THEN 0 WHEN 'C' THEN 0 ELSE CAST(STATUS AS INTEGER) * 30 + 15 END AS dpd, CASE WHEN STATUS = 'C' THEN 'paid' ELSE 'open' END AS status
        FROM read_csv('{tmp_path / name}', all_varchar = false) WHERE MONTHS_BALANCE >= -18) TO '{panel}'""")
    seen = behaviour.observations([panel], behaviour.features_of(POLICY.lines), 24)
    known = seen.filter(seen.column("bad").is_valid())
    bad, pd = known.column("bad").to_numpy().astype(float), CARD(known).column("behaviour_pd").to_numpy()
    assert (len(bad), int(bad.sum())) == (15_094, 99)
    assert 0.72 < measures.auc(bad, pd) < 0.80 and 0.6 < bad.sum() / pd.sum() < 1.1


def test_history_has_what_was_known_at_each_months_end_and_training_reads_it_as_a_panel_of_days_late(tmp_path):
    """Lateness of every month by hand from the panel of days past due; what came late is in no month before."""
    due = dues("2026-02-20", 14)
    rows = [{**row, "value_date": (DAY(row["value_date"]) + [0, 15, 0, 40, 0, 0, 15, 0, 0][k] * ONE).isoformat()} for k, row in enumerate(paid("L", due, 9))]
    root = told(book(tmp_path / "b", [loan("L", "2026-01-20", due)]), rows, "2026-12-31")
    told(root, [{"loan_id": "L", "value_date": "2026-11-20", "amount": 1_010}], "2027-01-31", name="late")
    out = tmp_path / "h.parquet"
    write_history(Book.open(root), DAY("2026-02-01"), DAY("2027-01-31"), out, 1, 3)
    found = pq.read_table(out).to_pylist()
    assert [row["month"].month for row in found] == [*range(2, 13), 1]
    late = [row["dpd"] for row in found]
    assert late == [0, 11, 0, 11, 0, 0, 11, 0, 0, 10, 41, 42]  # November's money of 20 November was not known at its end, nor in December
    for n, row in enumerate(found):
        past = late[n::-1] if n < 11 else [42, 11, 0, *late[8::-1]]  # in January it is: what was late at the year's end is December's instalment
        assert row["worst_dpd_12m"] == max(past) and row["worst_dpd_3m"] == max(past[:4]) and row["months_late_6m"] == sum(d > 0 for d in past[:7])
        assert row["months_since_late"] == next((ago for ago, d in enumerate(past) if d), 13) and row["months_over_30_12m"] == sum(d > 30 for d in past)
    assert found[1]["paid_late_share"] == 0.5 and found[0]["paid_late_share"] == 0 and found[8]["balance_share"] == pytest.approx(5 / 14)
    read = behaviour.observations([out], behaviour.features_of(POLICY.lines), 1)
    assert len(read) and {row["line_id"] for row in read.to_pylist()} == {"L"}


def test_money_that_repaid_principal_early_covers_no_later_instalment(tmp_path):
    """Half of it is repaid on 1 March; nothing comes after that. April's end is 50 days late, though all that was paid is more than all that was due at first."""
    due = dues("2026-02-10", 12)
    root = book(tmp_path / "b", [loan("L", "2026-01-10", due)])
    told(root, [*paid("L", due, 1), {"loan_id": "L", "kind": "prepayment", "value_date": "2026-03-01", "amount": 6_000}], "2026-04-30")
    write_history(Book.open(root), DAY("2026-04-01"), DAY("2026-04-30"), tmp_path / "h.parquet", 1, 3)
    [row] = pq.read_table(tmp_path / "h.parquet").to_pylist()
    assert (row["dpd"], row["paid_late_share"], row["paid_early_share"], row["months_late_6m"]) == (51, 0, 0, 2)
    assert night(root, "2026-04-30")["L"]["clean_months"] == 0


# --- what the borrower is told ---


def test_every_notice_is_whole_in_both_languages(tmp_path):
    """For every action with every reason that it can have, no place is left open and no person named."""
    codes = {action: [rule.code for rule in POLICY.lines.rule if rule.action == action] for action in ACTIONS} | {"keep": list(SAID_BY_KEEP)}
    rows = [
        {**{column.name: None for column in CONTRACTS["line_reviews"].columns}, "line_id": f"{action}-{code}", "applicant_id": "P", "action": action, "notice": action, "reason_codes": [code],
         "adverse": action in ADVERSE, "stopping": [], "stopped": [], "rules_unknown": [], "score_reasons": ["M-LINE-OFTEN", "M-LINE-WORST"], "limit_fen": 0, "limit_before_fen": 0, "available_fen": 0,
         "notice_values": [("line", "A1"), ("day", "2026-03-01"), ("limit_before", "1200.00"), ("limit", "1000.50"), ("available", "0.00")]}
        for action in ACTIONS for code in codes[action]
    ]
    assert all(codes[action] for action in ACTIONS)
    path = tmp_path / "night.parquet"
    schema = pa.schema([(name, pa.map_(pa.string(), pa.string()) if name == "notice_values" else pa.list_(pa.string()) if kind == "VARCHAR[]" else pa.bool_() if kind == "BOOLEAN" else pa.int64() if kind in ("BIGINT", "INTEGER") else pa.float64() if kind == "DOUBLE" else pa.date32() if kind == "DATE" else pa.string())
                        for name, kind in ((column.name, column.type) for column in CONTRACTS["line_reviews"].columns)])
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    texts = {row["line_id"]: row for row in notices(path, POLICY).to_pylist()}
    assert set(texts) == {row["line_id"] for row in rows}
    for row in rows:
        said = texts[row["line_id"]]
        for lang in ("en", "zh"):
            assert "{" not in said[lang] and "}" not in said[lang] and POLICY.reasons[row["reason_codes"][0]].text(lang) in said[lang] 
            assert "1000.50" in said[lang] or row["action"] == "expire"
            assert (POLICY.reasons["M-LINE-OFTEN"].text(lang) in said[lang]) == (row["reason_codes"][0] in ("LN-STOP-SCORE", "LN-CUT-SCORE", "LN-RAISE-PROVEN"))
            may = getattr(POLICY.lines.notice[row["action"]], f"may_do_{lang}")
            assert (may in said[lang]) if row["action"] in ADVERSE else may is None


# --- on the command line ---


def test_a_night_on_the_command_line(tmp_path):
    due = dues("2026-02-10", 6)
    loans = [loan("T-1", "2026-01-10", due, application_id="T", applicant_id="P"), loan("T-2", "2026-03-20", dues("2026-04-10", 4), application_id="T", applicant_id="P", tranche_no=2), loan("G", "2026-01-10", due)]
    root = told(book(tmp_path / "b", loans), paid("G", due, 3), "2026-03-31")
    assert "nothing is written" in done("review-lines", "--book", root, "--at", "2026-02-20", "--dry-run").err and not (root / "lines").exists()
    shown = done("review-lines", "--book", root, "--at", "2026-02-20", "--format", "json", "--out", tmp_path / "n.csv", "--notices", tmp_path / "t.csv", "--events", tmp_path / "ev.csv")
    assert {row["action"]: row["lines"] for row in json.loads(shown.out)["rows"]} == {"keep": 1, "stop": 1}
    assert "servicing post" in shown.err and sorted(path.name for path in (root / "lines").iterdir()) == ["2026-02-20.parquet"]
    with open(tmp_path / "ev.csv", encoding="utf-8-sig") as file:
        assert list(csv.DictReader(file)) == [{"event_id": "stop-T-2", "loan_id": "T-2", "kind": "cancel", "value_date": "2026-02-20"}]
    [notice] = csv.DictReader(open(tmp_path / "t.csv", encoding="utf-8-sig"))
    assert notice["line_id"] == "T" and notice["adverse"] == "true" and "取消" in notice["zh"]
    assert "1 rows" in done("servicing", "post", tmp_path / "ev.csv", "--book", root).err  # an ordinary file of events
    parquet = root / "lines" / "2026-02-20.parquet"
    contract = CONTRACTS["line_reviews"]
    assert [row[:2] for row in duckdb.sql(f"DESCRIBE SELECT * FROM '{parquet}'").fetchall()] == [(column.name, column.type) for column in contract.columns]
    assert [name for name in (column.name for column in contract.columns if column.null == "never") if duckdb.sql(f"SELECT count(*) FROM '{parquet}' WHERE {name} IS NULL").fetchall()[0][0]] == []
    assert json.loads(done("review-lines", "facts", "--format", "json").out)["rows"][0]["name"] == "product"
    refused = call("review-lines", "--book", root, "--at", "2026-02-19")
    assert refused.code == 2 and "night-out-of-order" in refused.err and len(refused.err.strip().splitlines()) == 1
    assert sorted(path.name for path in (root / "lines").iterdir()) == ["2026-02-20.parquet"]


def test_what_cannot_be_is_refused_in_one_line(tmp_path):
    root = told(book(tmp_path / "b", [loan("L", "2026-01-10", dues("2026-02-10", 3))]), [], "2026-02-28")
    (tmp_path / "p.csv").write_text("loan_id,month\nL,2026-01-31\n")
    (tmp_path / "twice.csv").write_text("loan_id,month,dpd\nL,2026-01-31,0\nL,2026-01-30,0\n")
    features = behaviour.features_of(POLICY.lines)
    for refused, ref in [
        (lambda: night(root, "2026-03-01"), "day-not-closed"), (lambda: behaviour.ByModel(CONFIGS / "model", SCALE), "model-not-of-lines"),
        (lambda: write_history(Book.open(root), DAY("2026-01-01"), DAY("2026-03-31"), tmp_path / "h.parquet", 1, 3), "day-not-closed"),
        (lambda: write_history(Book.open(root), DAY("2026-02-01"), DAY("2026-02-27"), tmp_path / "h.parquet", 1, 3), "no-month"),
        (lambda: behaviour.observations([tmp_path / "p.csv"], features, 6), "panel-lacks"), (lambda: behaviour.observations([tmp_path / "twice.csv"], features, 6), "panel-twice"),
        (lambda: behaviour.observations([root / "book.json"], features, 6), "panel-unreadable"),
    ]:
        with pytest.raises((UsageError, ConfigError, InputError)) as wrong:
            refused()
        assert wrong.value.ref == ref and "\n" not in str(wrong.value)
    assert not (root / "lines").exists() or not list((root / "lines").iterdir())
