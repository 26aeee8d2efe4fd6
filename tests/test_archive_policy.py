"""A policy is released, not edited: two people sign, a date says from when, and what is not in force runs as a draft that says so."""

from __future__ import annotations

import datetime
import json
import re
import shutil

import duckdb
import pytest
from conftest import AS_OF, ROOT, call, done, tables

TODAY = datetime.date.today()
LATER = (TODAY + datetime.timedelta(days=400)).isoformat()


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> dict:
    """Private keys of four, and a configuration that names three of them."""
    folder = tmp_path_factory.mktemp("people")
    shutil.copytree(ROOT / "configs", folder / "config")
    lines = [done("policy", "key", folder / name, "--name", name).out.strip() for name in ("li", "wang", "zhao", "stranger")]
    approvers = folder / "config" / "approvers.toml"
    approvers.write_text(approvers.read_text() + "\n".join(lines[:3]) + "\n")
    return {"folder": folder, "config": folder / "config", **{name: folder / name for name in ("li", "wang", "zhao", "stranger")}, "line_of_stranger": lines[3]}


@pytest.fixture(scope="module")
def first(people, tmp_path_factory):
    """A book with one policy, released, in force since 2026."""
    book = tmp_path_factory.mktemp("book") / "book"
    done("policy", "propose", people["config"], "--to", book, "--effective", "2026-01-01", "--by", "li", "--why", "the first")
    done("policy", "approve", book, 1, "--sign", people["wang"])
    done("policy", "approve", book, 1, "--sign", people["zhao"])
    return book


@pytest.fixture
def book(first, tmp_path):
    shutil.copytree(first, tmp_path / "book")
    return tmp_path / "book"


def _edited(people, folder, *changes):
    """The configuration with texts of its files replaced."""
    shutil.copytree(people["config"], folder)
    for name, old, new in changes:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return folder


SECOND = ("review.toml", "second_person_above = 50000", "second_person_above = 30000")


def _propose(config, book, effective=LATER, by="li", why="as agreed", **more):
    return call("policy", "propose", config, "--to", book, "--effective", effective, "--by", by, "--why", why, **more)


def _all(book) -> dict[int, dict]:
    return {policy["number"]: policy for policy in json.loads(done("policy", "list", book, "--format", "json").out)["policies"]}


def _force(book, date) -> int | None:
    return json.loads(done("policy", "list", book, "--as-of", date, "--format", "json").out)["in_force"]


