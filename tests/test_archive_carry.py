"""What people decided, carried out: a run of its own that is funded, sealed, replayed, told in letters and serviced."""

from __future__ import annotations

import csv
import datetime
import json
import shutil

import duckdb
import pytest
from conftest import call, done, tables

from qqloan_cli.oversight.sight import Sight

RUN = "2026-11-24"
LATER = "2026-11-26"


@pytest.fixture(scope="module")
def answered(lender_run, tmp_path_factory):
    """(archive, who by answer): a sealed run and what people said of five whom it referred; of a sixth one person of two."""
    archive = tmp_path_factory.mktemp("carry") / "archive"
    done("archive", lender_run, "--to", archive)
    with duckdb.connect() as con:
        unshown = [name for name, in con.sql(f"""
            SELECT application_id FROM '{lender_run}/limit/*.parquet' WHERE decision = 'refer' AND list_contains(reason_codes, 'R-INCOME-UNKNOWN')
              AND len(reason_codes) <= 3 AND requested_amount_fen >= 4000000 ORDER BY 1 LIMIT 5""").fetchall()]
    who = dict(zip(("income", "capped", "exception", "declined", "half"), unshown))
    _say(archive, who["income"], "approve", "--amount", 35_000, "--income", 12_000)
    _say(archive, who["capped"], "approve", "--amount", 35_000)
    _say(archive, who["exception"], "approve", "--amount", 30_000, "--reason", "O-EXCEPTION", "--until", "2026-11-30")
    _say(archive, who["declined"], "decline", "--reason", "O-DOUBT-REMAINS")
    _say(archive, who["half"], "approve", "--amount", 90_000)
    return archive, who


@pytest.fixture(scope="module")
def carried(answered, tmp_path_factory):
    run = tmp_path_factory.mktemp("carried") / "run"
    done("review", "carry", answered[0], RUN, "--out", run, "--as-of", LATER)
    return run


def _say(archive, application, decision, *options):
    reason = () if "--reason" in options else ("--reason", "O-EVIDENCE-SHOWN")
    return done("review", "decide", archive, RUN, application, "--decision", decision, "--by", "alice", "--text", "seen", *reason, *options)


def _decisions(run) -> dict[str, dict]:
    with duckdb.connect() as con:
        return {row["application_id"]: row for row in con.sql(f"SELECT * FROM '{run}/decisions.parquet'").to_arrow_table().to_pylist()}


def test_whoever_was_answered_for_good_is_decided_and_nobody_else(answered, carried, lender_run):
    _, who = answered
    found = _decisions(carried)
    assert set(found) == {who[name] for name in ("income", "capped", "exception", "declined")}
    assert {name: found[who[name]]["decision"] for name in ("income", "capped", "exception", "declined")} == {"income": "approve", "capped": "approve", "exception": "approve", "declined": "decline"}
    sealed = _decisions(lender_run)
    assert found[who["capped"]]["amount_fen"] == 1_000_000 < found[who["income"]]["amount_fen"], "without shown income policy lends no more than 10,000 yuan"
    assert found[who["exception"]]["amount_fen"] == 3_000_000 and found[who["declined"]]["reason_codes"][0] == "O-DOUBT-REMAINS"
    assert all(found[name]["pd"] == sealed[name]["pd"] for name in found), "the evidence is as it was sealed"
    assert (carried / "inputs").stat().st_mode & 0o077 == 0, "people's names and numbers are for nobody else"
    approved = [row for row in found.values() if row["decision"] == "approve"]
    assert all(row["funded_fen"] == row["amount_fen"] and "L-APPROVED" in row["reason_codes"] for row in approved)


def test_it_is_sealed_proven_and_never_carried_out_twice(answered, carried, tmp_path):
    archive, who = tmp_path / "archive", answered[1]
    shutil.copytree(answered[0], archive)
    done("archive", carried, "--to", archive)
    run_id = json.loads(done("audit", archive, "--format", "json").out)["runs"][-1]["run_id"]
    assert "identical" in done("replay", archive, run_id).out
    for application in who.values():
        assert ("identical" in call("replay", archive, run_id, "--application", application).out) == (application != who["half"])
    assert call("review", "carry", archive, RUN + "-", "--out", tmp_path / "again", "--as-of", LATER).err.startswith("error: nothing-to-carry")
    done("review", "decide", archive, RUN + "-", who["half"], "--decision", "approve", "--amount", 90_000, "--by", "bob", "--reason", "O-EVIDENCE-SHOWN", "--text", "seen too")
    done("review", "carry", archive, RUN + "-", "--out", tmp_path / "rest", "--as-of", LATER)
    assert set(_decisions(tmp_path / "rest")) == {who["half"]}


def test_letters_book_and_report_take_it_for_what_it_is(answered, carried, lender_run, tmp_path):
    _, who = answered
    assert "error" not in done("notice", carried, "--to", tmp_path / "letters", "--lang", "en").err
    letter = (tmp_path / "letters" / "decline" / f"{who['declined']}.en.md").read_text(encoding="utf-8")
    assert "A member of our staff has looked at your application, and what was unclear" in letter and "The doubt" not in letter
    for run in (lender_run, carried):
        done("servicing", "open", run, "--book", tmp_path / "book")
    with duckdb.connect() as con:
        held = {name for name, in con.execute("SELECT application_id FROM read_parquet(?)", [f"{tmp_path}/book/opens/*/loans/*.parquet"]).fetchall()}
    assert {who[name] for name in ("income", "capped", "exception")} <= held and who["declined"] not in held
    done("report", "nightly", carried, lender_run, "--out", tmp_path / "night.html")
    told = done("explain", carried, who["income"]).out
    assert "What a person said" in told and "12,000.00" in told and "as a person approved of" in told


