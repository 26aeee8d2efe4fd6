"""The model that travels with the package."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import ROOT

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