def test_a_key_is_its_owners_alone_and_is_never_written_over(tmp_path):
    line = done("policy", "key", tmp_path / "key", "--name", "李").out
    assert re.fullmatch('"李" = "MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}="\n', line) and (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert done("policy", "key", tmp_path / "key", "--name", "李").out == line
    (tmp_path / "other").write_text("no key")
    assert "key-unusable" in call("policy", "key", tmp_path / "other", "--name", "x").err and (tmp_path / "other").read_text() == "no key"


def test_it_takes_two_people_and_the_proposer_is_none_of_them(people, tmp_path):
    book = tmp_path / "book"
    _propose(people["config"], book, "2026-01-01")
    assert _all(book)[1]["state"] == "proposed" and _force(book, AS_OF) is None
    own = call("policy", "approve", book, 1, "--sign", people["li"])
    assert own.code == 2 and "policy-own-approval" in own.err
    assert "waits for 1 of zhao" in done("policy", "approve", book, 1, "--sign", people["wang"]).err
    assert _all(book)[1]["state"] == "half-approved" and _force(book, AS_OF) is None
    assert "policy-approved-twice" in call("policy", "approve", book, 1, "--sign", people["wang"]).err
    assert "approver-unknown" in call("policy", "approve", book, 1, "--sign", people["stranger"]).err
    assert "released, in force from 2026-01-01" in done("policy", "approve", book, 1, "--sign", people["zhao"]).err
    assert _force(book, "2025-12-31") is None and _force(book, "2026-01-01") == 1
    assert json.loads(done("audit", book, "--format", "json").out)["ok"]


def test_only_what_is_in_force_decides_and_a_draft_says_so_in_every_decision(people, book, sample_run, tmp_path):
    done("run", "sample_data", "--out", tmp_path / "released", "--as-of", AS_OF, "--policies", book)
    document = json.loads((tmp_path / "released" / "run.json").read_text())
    assert (document["policy"]["state"], document["policy"]["release"], document["policy"]["approved_by"]) == ("released", 1, ["wang", "zhao"])
    ours, shipped = (duckdb.sql(f"SELECT * EXCLUDE (policy_version) FROM '{run}/decisions.parquet' ORDER BY ALL").fetchall() for run in (tmp_path / "released", sample_run))
    assert ours == shipped
    edited = _edited(people, tmp_path / "edited", SECOND)
    refused = call("run", "sample_data", "--out", tmp_path / "draft", "--as-of", AS_OF, "--policies", book, "--config", edited)
    assert refused.code == 2 and "policy-unreleased" in refused.err and "release 1 is" in refused.err and not (tmp_path / "draft").exists()
    before = call("run", "sample_data", "--out", tmp_path / "draft", "--as-of", "2025-12-31", env={"QQLOAN_POLICIES": str(book)})
    assert before.code == 2 and "policy-none-in-force" in before.err
    shown = done("run", "sample_data", "--out", tmp_path / "draft", "--as-of", AS_OF, "--policies", book, "--config", edited, "--draft")
    versions = [version for version, in duckdb.sql(f"SELECT DISTINCT policy_version FROM '{tmp_path}/draft/decisions.parquet'").fetchall()]
    assert len(versions) == 1 and re.fullmatch("draft-[0-9a-f]{12}", versions[0]) and f"policy {versions[0]}" in shown.out
    done("archive", tmp_path / "draft", "--to", tmp_path / "archive")
    assert json.loads(done("replay", tmp_path / "archive", "2026", "--format", "json").out)["identical"]


def test_the_folder_of_what_is_released_is_as_good_as_the_book(people, book, tmp_path):
    done("policy", "export", book, 1, "--to", tmp_path / "out")
    done("run", "sample_data", "--out", tmp_path / "a", "--as-of", AS_OF, "--policies", book)
    done("run", "sample_data", "--out", tmp_path / "b", "--as-of", AS_OF, "--policies", book, "--config", tmp_path / "out")
    assert tables(tmp_path / "a") == tables(tmp_path / "b")
    (tmp_path / "out" / "rules.toml").write_text((tmp_path / "out" / "rules.toml").read_text() + "\n")
    assert json.loads(done("audit", book, "--format", "json").out)["ok"], "what is laid out may be edited"


def test_differences_are_told_in_words(people, book, tmp_path):
    edited = _edited(people, tmp_path / "edited", SECOND, ("rules.toml", 'when = "monthly_income < 3000"', 'when = "monthly_income < 2500"'),
                     ("rules.toml", "monthly_income = 2999.99", "monthly_income = 2499.99"), ("reference/regions.csv", "\n", "\r\n"))
    rules = (edited / "rules.toml").read_text().split("[[rule]]")
    (edited / "rules.toml").write_text("[[rule]]".join(rules[:3] + rules[4:]))  # R-MINOR is gone
    lines = done("policy", "diff", f"{book}:1", edited).out.splitlines()
    assert "review.toml: second_person_above is 30000, was 50000" in lines
    assert 'rules.toml: rule.R-INCOME-LOW.when is "monthly_income < 2500", was "monthly_income < 3000"' in lines
    assert "rules.toml: rule.R-MINOR is gone; it was decline when age_years < 18" in lines
    assert any(line.startswith("reference/regions.csv is") for line in lines)
    assert "review.toml: second_person_above 由 50000 改为 30000" in done("policy", "diff", f"{book}:1", edited, "--lang", "zh").out
    back = done("policy", "diff", edited, f"{book}:1").out
    assert "rules.toml: rule.R-MINOR is new: decline when age_years < 18" in back
    assert done("policy", "diff", f"{book}:1", people["config"]).out == "Nothing differs.\n"


def test_rules_in_another_order_and_another_model_are_differences(people, tmp_path):
    moved = _edited(people, tmp_path / "moved")
    head, first, second, *rest = (moved / "rules.toml").read_text().split("[[rule]]")
    (moved / "rules.toml").write_text("[[rule]]".join([head, second, first, *rest]))
    (moved / "model" / "MODEL_CARD.md").write_text("another")
    found = json.loads(done("policy", "diff", people["config"], moved, "--format", "json").out)["differences"]
    assert [(d["file"], d["kind"]) for d in found] == [("rules.toml", "order"), ("model", "changed")]
    assert found[0]["after"][:2] == ["R-BLOCKLIST", "R-VERIFY-FAIL"] and found[1]["before"]["auc"] > 0.7


@pytest.mark.long
def test_three_later_policies_do_not_touch_what_was_decided_under_the_first(people, book, tmp_path):
    done("run", "sample_data", "--out", tmp_path / "may", "--as-of", AS_OF, "--policies", book)
    done("archive", tmp_path / "may", "--to", tmp_path / "archive")
    for number, above in enumerate((40_000, 30_000, 20_000)):
        edited = _edited(people, tmp_path / str(above), ("review.toml", "second_person_above = 50000", f"second_person_above = {above}"),
                         ("rules.toml", "monthly_income < 3000", f"monthly_income < {2900 - number}"), ("rules.toml", "monthly_income = 2999.99", "monthly_income = 2800"))
        assert _propose(edited, book, (TODAY + datetime.timedelta(days=number)).isoformat()).code == 0
        last = max(_all(book))
        done("policy", "approve", book, last, "--sign", people["wang"])
        done("policy", "approve", book, last, "--sign", people["zhao"])
    assert _force(book, AS_OF) == 1 and _force(book, LATER) == last and _all(book)[last]["replaces"] == sorted(_all(book))[-2]
    assert json.loads(done("replay", tmp_path / "archive", "2026", "--format", "json").out)["identical"]
    swapped = json.loads(done("replay", tmp_path / "archive", "2026", "--policy", f"{book}:{last}", "--format", "json").out)
    assert swapped["runs"][0]["from_stage"] == "limit"


def test_nothing_is_dated_back_nor_released_out_of_order(people, book, tmp_path):
    edited = _edited(people, tmp_path / "edited", SECOND)
    assert "policy-backdated" in _propose(edited, book, (TODAY - datetime.timedelta(days=1)).isoformat()).err
    assert "policy-unchanged" in _propose(people["config"], book).err
    assert _propose(edited, book, LATER).code == 0
    done("policy", "approve", book, 4, "--sign", people["wang"])
    done("policy", "approve", book, 4, "--sign", people["zhao"])
    other = _edited(people, tmp_path / "other", ("review.toml", "second_person_above = 50000", "second_person_above = 10000"))
    assert "policy-out-of-order" in _propose(other, book, TODAY.isoformat()).err
    assert "policy-built-upon" not in done("policy", "withdraw", book, 4, "--sign", people["zhao"], "--why", "too early").err
    assert _all(book)[4]["state"] == "withdrawn" and _force(book, LATER) == 1
    assert _propose(other, book, TODAY.isoformat()).code == 0
    assert "policy-settled" in call("policy", "approve", book, 4, "--sign", people["wang"]).err
    assert "policy-settled" in call("policy", "withdraw", book, 1, "--sign", people["wang"], "--why", "no").err, "what is in force is rolled back, not taken away"


def test_a_rollback_is_a_proposal_of_what_once_was(people, book, tmp_path):
    edited = _edited(people, tmp_path / "edited", SECOND)
    _propose(edited, book, TODAY.isoformat())
    for key in ("wang", "zhao"):
        done("policy", "approve", book, 4, "--sign", people[key])
    assert _force(book, TODAY.isoformat()) == 4
    shown = done("policy", "rollback", book, 1, "--effective", TODAY.isoformat(), "--by", "wang", "--why", "complaints")
    assert "second_person_above is 50000, was 30000" in shown.out
    assert _force(book, TODAY.isoformat()) == 4, "it takes the same signatures"
    for key in ("li", "zhao"):
        done("policy", "approve", book, 7, "--sign", people[key])
    assert _force(book, TODAY.isoformat()) == 7 and _all(book)[7]["version"] == _all(book)[1]["version"] and _all(book)[7]["rolls_back_to"] == 1
    assert "policy-overtaken" in _overtaken(people, book, tmp_path)


def _overtaken(people, book, tmp_path) -> str:
    """Two proposals against the same release: the second to be signed has lost its ground."""
    one = _edited(people, tmp_path / "one", ("review.toml", "second_person_above = 50000", "second_person_above = 11000"))
    two = _edited(people, tmp_path / "two", ("review.toml", "second_person_above = 50000", "second_person_above = 12000"))
    _propose(one, book, TODAY.isoformat())
    _propose(two, book, TODAY.isoformat())
    one, two = sorted(_all(book))[-2:]
    for key in ("wang", "zhao"):
        done("policy", "approve", book, one, "--sign", people[key])
    return call("policy", "approve", book, two, "--sign", people["wang"]).err


def test_nobody_appoints_their_own_approvers(people, book, tmp_path):
    """A proposal that names other approvers is still approved by those of the policy that it replaces."""
    edited = _edited(people, tmp_path / "edited", ("approvers.toml", '"li" = ', people["line_of_stranger"] + '\n"li" = '))
    _propose(edited, book, TODAY.isoformat())
    assert "approver-unknown" in call("policy", "approve", book, 4, "--sign", people["stranger"]).err
    for key in ("wang", "zhao"):
        done("policy", "approve", book, 4, "--sign", people[key])
    again = _edited(people, tmp_path / "again", SECOND, ("approvers.toml", '"li" = ', people["line_of_stranger"] + '\n"li" = '))
    _propose(again, book, TODAY.isoformat())
    assert "half-approved" in done("policy", "approve", book, 7, "--sign", people["stranger"]).err, "from the next policy on they may"


def test_a_forged_entry_approves_nothing(people, book, tmp_path):
    """Whoever can write into the book but has no key of an approver cannot release."""
    from qqloan_cli.archive.events import append
    from qqloan_cli.archive.layout import Archive

    _propose(_edited(people, tmp_path / "edited", SECOND), book, TODAY.isoformat())
    entry = Archive.open(book).entry(4)
    for name in ("wang", "zhao"):
        append(book, entry, {"kind": "policy-approval", "by": name}, datetime.datetime.now(), people["stranger"])
        append(book, entry, {"kind": "policy-approval", "by": name}, datetime.datetime.now(), None)
    assert _all(book)[4]["state"] == "proposed" and _force(book, TODAY.isoformat()) == 1


def test_a_proposal_with_approvers_of_its_own_stops_the_book(people, book):
    from qqloan_cli.archive.layout import POLICY, Archive, adding, written

    before = Archive.open(book).entry(1)
    with adding(book) as (archive, begun, sequence):
        said = {**before.policy, "replaces": 1, "at": datetime.datetime.now().isoformat(timespec="seconds"), "approvers": {"needed": 2, "people": {}}}
        written(archive, begun, sequence, before.document["subject"], POLICY, {"policy": said}, before.chain["objects"], None)
    refused = call("policy", "list", book)
    assert refused.code == 4 and "policy-without-ground" in refused.err


def test_what_cannot_be_shown_adds_nothing_to_the_book(people, book, tmp_path):
    edited = _edited(people, tmp_path / "edited", SECOND)
    for more, says in ((("--lang", "fr"), "lang-unknown"), (("--format", "xml"), "format-unknown")):
        refused = call("policy", "propose", edited, "--to", book, "--effective", LATER, "--by", "li", "--why", "x", *more)
        assert refused.code == 2 and says in refused.err
    assert "lang-unknown" in call("policy", "diff", edited, edited, "--lang", "fr").err and list(_all(book)) == [1]


def test_what_cannot_be_right_is_not_proposed(people, tmp_path):
    wrong = _edited(people, tmp_path / "wrong", ("rules.toml", "worst_dpd_24m >= 90", "worst_dpd_24m >= 80"))
    refused = _propose(wrong, tmp_path / "book")
    assert refused.code == 2 and "policy-wrong" in refused.err and "R-WORST-DPD" in refused.err and not (tmp_path / "book").exists()
    nobody = _propose(ROOT / "configs", tmp_path / "book")
    assert nobody.code == 2 and "approvers-too-few" in nobody.err and not (tmp_path / "book").exists()
    alone = _edited(people, tmp_path / "alone", ("approvers.toml", "needed = 2", "needed = 1"))
    assert "config-invalid" in call("policy", "diff", people["config"], alone).err + _propose(alone, tmp_path / "book").err


def test_the_shipped_cases_hold_and_each_wrong_one_is_named(tmp_path):
    document = json.loads(done("policy", "test", "--format", "json").out)
    assert len(document["cases"]) == 16 and all(case["ok"] for case in document["cases"])
    by_code = {rule["code"]: rule for rule in document["rules"]}
    assert by_code["R-WORST-DPD"]["hits"] == 1 and by_code["R-BLOCKLIST"]["finding"] == "never" and by_code["R-INQUIRIES"]["finding"] == "shadowed"
    shutil.copytree(ROOT / "configs", tmp_path / "config")
    rules = tmp_path / "config" / "rules.toml"
    rules.write_text(rules.read_text().replace("worst_dpd_24m >= 90", "worst_dpd_24m >= 85"))
    failed = call("policy", "test", "--config", tmp_path / "config", "--inputs", "sample_data", "--format", "json")
    assert failed.code == 1 and "1 of 16 cases are decided otherwise, the first: 89 days late" in failed.err
    wrong = [case for case in json.loads(failed.out)["cases"] if not case["ok"]]
    assert [case["wrong"][0][:2] for case in wrong] == [["reasons_not", "no R-WORST-DPD"]]


@pytest.mark.parametrize(("case", "says"), [
    ('application = "A000000004"\nexpect = { amount = 1, cap = "income_multiple", refer_to = "fraud" }', "1 of 1 cases"),
    ('application = "nobody"\nexpect = { decision = "approve" }', "case-unknown"),
    ('application = "A000000004"\nchange = { blood_type = 3 }\nexpect = { decision = "approve" }', "change-unknown"),
    ('application = "A000000004"\nexpect = {}', "config-invalid"),
    ('application = "A000000004"\nexpects = { decision = "approve" }', "config-invalid"),
])
def test_a_case_that_says_nothing_sensible_is_refused(case, says, tmp_path):
    (tmp_path / "cases.toml").write_text(f'inputs = "{ROOT}/sample_data"\nas_of = 2026-11-24\n[[case]]\nname = "one"\n{case}\n')
    got = call("policy", "test", "--cases", tmp_path / "cases.toml")
    assert got.code in (1, 2) and says in got.err, got.err


def test_rules_are_asked_of_a_sealed_book(lender_run, tmp_path):
    done("archive", lender_run, "--to", tmp_path / "archive")
    rules = json.loads(done("policy", "test", "--archive", tmp_path / "archive", "--run-id", "2026", "--format", "json").out)["rules"]
    assert rules == json.loads(done("rule", "--hits", lender_run, "--format", "json").out)["rows"]