def test_in_a_report_over_both_nobody_counts_twice_and_the_last_word_stands(answered, carried, lender_run):
    _, who = answered
    with Sight.of([carried, lender_run]) as sight:
        assert sight.dates == [datetime.date.fromisoformat(RUN)]
        rows = sight.ask("SELECT application_id, decision, age FROM decisions").to_pylist()
        said = {row["application_id"]: row["decision"] for row in rows}
        assert len(rows) == len(said) == len(_decisions(lender_run)) and {row["age"] for row in rows} == {0}
        assert (said[who["income"]], said[who["declined"]], said[who["half"]]) == ("approve", "decline", "refer")
        for table, before in (("score", lender_run / "score"), ("payroll", lender_run / "inputs" / "payroll"), ("applicants", lender_run / "inputs" / "applicants")):
            assert sight.ask(f"SELECT count(*) AS n FROM {table}").to_pylist()[0]["n"] == duckdb.execute(f"SELECT count(*) FROM '{before}/*.parquet'").fetchone()[0], table
        assert sight.ask("SELECT sum(accepted) AS n FROM runs").to_pylist()[0]["n"] == len(said)
        [cash] = sight.ask("SELECT sum(out_fen) AS fen FROM cash_calendar").to_pylist()
        assert cash["fen"] == sum(row["funded_fen"] or 0 for run in (lender_run, carried) for row in _decisions(run).values())
    with Sight.of([carried]) as alone:
        assert alone.ask("SELECT count(*) AS n FROM decisions").to_pylist() == [{"n": 4}]


def test_the_same_answers_give_the_same_bytes_whatever_the_workers(answered, carried, tmp_path):
    done("review", "carry", answered[0], RUN, "--out", tmp_path / "one", "--as-of", LATER, "--workers", 1)
    assert tables(tmp_path / "one") == tables(carried)


def test_the_cash_that_the_run_itself_planned_is_not_lent_again(answered, lender_run, tmp_path):
    done("review", "carry", answered[0], RUN, "--out", tmp_path / "run", "--as-of", RUN, "--history", lender_run)
    with duckdb.connect() as con:
        rows = con.sql(f"""SELECT c.earlier_fen, c.left_fen, c.daily_cash_fen - e.out_fen - c.out_fen, e.out_fen FROM '{tmp_path}/run/cash_calendar.parquet' c
            JOIN '{lender_run}/cash_calendar.parquet' e USING (source, pay_date)""").fetchall()
    assert rows and all(earlier == before and left == rest for earlier, left, rest, before in rows)
    done("archive", tmp_path / "run", "--to", tmp_path / "archive")
    shutil.rmtree(tmp_path / "run")
    [run] = json.loads(done("audit", tmp_path / "archive", "--format", "json").out)["runs"]
    assert "identical" in done("replay", tmp_path / "archive", run["run_id"]).out


def test_what_stands_as_sealed_is_not_made_again(carried):
    assert call("verify", carried).err.startswith("error: step-taken-over")
    assert call("ingest-income", carried, "--yes").err.startswith("error: step-taken-over")
    assert call("source", "worth", carried).err.startswith("error: worth-of-carried")


def test_a_run_that_was_carried_out_answers_what_any_run_does(answered, carried, lender, tmp_path):
    who = answered[1]
    done("offers", carried)
    done("rule", "--hits", carried)
    done("monitor", carried)
    done("compliance", carried)
    done("explain", carried, who["declined"], "--to", tmp_path / "case.html")
    assert "What a person said" in (tmp_path / "case.html").read_text(encoding="utf-8")
    less = json.loads(done("explain", carried, who["income"], "--what-if", "income.monthly_income_fen=100", "--format", "json").out)
    assert less, "what was shown stands in for the evidence"


def test_what_was_carried_out_is_owed_when_the_person_comes_again(answered, carried, lender, tmp_path):
    with open(next(lender.glob("applicants*.csv")), encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["application_id"] == answered[1]["income"]]
    (tmp_path / "again").mkdir()
    with open(tmp_path / "again" / "applicants.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "application_id": "AGAIN", "applied_at": "2026-11-27 09:00:00"} for row in rows)
    done("run", tmp_path / "again", "--out", tmp_path / "next", "--as-of", "2026-11-27", "--history", carried)
    with duckdb.connect() as con:
        assert con.sql(f"SELECT exposure_fen FROM '{tmp_path}/next/links/*.parquet'").fetchall() == [(_decisions(carried)[answered[1]["income"]]["amount_fen"],)]


def test_an_exception_that_has_ended_and_a_day_before_the_run_are_refused(answered, tmp_path):
    archive, who = answered
    late = done("review", "carry", archive, RUN, "--out", tmp_path / "late", "--as-of", "2026-12-01")
    assert "1 exceptions had ended" in late.err and who["exception"] not in _decisions(tmp_path / "late")
    assert call("review", "carry", archive, RUN, "--out", tmp_path / "early", "--as-of", "2026-11-01").err.startswith("error: carry-before-run") and not (tmp_path / "early").exists()


def test_whoever_was_erased_is_not_worked_out_again(answered, lender_run, tmp_path):
    archive, who = tmp_path / "archive", answered[1]
    shutil.copytree(answered[0], archive)
    person = _decisions(lender_run)[who["income"]]["applicant_id"]
    done("erase", person, "--from", archive, "--by", "dpo", "--why", "asked")
    told = done("review", "carry", archive, RUN, "--out", tmp_path / "run", "--as-of", LATER)
    assert "the raw data of 1 whom a person answered was erased" in told.err
    assert set(_decisions(tmp_path / "run")) == {who[name] for name in ("capped", "exception", "declined")}
