"""Rules of the regulation held against runs and a book: what stands keeps them, and each way of breaking one brings back just those rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from book_of import book, close, loan
from conftest import ROOT, call, done

from qqloan_cli.oversight.compliance.check import Law, query
from qqloan_cli.policy.regulation import CONTACT, load_regulation

COPIED = ("limit", "verify", "disburse_plan", "schedule", "funding_shares", "cost_table", "credit", "inputs/applicants")


@pytest.fixture(scope="module")
def run(lender_run, tmp_path_factory) -> Path:
    """The lender's run with its offers and cost tables."""
    made = tmp_path_factory.mktemp("compliance") / "run"
    shutil.copytree(lender_run, made)
    done("offers", made)
    return made


def checked(*runs, code: int = 0, **options) -> dict[str, dict]:
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    found = call("compliance", *runs, *arguments, "--format", "json")
    assert found.code == code, found.err
    return {row["rule_id"]: row for row in json.loads(found.out)["rows"]}


def broken(run: Path, to: Path, table: str, change: str, where: str) -> tuple[Path, list[str]]:
    """A copy of the run in which ``where`` of a table is otherwise, and whose applications those are."""
    shutil.copytree(run, to)
    path = next(iter(sorted((to / table).glob("*.parquet")))) if (to / table).is_dir() else to / f"{table}.parquet"
    con = duckdb.connect()
    con.execute(f"CREATE TABLE t AS FROM '{path}'")
    who = [row[0] for row in con.execute(f"SELECT DISTINCT application_id FROM t WHERE {where} ORDER BY 1").fetchall()]
    assert who, "nothing to break"
    con.execute(f"UPDATE t SET {change} WHERE {where}" if not change.startswith("DELETE") else f"DELETE FROM t WHERE {where}")
    con.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return to, who


def offenders(run: Path, rule: str, tmp_path: Path, *more) -> list[str]:
    found = call("compliance", run, "--rule", rule, "--rows", tmp_path / "rows", *more, "--format", "json")
    assert found.code == 0, found.err
    assert [row["status"] for row in json.loads(found.out)["rows"]] == ["failed"]
    return [row[0] for row in duckdb.sql(f"SELECT DISTINCT subject FROM '{tmp_path}/rows/{rule}.parquet' ORDER BY 1").fetchall()]


def test_every_rule_has_an_answer_and_a_query(run):
    found = checked(run)
    law = load_regulation(ROOT / "configs")
    assert set(found) == {rule.id for rule in law.rules}
    for rule in law.rules:
        if rule.topic not in ("marketing",):
            assert "-- grain:" in query(rule.topic), rule.topic
        assert found[rule.id]["status"] in ("passed", "failed", "unknown", "not_applicable")
        assert found[rule.id]["status"] == "passed" or found[rule.id]["note"], rule.id


def test_what_the_chain_decides_keeps_every_rule_that_can_be_looked_at(run):
    found = checked(run)
    assert [name for name, row in found.items() if row["status"] == "failed"] == []
    looked = {name for name, row in found.items() if row["status"] == "passed"}
    assert looked >= {"rate.bank24", "amt.bank.net.2025", "term.pl.cons.2025", "cost.disclose", "cr.consent", "cr.use", "minor", "use.pl", "pipl.24", "civil.noprededuct", "rate.pboc2021", "jl.partner.min", "aml.keep", "pipl.keep"}
    assert found["rate.bank24"]["looked_at"] == duckdb.sql(f"SELECT count(*) FROM '{run}/decisions.parquet' WHERE decision = 'approve'").fetchall()[0][0]
    assert "marketing" in found["mkt.online"]["note"] and found["mkt.online"]["status"] == "unknown"
    assert found["jl.region"]["status"] == "unknown" and "lender.toml" in found["jl.region"]["note"]
    assert found["stu.ban"]["status"] == "not_applicable" and "microloan" in found["stu.ban"]["note"]


