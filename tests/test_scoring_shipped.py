"""The model that travels with the package."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from conftest import AS_OF, ROOT, call

from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring.features import load_features
from qqloan_cli.scoring.model import Scorer

CONFIGS = ROOT / "configs"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer.load(CONFIGS / "model", load_scale(CONFIGS))


def test_it_looks_at_the_features_that_are_configured(scorer):
    assert scorer.features == load_features(CONFIGS / "features.toml"), "features.toml has changed: train the model again"
    assert scorer.without is not None


def test_its_card_and_manifest_say_what_it_is():
    manifest = json.loads((CONFIGS / "model" / "manifest.json").read_text(encoding="utf-8"))
    card = (CONFIGS / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert manifest["rows"] >= 40_000 and "STOPGAP" not in card
    whole, twin = manifest["measures"]["model"]["cross_validated"], manifest["measures"]["model_without_social"]["cross_validated"]
    assert whole["auc"] > twin["auc"] > 0.7 and whole["ece"] < 0.005 and abs(whole["slope"] - 1) < 0.05
    assert f"{whole['auc']:.4f}" in card and "no feature may read gender" in card.lower()


def test_it_is_small_and_holds_no_pickle():
    files = list((CONFIGS / "model").iterdir())
    assert sum(path.stat().st_size for path in files) < 1_500_000
    assert {path.suffix for path in files} == {".json", ".toml", ".md"}


def test_a_feature_never_moves_pd_against_its_direction(scorer):
    rng = np.random.default_rng(8)
    for i, (name, direction) in enumerate(zip(scorer.features.names, scorer.features.directions)):
        if not direction or not len(scorer.cuts[i]):
            continue
        grid = np.concatenate([[scorer.cuts[i][0] - 1], scorer.cuts[i]]).astype(np.float32)
        for _ in range(8):
            others = [np.full(len(grid), np.nan if rng.random() < 0.2 or not len(c) else c[rng.integers(len(c))], np.float32) for c in scorer.cuts]
            others[i] = grid
            assert (np.diff(scorer.log_odds(others)) * direction >= -1e-9).all(), name


@pytest.mark.parametrize("name, change", [
    ("calibration.json", lambda text: text.replace("1", "2", 1)), ("model.json", lambda text: text[:-1]), ("reference.json", lambda text: text.replace("shares", "share ", 1)),
    ("features.toml", lambda text: text + "\n"), ("model_without_social.json", None),
])
def test_a_model_whose_files_are_not_those_of_its_manifest_is_refused(tmp_path, name, change):
    """A bit of a table, a threshold or the calibration: exit 4, and the file is named."""
    shutil.copytree(CONFIGS, tmp_path / "configs")
    file = tmp_path / "configs/model" / name
    if change is None:
        file.unlink()
    else:
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    refused = call("run", "sample_data", "--out", tmp_path / "run", "--as-of", AS_OF, "--config", tmp_path / "configs", "--quiet")
    assert refused.code == 4 and name in refused.err and not (tmp_path / "run").exists()


def test_people_may_add_to_its_card(tmp_path):
    shutil.copytree(CONFIGS / "model", tmp_path / "model")
    with (tmp_path / "model/MODEL_CARD.md").open("a", encoding="utf-8") as card:
        card.write("\nApproved by the model-risk committee.\n")
    Scorer.load(tmp_path / "model", load_scale(CONFIGS))
