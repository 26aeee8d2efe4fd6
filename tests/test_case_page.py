"""The case sheet: one application on one page for a credit committee."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import AS_OF, call, done, faults_of_page

from qqloan_cli.asking.ring import ring
from qqloan_cli.engine.run import Run


def one(run: Path, where: str) -> str:
    return duckdb.sql(f"SELECT l.application_id FROM read_parquet('{run}/links/*.parquet') AS l JOIN '{run}/decisions.parquet' AS d USING (application_id) WHERE {where} ORDER BY 1 LIMIT 1").fetchall()[0][0]


def sheet(run: Path, application: str, to: Path, *more) -> str:
    done("explain", run, application, "--to", to, *more)
    return to.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tied(sample_run) -> str:
    return one(sample_run, "ring_size >= 5")


def test_it_asks_for_nothing_and_has_its_parts(sample_run, tied, tmp_path):
    text = sheet(sample_run, tied, tmp_path / "case.html")
    assert text.startswith("<!doctype html>") and "<script" not in text and not re.search(r'(src|href)="?(https?:)?//', text) and "default-src 'none'" in text
    for part in ("decision", "checks", "income", "history", "ring", "score", "limit"):
        assert f'<section id="{part}"' in text, part
    assert text.count("<svg") == len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]+"', text)) >= 3
    for figure in re.findall(r"<figure.*?</figure>", text, re.DOTALL):
        assert "<table>" in figure
    assert text.encode() == sheet(sample_run, tied, tmp_path / "again.html").encode()


def test_what_a_browser_says(sample_run, tied, tmp_path, browser):
    approved = one(sample_run, "decision = 'approve' AND ring_size IS NULL")
    sheet(sample_run, tied, tmp_path / "tied.html")
    sheet(sample_run, approved, tmp_path / "approved.html", "--lang", "zh")
    assert faults_of_page(browser, tmp_path / "tied.html", color_scheme="dark") == []
    assert faults_of_page(browser, tmp_path / "approved.html", color_scheme="light") == []


def test_an_approval_has_its_offer_its_costs_and_its_schedule(sample_run, tmp_path):
    approved = one(sample_run, "decision = 'approve' AND ring_size IS NULL")
    text = sheet(sample_run, approved, tmp_path / "case.html")
    plain = call("explain", sample_run, approved).out
    assert "Comprehensive costs" in text and "Nothing else is charged." in text and "Nobody is tied" in text
    for figure in re.findall(r"\d[\d,]*\.\d\d", plain):  # whatever the terminal says, the sheet says
        assert figure in text, figure
    binding = duckdb.sql(f"SELECT step FROM read_parquet('{sample_run}/limit_steps/*.parquet') WHERE application_id = '{approved}' AND binding").fetchall()
    assert len(binding) == text.count("(binds)</th>")


def test_the_ring_is_the_one_that_was_seen(sample_run, tied):
    drawn = ring(Run.open(sample_run), tied)
    [(size,)] = duckdb.sql(f"SELECT ring_size FROM read_parquet('{sample_run}/links/*.parquet') WHERE application_id = '{tied}'").fetchall()
    people = dict(duckdb.sql(f"SELECT application_id, applicant_id FROM read_parquet('{sample_run}/keys/*.parquet')").fetchall())
    assert len({people[member["application_id"]] for member in drawn["members"]}) == size and drawn["left_out"] == 0
    assert drawn["members"][0] == {**drawn["members"][0], "no": 1, "application_id": tied, "steps": 0, "days_before": 0}
    assert all(member["days_before"] >= 0 for member in drawn["members"])
    users = {}
    for tie in drawn["ties"]:
        users.setdefault(tie["key"], set()).add(tie["member"])
    assert all(len(users[key["no"]]) == key["members"] > 1 for key in drawn["keys"])


def test_no_hash_and_nobody_s_name_is_on_it(sample_run, tied, tmp_path):
    text = sheet(sample_run, tied, tmp_path / "case.html", "--lang", "zh")
    for row in pq.read_table(sample_run / "inputs" / "applicants").to_pylist():
        assert not any(row[column] and row[column] in text for column in ("name", "id_number", "phone", "bank_card"))
    for row in pq.read_table(sample_run / "keys").to_pylist():
        assert not any(row[column] and row[column] in text for column in row if column.endswith("_hash"))


def test_an_unfinished_run_shows_what_there_is(tmp_path):
    run = tmp_path / "run"
    done("intake", "sample_data", "--out", run, "--as-of", AS_OF)
    done("link", run)
    done("verify", run)
    application = duckdb.sql(f"SELECT min(application_id) FROM read_parquet('{run}/verify/*.parquet')").fetchall()[0][0]
    text = sheet(run, application, tmp_path / "case.html")
    assert '<section id="checks"' in text and '<section id="limit"' not in text


def test_from_an_archive_with_what_people_decided(sample_run, tmp_path):
    done("archive", sample_run, "--to", tmp_path / "sealed")
    referred = one(sample_run, "decision = 'refer'")
    done("review", "decide", tmp_path / "sealed", "2026", referred, "--decision", "decline", "--by", "li", "--reason", "O-DOUBT-REMAINS", "--text", "the employer knows nothing of it")
    text = sheet(tmp_path / "sealed", referred, tmp_path / "case.html", "--run-id", "2026")
    assert f"Case {referred}" in text and '<section id="ring"' in text
    assert '<section id="people"' in text and "the employer knows nothing of it" in text and "O-DOUBT-REMAINS" in text