@pytest.mark.parametrize("rule, table, change, where", [
    ("rate.bank24", "schedule", "fee_fen = fee_fen + principal_fen // 2", "application_id = (SELECT min(application_id) FROM t)"),
    ("rate.pboc2021", "limit", "all_in_annual_cost = 0.01", "decision = 'approve' AND all_in_annual_cost > 0.05 AND hash(application_id) % 40 = 0"),
    ("amt.bank.net.2025", "limit", "amount_fen = 30000001", "decision = 'approve' AND hash(application_id) % 40 = 1"),
    ("term.pl.cons.2025", "limit", "term_months = 85", "decision = 'approve' AND hash(application_id) % 40 = 2"),
    ("minor", "verify", "age_years = 17", "application_id IN (SELECT application_id FROM t ORDER BY hash(application_id) LIMIT 40)"),
    ("use.pl", "limit", "purpose = 'house_purchase'", "decision = 'approve' AND hash(application_id) % 40 = 3"),
    ("civil.noprededuct", "disburse_plan", "amount_fen = amount_fen - 1", "tranche_no = 1 AND hash(application_id) % 40 = 4"),
    ("pay.pl.cons.2025", "disburse_plan", "amount_fen = 50000001", "payee_kind = 'borrower' AND tranche_no = 1 AND hash(application_id) % 40 = 5"),
    ("jl.partner.min", "funding_shares", "amount_fen = amount_fen // 20", "source <> 'own' AND hash(application_id) % 40 = 6"),
    ("cr.consent", "inputs/applicants", "consent_at = applied_at + INTERVAL 1 DAY", "hash(application_id) % 40 = 7"),
    ("cr.use", "inputs/applicants", "consent_scope = 'income;social'", "hash(application_id) % 10 = 8"),
    ("cost.disclose", "cost_table", "DELETE", "item = 'late_interest' AND offer_no = 0 AND hash(application_id) % 40 = 9"),
    ("pipl.24", "decisions", "reason_codes = ['X-NOT-A-REASON']", "decision = 'decline' AND hash(application_id) % 10 = 0"),
])
def test_one_way_of_breaking_a_rule_brings_back_just_those_rows(run, tmp_path, rule, table, change, where):
    made, who = broken(run, tmp_path / "run", table, change, where)
    approved = {row[0] for row in duckdb.sql(f"SELECT application_id FROM read_parquet('{made}/limit/*.parquet') WHERE decision = 'approve'").fetchall()}
    person = dict(duckdb.sql(f"SELECT application_id, applicant_id FROM read_parquet('{made}/limit/*.parquet')").fetchall())
    if rule != "pipl.24":
        who = [one for one in who if one in approved]
    if rule == "amt.bank.net.2025":  # it is about people
        who = sorted({person[one] for one in who})
    if rule == "cr.use":  # only where a credit record was there to be used
        used = {row[0] for row in duckdb.sql(f"SELECT application_id FROM read_parquet('{made}/credit/*.parquet') WHERE history <> 'none'").fetchall()}
        who = [one for one in who if one in used]
    if rule == "jl.partner.min":  # one of several partners counts with the others
        parts = duckdb.sql(f"SELECT application_id, sum(amount_fen) FILTER (WHERE source <> 'own') / sum(amount_fen) FROM read_parquet('{made}/funding_shares/*.parquet') GROUP BY 1").fetchall()
        low = {one for one, share in parts if share is not None and share < 0.3}
        who = [one for one in who if one in low]
    assert who and offenders(made, rule, tmp_path) == sorted(who)


def test_another_licence_has_other_rules(run, tmp_path):
    """
    A microloan company with net assets of a million yuan that may lend in Guangdong alone: students, its region, its borrowers' shares
    """
    config = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", config)
    lender = (config / "lender.toml").read_text(encoding="utf-8").replace('licence = "bank"', 'licence = "microloan"')
    (config / "lender.toml").write_text(lender.split("# [figures]")[0] + '[figures]\non = 2026-06-30\nsource = "report"\nnet_assets = 1_000_000\narea = ["44"]\n', encoding="utf-8")
    made, students = broken(run, tmp_path / "run", "verify", "student = true", "hash(application_id) % 15 = 0")
    regions = dict(duckdb.sql(f"SELECT application_id, region FROM read_parquet('{made}/limit/*.parquet') WHERE decision = 'approve'").fetchall())
    found = checked(made, config=config)
    assert found["rate.bank24"]["status"] == "not_applicable" and found["rate.micro24"]["status"] == "passed"
    assert found["stu.ban"]["status"] == "failed" and found["stu.ban"]["offending"] == len([one for one in students if one in regions])
    assert found["micro.region"]["offending"] == len([region for region in regions.values() if region is not None and not region.startswith("44")])
    assert found["rate.micro4lpr"]["status"] == "not_applicable" and "impact" in found["rate.micro4lpr"]["note"]


