"""What training can be asked for beyond a fit: deeper trees, tuning, reject inference, another calibration, a less discriminatory model."""

from __future__ import annotations

import hashlib
import json
import sqlite3

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, call, done

from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.rejects import fuzzy, parcelled, worse
from qqloan_cli.scoring.fit import Sample

ROOT_CONFIGS = ROOT / "configs"
FEATURES = '[feature.debt]\ndirection = 1\n[feature.income]\ndirection = -1\n[feature.late]\ndirection = 1\n[feature.town]\nsql = "CASE WHEN town = \'north\' THEN 1 ELSE 0 END"\n'


def _lines(n: int, seed: int, declined: bool = False) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Rows, their outcomes, and who would be declined for debt and lateness. The north has lower incomes, and is no worse for it."""
    rng = np.random.default_rng(seed)
    north = rng.random(n) < 0.4
    debt, income, late = rng.gamma(2, 1, n), rng.lognormal(9 - 0.5 * north, 0.5, n), rng.poisson(0.5, n)
    z = -3 + 0.6 * debt - 0.5 * (np.log(income) - 9 + 0.5 * north) + 0.5 * late * (debt > 2) * (income < 9_000)
    bad = rng.random(n) < 1 / (1 + np.exp(-z))
    refused = (debt > 3.2) & (late > 0) if declined else np.zeros(n, bool)
    rows = [f"{d:.4f},{i:.2f},{k},{'north' if w else 'south'},{'' if r else int(b)}" for d, i, k, w, b, r in zip(debt, income, late, north, bad, refused)]
    return ["debt,income,late,town,bad", *rows], bad, refused


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    (folder / "flat.csv").write_text("\n".join(_lines(4_000, 3)[0]) + "\n", encoding="utf-8")
    (folder / "declined.csv").write_text("\n".join(_lines(4_000, 3, declined=True)[0]) + "\n", encoding="utf-8")
    (folder / "features.toml").write_text(FEATURES, encoding="utf-8")
    return folder


def _train(flat, name, *options, table="flat.csv"):
    arguments = ["--table", flat / table, "--target", "bad", "--features", flat / "features.toml", "--bags", 2, "--trees", 60, *options, "--yes"]
    return done("train", *arguments, "--out", flat / name), json.loads((flat / name / "manifest.json").read_text(encoding="utf-8"))


def _digest(folder) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.iterdir()))).hexdigest()


@pytest.mark.long
def test_deeper_trees_fall_back_on_treeshap_and_a_row_is_still_the_same_alone(flat):
    import xgboost as xgb

    _train(flat, "deep", "--depth", 4)
    scorer = Scorer.load(flat / "deep", load_scale(ROOT_CONFIGS))
    rng = np.random.default_rng(5)
    columns = [rng.gamma(2, 1, 500).astype("f4"), rng.lognormal(9, 0.5, 500).astype("f4"), rng.poisson(1, 500).astype("f4"), (rng.random(500) < 0.4).astype("f4")]
    columns[1][::7] = np.nan
    parts = scorer.contributions(columns)
    booster = xgb.Booster(model_file=str(flat / "deep/model.json"))
    margin = booster.predict(xgb.DMatrix(np.column_stack(columns), feature_names=booster.feature_names), output_margin=True)
    assert np.abs(scorer.tables.constant + parts.sum(axis=0) - margin).max() < 1e-5
    done("score", "--table", flat / "flat.csv", "--model", flat / "deep", "--out", flat / "all.parquet")
    lines = (flat / "flat.csv").read_text(encoding="utf-8").splitlines()
    whole = pq.read_table(flat / "all.parquet").drop(["row"])
    for row in (0, 1_234, 3_999):
        (flat / "one.csv").write_text("\n".join([lines[0], lines[row + 1]]) + "\n", encoding="utf-8")
        done("score", "--table", flat / "one.csv", "--model", flat / "deep", "--out", flat / "one.parquet")
        assert pq.read_table(flat / "one.parquet").drop(["row"]).equals(whole.slice(row, 1))
    (flat / "none.csv").write_text(lines[0] + "\n", encoding="utf-8")
    done("score", "--table", flat / "none.csv", "--model", flat / "deep", "--out", flat / "none.parquet")
    assert pq.read_table(flat / "none.parquet").num_rows == 0
    assert "TreeSHAP" in (flat / "deep/MODEL_CARD.md").read_text(encoding="utf-8")
    refused = call("export", flat / "deep", "--scorer", "champion", "--format", "sql")
    assert refused.code == 2 and "model-too-deep" in refused.err


def test_the_champions_tables_leave_as_sql_and_any_engine_adds_up_the_same_margin(flat):
    _train(flat, "plain")
    done("export", flat / "plain", "--scorer", "champion", "--key", "n", "--to", flat / "champion.sql", "--yes")
    query = (flat / "champion.sql").read_text(encoding="utf-8")
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE applicants AS SELECT row_number() OVER () AS n, debt, CASE WHEN late > 2 THEN NULL ELSE income END AS income, late, CASE WHEN town = 'north' THEN 1 ELSE 0 END AS town FROM read_csv('{flat}/flat.csv') LIMIT 500")
        rows = con.sql("SELECT * FROM applicants ORDER BY n").fetchall()
        here = [int(value) for _, value in con.sql(query).fetchall()]
    with sqlite3.connect(":memory:") as other:
        other.execute("CREATE TABLE applicants (n, debt, income, late, town)")
        other.executemany("INSERT INTO applicants VALUES (?, ?, ?, ?, ?)", rows)
        there = [value for _, value in other.execute(query).fetchall()]
    assert here == there
    scorer = Scorer.load(flat / "plain", load_scale(ROOT_CONFIGS))
    columns = [np.array([np.nan if row[i] is None else row[i] for row in rows], "f4") for i in (1, 2, 3, 4)]
    margin = scorer.tables.constant + scorer.contributions(columns).sum(axis=0)
    assert np.abs(np.array(here) / 1e9 - margin).max() < 1e-6


def test_the_card_draws_the_tables_as_they_are(flat):
    _train(flat, "plain")
    card = (flat / "plain/MODEL_CARD.md").read_text(encoding="utf-8")
    drawing = card.split("### debt")[1].split("```")[1].strip().splitlines()
    effects = [float(line.split("%")[1].split()[0]) for line in drawing]
    assert len(effects) >= 5 and effects == sorted(effects) and effects[0] < 0 < effects[-1]
    assert "debt with income" in card or "income with late" in card


@pytest.mark.long
def test_tuning_is_bounded_seeded_and_says_what_it_tried(flat):
    _, manifest = _train(flat, "tuned", "--tune", 4)
    trials = manifest["tuning"]
    assert len(trials) == 5 and sum(trial["taken"] for trial in trials) == 1 and trials[0]["gain"] == 0
    (taken,) = [trial for trial in trials if trial["taken"]]
    assert taken is trials[0] or taken["gain"] > taken["gain_standard_error"]
    assert all(manifest["recipe"][name] == taken[name] for name in ("learning_rate", "rows", "columns", "least_weight", "l2"))
    _train(flat, "tuned_again", "--tune", 4, "--workers", 1)
    assert _digest(flat / "tuned") == _digest(flat / "tuned_again")


@pytest.mark.parametrize("method", ["none", "platt", "beta", "isotonic", "venn_abers"])
def test_a_calibration_can_be_asked_for(flat, method):
    _train(flat, "asked", "--calibration", method)
    assert json.loads((flat / "asked/calibration.json").read_text(encoding="utf-8"))["model"]["method"] == method
    done("score", "--table", flat / "flat.csv", "--model", flat / "asked", "--out", flat / "asked.parquet")
    pd = pq.read_table(flat / "asked.parquet").column("pd").to_numpy()
    _, bad, _ = _lines(4_000, 3)
    assert pd.mean() == pytest.approx(bad.mean(), abs=0.02)


def test_fuzzy_rows_weigh_what_they_replace_and_parcels_have_the_share_they_should():
    rng = np.random.default_rng(2)
    pd = rng.uniform(0.02, 0.5, 1_000)
    unknown = Sample(("a",), (0,), (np.empty(0, np.float32),), np.zeros((1, 1_000), np.intp), np.zeros(1_000, np.float32), np.arange(1_000))
    both = fuzzy(unknown, pd)
    assert len(both.bad) == 2_000 and both.weight.sum() == pytest.approx(1_000) and (both.weight * both.bad).sum() == pytest.approx(pd.sum())
    known_pd = rng.uniform(0.02, 0.5, 20_000)
    known_bad = rng.random(20_000) < known_pd
    dealt = parcelled(unknown, pd, known_pd, known_bad, 1.0, seed=1)
    assert dealt.bad.mean() == pytest.approx(pd.mean(), abs=0.01)
    assert parcelled(unknown, worse(pd, 2.0), known_pd, known_bad, 2.0, seed=1).bad.mean() > dealt.bad.mean() * 1.2
    assert (parcelled(unknown, pd, known_pd, known_bad, 1.0, seed=1).bad == dealt.bad).all()


@pytest.mark.parametrize("way", ["fuzzy", "parcelling"])
def test_declined_applications_take_part_and_measures_rest_on_known_outcomes(flat, way):
    _, bad, refused = _lines(4_000, 3, declined=True)
    said, manifest = _train(flat, way, "--reject-inference", way, table="declined.csv")
    inferred = manifest["reject_inference"]
    assert inferred["rows"] == refused.sum() > 100 and manifest["rows"] == 4_000 - refused.sum()
    assert inferred["inferred_bad_rate"] == pytest.approx(bad[refused].mean(), abs=0.15), "they look worse than the accepted ones"
    assert inferred["inferred_bad_rate"] > manifest["bad"] / manifest["rows"]
    assert f"applications without outcome by {way}" in said.err and "no evidence" in (flat / way / "MODEL_CARD.md").read_text(encoding="utf-8")
    doubled = _train(flat, way, "--reject-inference", way, "--reject-odds", 2, table="declined.csv")[1]["reject_inference"]
    assert doubled["inferred_bad_rate"] > inferred["inferred_bad_rate"]


def test_inference_without_anybody_to_infer_for_is_refused(flat):
    refused = call("train", "--table", flat / "flat.csv", "--target", "bad", "--reject-inference", "fuzzy", "--out", flat / "nobody")
    assert refused.code == 2 and "rejects-none" in refused.err and not (flat / "nobody").exists()


def test_a_less_discriminatory_model_of_equal_power_is_found_where_there_is_one(tmp_path):
    """``stands_for`` tells the town and nothing else; leaving it out costs nothing and brings approval rates together."""
    rng = np.random.default_rng(8)
    n = 4_000
    north = rng.random(n) < 0.4
    debt, stands_for, noise = rng.gamma(2, 1, n), np.where(north, 1.0, 0.0) + rng.normal(0, 0.2, n), rng.normal(size=n)
    bad = rng.random(n) < 1 / (1 + np.exp(3 - 0.9 * debt - 0.25 * north))
    lines = ["debt,stands_for,noise,town,bad", *(f"{d:.3f},{s:.3f},{z:.3f},{'north' if w else 'south'},{int(b)}" for d, s, z, w, b in zip(debt, stands_for, noise, north, bad))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = done("train", "--table", tmp_path / "t.csv", "--target", "bad", "--by", "town", "--alternatives", 2, "--bags", 2, "--trees", 60, "--out", tmp_path / "m")
    manifest = json.loads((tmp_path / "m/manifest.json").read_text(encoding="utf-8"))
    assert manifest["features"] == 3, "a column of groups is no feature"
    first, second = manifest["alternatives"]["models"][:2]
    assert second["left_out"] == ["stands_for"] and second["impact"]["town"] > first["impact"]["town"] + 0.05
    assert second["auc_difference_low"] <= second["auc"] - first["auc"] <= second["auc_difference_high"]
    assert len(manifest["alternatives"]["models"]) == 3 and "less discriminatory at equal power" in said.err
    assert "Search for a less discriminatory model" in (tmp_path / "m/MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_feature_that_knows_the_end_is_named(tmp_path):
    lines, bad, _ = _lines(1_000, 6)
    rng = np.random.default_rng(1)
    (tmp_path / "leak.csv").write_text("\n".join([lines[0] + ",days_in_collection", *(f"{row},{int(b) * rng.integers(30, 200)}" for row, b in zip(lines[1:], bad))]) + "\n", encoding="utf-8")
    said = done("train", "--table", tmp_path / "leak.csv", "--target", "bad", "--bags", 1, "--trees", 5, "--out", tmp_path / "m")
    assert "note: feature-knows-the-end: days_in_collection alone ranks the outcomes with an AUC of 1.000" in said.err
    assert "feature-knows-the-end" not in done("train", "--table", tmp_path / "leak.csv", "--target", "bad", "--ignore", "days_in_collection", "--bags", 1, "--trees", 5, "--out", tmp_path / "n").err


@pytest.mark.parametrize("option", ["--calibration", "--reject-inference"])
def test_a_word_that_is_no_choice_is_refused_with_the_choices(flat, option):
    refused = call("train", "--table", flat / "flat.csv", "--target", "bad", option, "magic", "--out", flat / "no")
    assert refused.code == 2 and "One of" in refused.err


def test_a_model_of_another_xgboost_is_refused(flat, tmp_path):
    import shutil

    _train(flat, "plain")
    shutil.copytree(flat / "plain", tmp_path / "m")
    manifest = json.loads((tmp_path / "m/manifest.json").read_text(encoding="utf-8"))
    manifest["versions"]["xgboost-cpu"] = "1.7.6"
    (tmp_path / "m/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    refused = call("score", "--table", flat / "flat.csv", "--model", tmp_path / "m", "--out", tmp_path / "o.parquet")
    assert refused.code == 4 and "trained with XGBoost 1.7.6" in refused.err and not (tmp_path / "o.parquet").exists()


@pytest.mark.long
def test_the_card_tells_what_changes_from_the_model_in_force(flat):
    _train(flat, "before")
    (flat / "fewer.toml").write_text(FEATURES.replace("[feature.late]\ndirection = 1", "[feature.late]\ndirection = 0").split("[feature.town]")[0], encoding="utf-8")
    done("train", "--table", flat / "flat.csv", "--target", "bad", "--features", flat / "fewer.toml", "--bags", 1, "--trees", 40, "--replaces", flat / "before", "--out", flat / "after", "--yes")
    changes = json.loads((flat / "after/manifest.json").read_text(encoding="utf-8"))["changes"]
    assert (changes["features_gone"], changes["features_changed"], changes["features_added"]) == (["town"], ["late"], [])
    assert changes["recipe"] == {"bags": [2, 1], "trees": [60, 40]}
    card = (flat / "after/MODEL_CARD.md").read_text(encoding="utf-8")
    assert "## Changes" in card and "- features gone: town" in card
    refused = call("train", "--table", flat / "flat.csv", "--target", "bad", "--replaces", flat, "--out", flat / "no")
    assert refused.code == 4 and not (flat / "no").exists()
