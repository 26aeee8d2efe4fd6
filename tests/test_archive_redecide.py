"""What-if on history: a sealed book under another policy or by another model is what a run of the same inputs under them would be."""

from __future__ import annotations

import json
import re
import shutil

import duckdb
import pytest
from conftest import AS_OF, ROOT, call, done


@pytest.fixture(scope="module")
def archive(lender_run, tmp_path_factory):
    archive = tmp_path_factory.mktemp("redecide") / "archive"
    done("archive", lender_run, "--to", archive)
    return archive


@pytest.fixture(scope="module")
def stricter(tmp_path_factory):
    """The shipped policy with half the share of income that an instalment may take."""
    folder = tmp_path_factory.mktemp("policy") / "configs"
    shutil.copytree(ROOT / "configs", folder)
    text = (folder / "limit.toml").read_text(encoding="utf-8")
    text = re.sub(r"payment_share = ([\d.]+)", lambda share: f"payment_share = {float(share.group(1)) / 2:.4f}", text)
    (folder / "limit.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_stricter_policy_cuts_amounts_as_a_run_under_it_would(archive, stricter, lender, lender_run, tmp_path):
    found = json.loads(done("replay", archive, "2026", "--policy", stricter, "--format", "json").out)
    [book] = found["runs"]
    assert book["from_stage"] == "limit"
    done("run", lender, "--out", tmp_path / "run", "--as-of", AS_OF, "--config", stricter)
    with duckdb.connect() as con:
        for name, root in (("b", lender_run), ("a", tmp_path / "run")):
            con.execute(f"CREATE VIEW {name} AS FROM '{root}/decisions.parquet'")
        there = con.sql("SELECT b.decision, a.decision, count(*), sum(coalesce(a.amount_fen, 0)) FROM b JOIN a USING (application_id) GROUP BY ALL ORDER BY ALL").fetchall()
        funded = con.sql("SELECT coalesce(sum(funded_fen), 0) FROM a").fetchall()[0][0]
    assert [(r["before"], r["after"], r["applications"], r["amount_after_fen"]) for r in book["swapped"]] == [(b, a, n, int(amount)) for b, a, n, amount in there]
    before, after = book["sums"]
    assert (before["side"], after["side"]) == ("before", "after") and after["amount_fen"] < before["amount_fen"] and after["funded_fen"] == funded
    assert sum(row["applications"] for row in book["swapped"]) == before["applications"] == after["applications"]
    assert sum(row["change_fen"] for row in book["moved"]) < 0


def test_the_same_policy_takes_nothing_again_and_moves_nobody(archive, lender_run):
    [book] = json.loads(done("replay", archive, "2026", "--policy", lender_run / "config", "--format", "json").out)["runs"]
    assert book["from_stage"] is None and all(row["before"] == row["after"] for row in book["swapped"]) and book["sums"][0]["amount_fen"] == book["sums"][1]["amount_fen"]


@pytest.mark.long
def test_another_model_is_taken_from_the_score_on_and_several_runs_add_up(archive, lender, tmp_path):
    done("run", ROOT / "sample_data", "--out", tmp_path / "run", "--as-of", "2026-11-23")
    shutil.copytree(archive, tmp_path / "archive")
    done("archive", tmp_path / "run", "--to", tmp_path / "archive")
    truth = next((lender / "truth").glob("truth_outcomes.*"))
    done("run", lender, "--out", tmp_path / "teacher", "--as-of", AS_OF)
    done("train", tmp_path / "teacher", "--outcomes", truth, "--bags", 1, "--trees", 20, "--out", tmp_path / "model")
    runs = [run["run_id"] for run in json.loads(done("audit", tmp_path / "archive", "--format", "json").out)["runs"]]
    found = json.loads(done("replay", tmp_path / "archive", *runs, "--model", tmp_path / "model", "--format", "json").out)
    assert [book["from_stage"] for book in found["runs"]] == ["score", "score"]
    assert sum(row["applications"] for row in found["all"]) == sum(book["sums"][0]["applications"] for book in found["runs"])
    assert found["runs"][0]["sums"][0]["expected_bad_fen"] != found["runs"][0]["sums"][1]["expected_bad_fen"]
    shown = done("replay", tmp_path / "archive", *runs, "--model", tmp_path / "model").out
    assert "All 2 runs" in shown and "taken again from score on" in shown


def test_a_folder_that_is_no_policy_is_refused(archive, tmp_path):
    refused = call("replay", archive, "2026", "--policy", tmp_path)
    assert refused.code == 2 and "config-not-found" in refused.err
    assert "folder-wrong" in call("replay", archive, "2026", "--model", tmp_path).err
    assert call("replay", archive, "2026", "2026").code == 2
    assert call("replay", archive, "2026", "--policy", ROOT / "configs", "--application", "A1").code == 2