def test_a_book_is_looked_at_too(tmp_path):
    """
    Three loans: one whose instalments cost 30 % a year, one whose penalty is 36 %, one of 350,000 yuan
    """
    level = [(f"2026-{month:02d}-10", 100, 1) for month in range(2, 13)]
    dear = [(f"2026-{month:02d}-10", 100, 20) for month in range(2, 13)]
    root = book(tmp_path / "b", [
        loan("dear", "2026-01-10", dear, penalty=0.2), loan("harsh", "2026-01-10", level, penalty=0.36), loan("large", "2026-01-10", [("2026-12-10", 350_000, 100)], penalty=0.2),
    ])
    close(root, "2026-03-31")
    found = checked(book=root, rows=tmp_path / "rows", at="2026-03-31")
    failed = {name: [row[0] for row in duckdb.sql(f"SELECT subject FROM '{tmp_path}/rows/{name}.parquet'").fetchall()] for name, row in found.items() if row["status"] == "failed"}
    assert failed == {"rate.bank24": ["dear"], "rate.court24.late": ["harsh"], "amt.bank.net.2025": ["large"]}
    [(cost,)] = duckdb.sql(f"SELECT found FROM '{tmp_path}/rows/rate.bank24.parquet'").fetchall()
    import numpy_financial

    assert cost == pytest.approx(12 * numpy_financial.irr([-1100, *[120] * 11]), abs=1e-9)
    assert found["jl.total"]["status"] == "passed" and found["civil.noprededuct"]["note"]


def test_a_rule_that_nobody_verified_up_to_the_day_is_unknown_with_its_rows(run, tmp_path):
    config = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", config)
    path = config / "regulation" / "price.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace('id = "rate.bank24"\ntopic = "price_cap"\nvalue = 0.24', 'id = "rate.bank24"\ntopic = "price_cap"\nvalue = 0.05', 1)
    head, tail = text.split('id = "rate.bank24"')
    path.write_text(head + 'id = "rate.bank24"' + tail.replace("verified_through = 2026-11-25", "verified_through = 2026-01-31", 1), encoding="utf-8")
    found = checked(run, config=config, rows=tmp_path / "rows")["rate.bank24"]
    assert (found["status"], found["verified_through"]) == ("unknown", "2026-01-31") and "failed by what was known on 2026-01-31" in found["note"]
    assert found["offending"] > 0 and (tmp_path / "rows" / "rate.bank24.parquet").is_file()


def test_a_press_report_is_told_and_binds_nobody(run, tmp_path):
    config = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", config)
    lender = config / "lender.toml"
    lender.write_text(lender.read_text(encoding="utf-8").replace('licence = "bank"', 'licence = "cfc"'), encoding="utf-8")
    path = config / "regulation" / "reports.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("value = 0.20", "value = 0.02"), encoding="utf-8")
    found = checked(run, config=config)["rate.cfc20"]
    assert found["status"] == "not_applicable" and found["offending"] > 0 and "press report" in found["note"]
    lender.write_text(lender.read_text(encoding="utf-8").replace("adopt_reports = []", 'adopt_reports = ["rate.cfc20"]'), encoding="utf-8")
    assert checked(run, config=config)["rate.cfc20"]["status"] == "failed"


def test_letters_that_are_missing_are_found(run, tmp_path):
    done("notice", run, "--to", tmp_path / "letters", "--as", "parquet")
    assert checked(run, notices=tmp_path / "letters")["pipl.24.review"]["status"] == "passed"
    path = sorted((tmp_path / "letters").glob("*.parquet"))[0]
    con = duckdb.connect()
    con.execute(f"CREATE TABLE t AS FROM '{path}' WHERE application_id > (SELECT min(application_id) FROM '{path}')")
    con.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    found = checked(run, notices=tmp_path / "letters")["pipl.24.review"]
    assert (found["status"], found["offending"]) == ("failed", 1)


def test_contacts_are_looked_at_by_their_own_rules(tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2026-01-10", [("2026-02-10", 1000, 10)], applicant_id="P1")])
    close(root, "2026-04-30")
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("contact_id,applicant_id,begun_at,channel,party,target,connected,outcome\nC1,P1,2026-03-02 22:30,call,debtor,own_1,yes,spoken\n", encoding="utf-8")
    recorded = call("collections", "record", contacts, "--book", root, "--received", "2026-05-01")
    assert recorded.code == 0, recorded.err
    found = checked(book=root, at="2026-04-30")
    assert found["col.gb.until"]["status"] == "failed" and "not law" in found["col.gb.until"]["note"]
    assert {name for name, row in found.items() if row["topic"] in CONTACT and row["status"] == "failed"} == {"col.gb.until", "col.cba.until"}


def test_what_is_asked_wrongly_is_said(run):
    assert call("compliance").code == 2
    wrong = call("compliance", run, "--rule", "rate.hope")
    assert wrong.code == 2 and "regulation-rule-unknown" in wrong.err and "rate.bank24" in wrong.err
    assert call("compliance", run, "--fail-on", "unknown").code == 1 and call("compliance", run, "--fail-on", "failed").code == 0


def test_the_same_rules_the_same_rows(run):
    first, again = (call("compliance", run, "--format", "csv", "--workers", workers).out for workers in (1, 2))
    assert first == again and Law.of(ROOT / "configs").lender.licence == "bank"
