"""qqloan validate: every figure counted again from the scores that the run itself gave."""

from __future__ import annotations

import json
import re

import duckdb
import numpy as np
import pytest
from conftest import ROOT, call, done

from qqloan_cli.scoring import measures


@pytest.fixture(scope="module")
def found(lender, lender_run, tmp_path_factory) -> tuple[dict, str, np.ndarray, np.ndarray, list]:
    page = tmp_path_factory.mktemp("validate") / "page.html"
    outcomes = next((lender / "truth").glob("truth_outcomes.*"))
    document = json.loads(done("validate", ROOT / "configs/model", "--on", lender_run, "--outcomes", outcomes, "--html", page, "--format", "json").out)
    with duckdb.connect() as con:
        rows = con.sql(f"SELECT s.pd, o.bad, s.grade, a.gender FROM '{lender_run}/score/*.parquet' s JOIN '{outcomes}' o USING (application_id) "
                       f"JOIN '{lender_run}/inputs/applicants/*.parquet' a USING (application_id) ORDER BY application_id").fetchall()
    pd, bad, grade, gender = zip(*rows)
    return document, page.read_text(encoding="utf-8"), np.array(pd), np.array([float(value) for value in bad]), list(zip(grade, gender))


def test_measures_are_those_of_the_run_s_own_scores_and_lie_in_their_intervals(found):
    document, _, pd, bad, _ = found
    by_name = {row["measure"]: row for row in document["measures"]}
    for name, function in (("auc", measures.auc), ("gini", measures.gini), ("ks", measures.ks), ("brier", measures.brier), ("log_loss", measures.log_loss), ("ece", measures.ece)):
        assert by_name[name]["value"] == pytest.approx(function(bad, pd), abs=1e-6), name
    assert all(row["low"] <= row["high"] for row in document["measures"])
    assert all(by_name[name]["low"] <= by_name[name]["value"] <= by_name[name]["high"] for name in ("auc", "gini", "brier", "log_loss"))
    assert (document["rows"], document["bad"]) == (len(bad), int(bad.sum()))


def test_grades_gains_and_groups_add_up_to_everybody(found):
    document, _, pd, bad, groups = found
    for rows in (document["grades"], document["gains"], document["calibration"]["bins"], *document["segments"].values()):
        assert sum(row["rows"] for row in rows) == len(bad)
    assert sum(row["bad"] for row in document["grades"]) == bad.sum() and document["gains"][-1]["caught"] == 1.0
    for row in document["grades"]:
        mine = np.array([grade == row["grade"] for grade, _ in groups])
        assert row["rows"] == mine.sum() and (not mine.any() or row["bad_rate"] == pytest.approx(bad[mine].mean(), abs=1e-6))
    women = next(row for row in document["segments"]["gender"] if row["group"] == "female")
    mine = np.array([gender == "female" for _, gender in groups])
    assert women["rows"] == mine.sum() and women["auc"] == pytest.approx(measures.auc(bad[mine], pd[mine]), abs=1e-6)
    top = np.argsort(-pd, kind="stable")[: document["gains"][0]["rows"]]
    assert document["gains"][0]["lift"] == pytest.approx(bad[top].mean() / bad.mean(), abs=1e-6)


def test_the_strategy_curve_rises_and_its_confusion_adds_up(found):
    document, _, _, bad, _ = found
    curve = document["strategy"]
    assert all(a["approval_rate"] < b["approval_rate"] and a["score_from"] > b["score_from"] for a, b in zip(curve, curve[1:]))
    for row in curve:
        assert row["good_approved"] + row["bad_approved"] + row["good_declined"] + row["bad_declined"] == len(bad)
        assert row["profit"] == pytest.approx(0.08 * row["good_approved"] - 0.60 * row["bad_approved"], abs=0.01)


def test_protected_groups_are_looked_at_and_are_no_feature(found):
    document, _, _, _, _ = found
    assert set(document["fairness"]) == {"gender", "age", "region"} and not {"gender", "age", "region"} & {row["feature"] for row in document["features"]}
    for rows in document["fairness"].values():
        assert max(row["impact"] for row in rows if row["rows"] >= 30) == 1.0
    social = document["without_social"]
    assert social["all"]["auc"] == next(row["value"] for row in document["measures"] if row["measure"] == "auc") and social["swap_set"]["in"] >= 0


def test_the_page_needs_nothing_beside_it_and_has_every_table(found):
    document, page, *_ = found
    assert page.count("<svg") == 5 and page.startswith("<!doctype html>") and not re.search(r"https?://|<script|<link", page)
    assert f"{document['measures'][0]['value']:,.4f}" in page and "Hosmer-Lemeshow" in page and "four fifths" in page


def test_the_same_figures_every_time(lender, lender_run):
    outcomes = next((lender / "truth").glob("truth_outcomes.*"))
    first, again = (call("validate", ROOT / "configs/model", "--on", lender_run, "--outcomes", outcomes).out for _ in range(2))
    assert first == again and "By vintage" in first


def test_a_flat_table_by_its_own_groups(tmp_path):
    rng = np.random.default_rng(3)
    debt, group = rng.normal(size=3_000), rng.integers(0, 2, 3_000)
    bad = rng.random(3_000) < 1 / (1 + np.exp(2 - debt))
    file = tmp_path / "flat.csv"
    file.write_text("debt,branch,bad\n" + "\n".join(f"{d:.4f},{'north' if g else 'south'},{int(b)}" for d, g, b in zip(debt, group, bad)), encoding="utf-8")
    done("train", "--table", file, "--target", "bad", "--ignore", "branch", "--bags", "1", "--trees", "60", "--out", tmp_path / "model")
    document = json.loads(done("validate", tmp_path / "model", "--table", file, "--target", "bad", "--by", "branch", "--format", "json").out)
    assert {row["group"] for row in document["segments"]["branch"]} == {"north", "south"} and document["measures"][0]["value"] > 0.7
    assert "without_social" not in document


@pytest.mark.parametrize("options, said", [
    ([], "--on RUN with --outcomes"), (["--on", "x"], "outcomes are not named"), (["--table", "x"], "outcomes are not named"), (["--table", "nowhere.csv", "--target", "bad"], "no such file"),
])
def test_what_is_missing_is_one_line(options, said):
    refused = call("validate", ROOT / "configs/model", *options)
    assert refused.code in (2, 3) and said in refused.err and refused.err.count("\n") == 1
