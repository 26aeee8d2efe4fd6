"""Champion and challenger in one pass of the chain, side by side, with the switch in configuration; and drift on the way."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, call, done
from scoring_evidence import evidence, outcomes_csv, write_run

from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.reports import drift
from qqloan_cli.scoring.measures import auc
from qqloan_cli.stages.score import STAGE

SCALE = (ROOT / "configs/scale.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    tables, bad = evidence(4_000, seed=3)
    write_run(folder / "a", tables)
    outcomes = outcomes_csv(folder / "o.csv", tables, bad, blank=0)
    done("train", folder / "a", "--outcomes", outcomes, "--bags", 1, "--trees", 60, "--challenger", "--out", folder / "model")
    return folder / "model"


def _scored(root, tables, model, scale=SCALE, buckets=1):
    run = write_run(root, tables, buckets)
    shutil.copytree(model, run.config_dir / "model")
    (run.config_dir / "scale.toml").write_text(scale, encoding="utf-8")
    walk(run, [STAGE], 1, SILENT)
    return run, pa.concat_tables(pq.read_table(path) for path in run.whole("score")).sort_by("application_id")


@pytest.fixture(scope="module")
def people():
    return evidence(2_000, seed=11)


@pytest.fixture(scope="module")
def by_champion(people, model, tmp_path_factory):
    return _scored(tmp_path_factory.mktemp("champion") / "run", people[0], model)


@pytest.fixture(scope="module")
def by_challenger(people, model, tmp_path_factory):
    return _scored(tmp_path_factory.mktemp("challenger") / "run", people[0], model, SCALE.replace('decides = "champion"', 'decides = "challenger"'))[1]


def test_both_stand_side_by_side_whoever_decides(by_champion, by_challenger):
    one, other = by_champion[1], by_challenger
    both = ["champion_pd", "champion_score", "challenger_pd", "challenger_score"]
    assert one.select(both).equals(other.select(both))
    assert set(one.column("scorer").to_pylist()) == {"champion"} and set(other.column("scorer").to_pylist()) == {"challenger"}
    assert one.column("pd").equals(one.column("champion_pd")) and other.column("pd").equals(other.column("challenger_pd"))
    assert other.column("score").equals(other.column("challenger_score")), "the card's scale is the house's"


def test_the_challenger_ranks_and_its_twin_without_social_evidence_ranks_less(people, by_challenger):
    bad = people[1]
    whole, without = (auc(bad, by_challenger.column(name).to_numpy()) for name in ("pd", "pd_without_social"))
    assert whole > 0.68 and without < whole
    assert by_challenger.column("pd").to_numpy().mean() == pytest.approx(bad.mean(), abs=0.03)


def test_the_challengers_reasons_are_its_points_below_the_average_row(model, people, by_challenger):
    card = json.loads((model / "scorecard.json").read_text(encoding="utf-8"))
    in_card = {row["feature"] for row in card["features"]}
    lowest = {row["feature"]: min(row["points"]) - np.dot(row["points"], row["rows"]) / sum(row["rows"]) for row in card["features"]}
    seen = set()
    for row in by_challenger.column("reasons").to_pylist():
        assert 1 <= len(row) <= 4 and len({reason["code"] for reason in row}) == len(row)
        for reason in row:
            if reason["feature"] is not None:
                assert reason["feature"] in in_card and reason["points"] < 0
                seen.add(reason["feature"])
    assert len(seen) >= 4 and min(lowest.values()) < -10


def test_a_challenger_that_is_not_there_cannot_decide(tmp_path, people, model):
    shutil.copytree(model, tmp_path / "alone")
    manifest = json.loads((tmp_path / "alone/manifest.json").read_text(encoding="utf-8"))
    for name in ("scorecard.json", "scorecard_without_social.json"):
        (tmp_path / "alone" / name).unlink()
        del manifest["files"][name]
    (tmp_path / "alone/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ConfigError, match="challenger-missing"):
        _scored(tmp_path / "run", people[0], tmp_path / "alone", SCALE.replace('decides = "champion"', 'decides = "challenger"'))


def test_bins_add_up_over_buckets_to_every_application(tmp_path, people, model, by_champion):
    once = pq.read_table(by_champion[0].whole("score_bins")[0])
    run, _ = _scored(tmp_path / "run", people[0], model, buckets=3)
    parts = pa.concat_tables(pq.read_table(path) for path in run.whole("score_bins"))
    total = parts.group_by(["feature", "bin"]).aggregate([("rows", "sum")]).sort_by([("feature", "ascending"), ("bin", "ascending")])
    assert total.column("rows_sum").to_pylist() == once.sort_by([("feature", "ascending"), ("bin", "ascending")]).column("rows").to_pylist()
    by_feature = once.group_by("feature").aggregate([("rows", "sum"), ("reference_share", "sum")])
    assert set(by_feature.column("rows_sum").to_pylist()) == {2_000} and by_feature.column("reference_share_sum").to_numpy() == pytest.approx(1, abs=1e-6)


def test_evidence_that_stops_coming_is_a_drift_alert(tmp_path, people, model, by_champion):
    assert drift.of_table(pq.read_table(by_champion[0].whole("score_bins")[0]), load_scale(ROOT / "configs")) == []
    silent = dict(people[0])
    silent["credit"] = silent["credit"].set_column(silent["credit"].column_names.index("utilisation"), "utilisation", pa.nulls(2_000, pa.float64()))
    run, _ = _scored(tmp_path / "run", silent, model)
    found = drift.of_run(run)
    assert [row["feature"] for row in found if row["severity"] == "red"] == ["card_utilisation"] and found[0]["missing_share"] == 1.0
    assert drift.lines(found)[0][0] == "drift-red" and "missing 100.0%" in drift.lines(found)[0][1]


def test_the_swap_set_is_shown_after_scoring(sample_run, tmp_path):
    shutil.copytree(sample_run, tmp_path / "run")
    shown = call("score", tmp_path / "run", "--yes")
    assert shown.code == 0 and "Swap set at a pd of 0.25; the champion decides" in shown.out
