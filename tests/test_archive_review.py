"""People's decisions: appended to the chain, by two where it is much, and never in place of what the chain decided."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import duckdb
import pytest
from conftest import ROOT, call, done


@pytest.fixture(scope="module")
def sealed(lender_run, tmp_path_factory):
    archive = tmp_path_factory.mktemp("review") / "archive"
    done("archive", lender_run, "--to", archive)
    return archive


@pytest.fixture
def archive(sealed, tmp_path):
    import shutil

    shutil.copytree(sealed, tmp_path / "archive")
    return tmp_path / "archive"


def _cases(archive, *options) -> dict[str, dict]:
    return {case["application_id"]: case for case in json.loads(done("review", "list", archive, "2026", "--format", "json", *options).out)["cases"]}


def _decide(archive, application, decision="approve", amount=20_000, by="alice", reason="O-EVIDENCE-SHOWN", more=()):
    sum_of = ("--amount", amount) if amount is not None else ()
    return call("review", "decide", archive, "2026", application, "--decision", decision, *sum_of, "--by", by, "--reason", reason, "--text", "seen", *more)


def test_all_who_were_referred_wait_with_their_reasons(archive, lender_run):
    cases = _cases(archive)
    with duckdb.connect() as con:
        rows = con.sql(f"SELECT application_id, refer_to FROM '{lender_run}/decisions.parquet' WHERE decision = 'refer'").fetchall()
    assert {name: case["refer_to"] for name, case in cases.items()} == dict(rows) and all(case["state"] == "open" and case["reason_codes"] for case in cases.values())


def test_a_decision_counts_and_the_archive_stays_whole(archive):
    application = min(_cases(archive))
    assert f"{application}: approve of 20,000.00 yuan" in _decide(archive, application).err
    assert application not in _cases(archive) and _cases(archive, "--all")[application]["state"] == "decided"
    found = json.loads(done("audit", archive, "--format", "json").out)
    assert found["ok"] and [event["kind"] for event in found["events"]] == ["review"] and len(found["runs"]) == 1


def test_much_money_takes_two_people_who_say_the_same(archive):
    application = min(_cases(archive))
    assert "waits for a second person" in _decide(archive, application, amount=60_000).err
    assert "waits for a second person" in _decide(archive, application, amount=60_000).err, "the same person twice is one person"
    assert "waits for a second person" in _decide(archive, application, amount=70_000, by="bob").err, "another amount is another decision"
    assert _cases(archive)[application]["state"] == "second"
    assert "waits" not in _decide(archive, application, amount=70_000, by="alice").err
    case = _cases(archive, "--all")[application]
    assert (case["state"], case["amount_fen"], len(case["said"])) == ("decided", 7_000_000, 4)


def test_the_last_word_counts_and_every_word_is_kept(archive):
    application = min(_cases(archive))
    _decide(archive, application)
    _decide(archive, application, "decline", None, "bob", "O-DOUBT-REMAINS")
    case = _cases(archive, "--all")[application]
    assert case["decision"] == "decline" and [event["by"] for event in case["said"]] == ["alice", "bob"]
    shown = done("review", "show", archive, "2026", application).out
    assert "Said by people" in shown and f"Application {application}: refer" in shown, "what the chain decided stays what it is"


@pytest.mark.parametrize(("change", "says"), [
    ({"reason": "O-GOOD-FRIEND"}, "review-reason-unknown"), ({"amount": None}, "review-amount"), ({"decision": "decline"}, "review-amount"),
    ({"reason": "O-EXCEPTION"}, "review-exception-end"), ({"reason": "O-EXCEPTION", "more": ("--until", "2031-01-01")}, "review-exception-end"), ({"by": " "}, "review-incomplete"),
    ({"decision": "maybe"}, "review-decision"),
])
def test_what_may_not_be_said_is_refused_and_leaves_no_trace(archive, change, says):
    application = min(_cases(archive))
    refused = _decide(archive, application, **change)
    assert refused.code == 2 and says in refused.err and _cases(archive)[application]["said"] == []


def test_nobody_decides_what_the_chain_decided_itself(archive, lender_run):
    with duckdb.connect() as con:
        [approved] = con.sql(f"SELECT min(application_id) FROM '{lender_run}/decisions.parquet' WHERE decision = 'approve'").fetchall()[0]
    assert "review-not-referred" in _decide(archive, approved).err


def test_a_clock_that_was_set_back_is_noticed(archive):
    application, other = sorted(_cases(archive))[:2]
    _decide(archive, application)
    code = ("import datetime, sys; from pathlib import Path; from qqloan_cli.archive.layout import Archive; from qqloan_cli.archive.review import decide; from qqloan_cli.policy.review import load_review\n"
            f"a = Path({str(archive)!r}); e = Archive.open(a).find('2026')\n"
            f"decide(a, e, load_review(Path({str(ROOT / 'configs')!r})), Path({str(archive.parent)!r}), {other!r}, 'decline', None, None, 'bob', 'O-DOUBT-REMAINS', 'no', None, datetime.datetime(2020, 1, 1), None)")
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "clock-set-back" in refused.stderr and _cases(archive)[other]["said"] == []


def test_replay_shows_a_persons_decision_as_what_it_is(archive):
    application = min(_cases(archive))
    _decide(archive, application)
    found = json.loads(done("replay", archive, "2026", "--application", application, "--format", "json").out)
    assert found["identical"] and found["decision"]["decision"] == "refer" and [event["decision"] for event in found["reviews"]] == ["approve"]
    assert "decided by a person, not by the chain" in done("replay", archive, "2026", "--application", application).out
    assert json.loads(done("replay", archive, "2026", "--format", "json").out)["identical"]


def test_how_they_turned_out_by_side(archive, lender, tmp_path):
    some = sorted(_cases(archive))[:6]
    for application in some[:3]:
        _decide(archive, application)
    _decide(archive, some[3], "decline", None, reason="O-DOUBT-REMAINS")
    (tmp_path / "o.csv").write_text("application_id,bad\n" + "".join(f"{a},{b}\n" for a, b in zip(some, ("true", "false", "false", "false", "true", "false"))), encoding="utf-8")
    sides = {row["side"]: row for row in json.loads(done("review", "report", archive, "2026", "--outcomes", tmp_path / "o.csv", "--format", "json").out)["sides"]}
    assert (sides["approved by a person"]["applications"], sides["approved by a person"]["bad_rate"]) == (3, pytest.approx(1 / 3, abs=1e-6))
    assert (sides["declined by a person"]["applications"], sides["declined by a person"]["bad"]) == (1, 0) and sides["still waiting"]["bad"] == 1
    assert sum(row["applications"] for row in sides.values()) == 1_200


def test_a_session_killed_at_any_key_loses_no_answer_that_was_taken(archive):
    answers = "".join(f"a\n{20_000 + i}\n\nO-EVIDENCE-SHOWN\nseen\n" for i in range(4))
    rng = random.Random(3)
    for _ in range(4):
        child = subprocess.Popen([sys.executable, "-m", "qqloan_cli", "review", "session", str(archive), "2026", "--by", "alice"], cwd=ROOT, stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        child.stdin.write(answers[: rng.randrange(len(answers))])
        child.stdin.flush()
        time.sleep(rng.uniform(0.5, 2.5))
        os.killpg(child.pid, signal.SIGKILL)
        told = child.communicate()[1].count(" yuan\n")
        found = json.loads(done("audit", archive, "--format", "json").out)
        assert found["ok"] and len(found["events"]) >= told
    result = subprocess.run([sys.executable, "-m", "qqloan_cli", "review", "session", str(archive), "2026", "--by", "alice"], input=answers[:-1] + "\nq\n", capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0 and result.stderr.count("approve of") == 4
