"""Why an application was decided otherwise, and what was said of it then, out of the archive alone."""

from __future__ import annotations

import csv
import json
import re
import shutil

import duckdb
import pytest
from conftest import AS_OF, ROOT, call, done

NUMBERS = ("monthly_income_fen", "score", "pd", "amount_fen", "max_amount_fen")


@pytest.fixture(scope="module")
def two(lender, lender_run, tmp_path_factory):
    """(archive, run ids, application): the lender's run, and one three days later with half the pay of one person, a lower cap of debt
    and another scale."""
    folder = tmp_path_factory.mktemp("why")
    with duckdb.connect() as con:
        application, person = con.sql(f"""
            SELECT d.application_id, d.applicant_id FROM '{lender_run}/decisions.parquet' d JOIN '{lender_run}/income/*.parquet' i USING (application_id)
            WHERE d.decision = 'approve' AND i.payroll_income_fen > 0 AND d.binding_cap IS NOT NULL ORDER BY d.amount_fen DESC, 1 LIMIT 1
        """).fetchall()[0]
    shutil.copytree(lender, folder / "lender")
    [path] = (folder / "lender").glob("payroll.csv")
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["applicant_id"] == person:
            row["gross"], row["net"] = f"{float(row['gross']) / 2:.2f}", f"{float(row['net']) / 2:.2f}"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    shutil.copytree(ROOT / "configs", folder / "configs")
    limit = (folder / "configs/limit.toml").read_text(encoding="utf-8")
    (folder / "configs/limit.toml").write_text(re.sub(r"payment_share = ([\d.]+)", lambda share: f"payment_share = {float(share.group(1)) / 2:.4f}", limit), encoding="utf-8")
    reasons = (folder / "configs/reasons/model.toml").read_text(encoding="utf-8")
    assert "Nothing lowers the score against an average applicant" in reasons
    done("run", folder / "lender", "--out", folder / "later", "--as-of", "2026-11-27", "--config", folder / "configs")
    for run in (lender_run, folder / "later"):
        done("archive", run, "--to", folder / "archive")
    runs = [run["run_id"] for run in json.loads(done("audit", folder / "archive", "--format", "json").out)["runs"]]
    return folder / "archive", runs, application


def test_each_difference_has_its_part_and_the_parts_are_the_whole(two):
    archive, runs, application = two
    steps = json.loads(done("replay", archive, *runs, "--application", application, "--why", "--format", "json").out)["steps"]
    assert [step["what"] for step in steps] == ["as sealed first", "code, then to now", "date", "data", "model", "policy", "code, now to then"]
    first, last = steps[0]["figures"], steps[-1]["figures"]
    assert first["amount_fen"] > (last["amount_fen"] or 0) and first["monthly_income_fen"] > last["monthly_income_fen"]
    for name in NUMBERS:
        if all(step["figures"][name] is not None for step in steps):
            assert sum(step["parts"].get(name, 0) for step in steps[1:]) == pytest.approx(last[name] - first[name], abs=1e-9), name
    parts = {step["what"]: step["parts"] for step in steps}
    assert parts["data"]["monthly_income_fen"] < 0 and "monthly_income_fen" not in parts["policy"]
    assert parts["policy"].get("max_amount_fen", 0) < 0 and parts["model"] == {} and parts["code, then to now"] == {} and parts["code, now to then"] == {}


def test_why_is_shown_and_asks_for_what_it_needs(two):
    archive, runs, application = two
    shown = done("replay", archive, *runs, "--application", application, "--why").out
    assert "was decided otherwise" in shown and "code, now to then" in shown
    assert call("replay", archive, runs[0], "--application", application, "--why").code == 2
    assert call("replay", archive, *runs, "--why").code == 2


def test_an_old_decision_is_explained_from_the_archive_as_it_was_explained_then(two, lender_run):
    archive, runs, application = two
    for options in ((), ("--lang", "zh"), ("--format", "json"), ("--what-if", "monthly_income=1000")):
        then = done("explain", lender_run, application, *options).out
        assert done("explain", archive, application, "--run-id", runs[0], *options).out == then


def test_reasons_are_told_in_the_words_that_were_in_force(lender, tmp_path):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for path in (tmp_path / "configs/reasons").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('en = "', 'en = "In the words of then: '), encoding="utf-8")
    done("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, "--config", tmp_path / "configs")
    done("archive", tmp_path / "run", "--to", tmp_path / "archive")
    with duckdb.connect() as con:
        [application] = con.sql(f"SELECT application_id FROM '{tmp_path}/run/decisions.parquet' WHERE decision = 'decline' ORDER BY 1 LIMIT 1").fetchall()[0]
    shutil.rmtree(tmp_path / "run")
    assert "In the words of then:" in " ".join(done("explain", tmp_path / "archive", application, "--run-id", "2026").out.split())
