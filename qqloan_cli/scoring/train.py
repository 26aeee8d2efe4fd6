"""Trains a model and writes its folder: cross-validated by person, calibrated on predictions that did not see their outcomes, checked out of time."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from qqloan_cli.engine.files import digest_folder, remove, sha256, write_json, write_text
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.scale import Scale
from qqloan_cli.scoring import alternatives, measures, rejects, scorecard
from qqloan_cli.scoring.bins import FAR, place, shares
from qqloan_cli.scoring.calibrate import apply, choose, held_log_odds, probability
from qqloan_cli.scoring.card import card
from qqloan_cli.scoring.ensemble import leaves, text
from qqloan_cli.scoring.features import Features, load_features
from qqloan_cli.scoring.fit import Recipe
from qqloan_cli.scoring.model import MODEL, WITHOUT, hold_to_seal, installed_xgboost
from qqloan_cli.scoring.study import Material, Study, margin
from qqloan_cli.scoring.trees import added_up
from qqloan_cli.scoring.tune import tune

BOOTSTRAPS = 200
LEAK = 0.95  # AUC of one feature alone: nothing known before a loan tells as much
SHOWN = 10_000  # rows that features' weights are measured on


@dataclass(frozen=True)
class Wishes:
    """What to do beyond fitting. ``challenger``: the scale of a points scorecard that stands beside the model. ``rejects``: one of
    ``rejects.WAYS``. ``trials`` of tuning and ``alternatives`` of the search for a less discriminatory model: none where 0.
    ``calibration``: a method, or empty for the one with the lowest loss. ``replaces``: the model that the card tells changes from. ``progress(what, of)`` gives a function to say how many are done."""

    challenger: Scale | None = None
    rejects: str = "none"
    odds_factor: float = 1.0
    trials: int = 0
    alternatives: int = 0
    calibration: str = ""
    replaces: Path | None = None
    progress: Callable[[str, int], Callable[[int], None]] = lambda what, of: lambda done: None


def train(material: Material, out: Path, recipe: Recipe, seed: int, workers: int, wishes: Wishes = Wishes()) -> dict:
    """Writes the model's folder, whole or not at all, and returns its manifest. Raises InputError at too few outcomes."""
    features, study = material.features, Study.of(material, recipe, seed, workers)
    bad, fold, late = study.sample.bad, study.fold, study.late
    kinds = {MODEL: features.names}
    social = [name for name in features.names if name not in features.without_social]
    if social and features.without_social:
        kinds[WITHOUT] = features.without_social
    trials = []
    if wishes.trials:
        recipe, trials = tune(study, recipe, wishes.trials, wishes.progress("recipes tried", wishes.trials + 1))
    beside, inference = {}, {"way": "none", "rows": 0 if study.unknown is None else len(study.unknown.bad)}
    if wishes.rejects != "none":
        if study.unknown is None:
            raise UsageError("rejects-none", "no application without outcome is there to infer one for", "--reject-inference", "Leave it out, or bring the declined ones too.")
        beside, inference = rejects.inferred(study, kinds, recipe, wishes.rejects, wishes.odds_factor)
    documents = study.grown(kinds, recipe, beside=beside)

    calibration, results = {}, {}
    for kind in kinds:
        held = study.held_margins(documents, kind)
        calibration[kind], losses = choose(held, bad, fold, wishes.calibration)
        method = calibration[kind]["method"]
        pd = probability(held_log_odds(wishes.calibration or method, held, bad, fold))
        results[kind] = {"cross_validated": _measured(bad, pd, seed), "calibration": {"method": method, "log_loss": losses}, "reliability": _reliability(bad, pd)}
        if kind == MODEL:
            by_group = alternatives.by_group(bad, pd, material.groups)
        if late is not None:
            later = probability(apply(calibration[kind], margin(documents[(kind, "late", 0)], study.sample.rows(late))))
            results[kind]["out_of_time"] = _measured(bad[late], later, seed)
    cards = {}
    if wishes.challenger is not None:
        for file, names in ((scorecard.CARD, features.names), *([(scorecard.CARD_WITHOUT, features.without_social)] if WITHOUT in kinds else [])):
            at = [features.names.index(name) for name in names]
            given = names, [features.directions[i] for i in at], [material.columns[i] for i in at]
            cards[file] = scorecard.fit(*given, material.bad, wishes.challenger)
            results[file.removesuffix(".json")] = {"cross_validated": _measured(bad, scorecard.cross_validated(*given, material.bad, fold, wishes.challenger), seed)}
    finals = {kind: documents[(kind, "whole", 0)] for kind in kinds}
    used = _used(finals, list(cards.values()), features.names)
    cuts = tuple(np.array(sorted(used[name]), np.float32) for name in features.names)
    placed = np.array([place(column, c) for column, c in zip(material.columns, cuts)], np.intp)
    reference = [
        {"feature": name, "thresholds": [float(str(t)) for t in c], "shares": [float(f"{s:.9g}") for s in shares(bins, c)]}
        for name, c, bins in zip(features.names, cuts, placed)
    ]
    fairness = alternatives.search(study, recipe, material.groups, wishes.alternatives, wishes.progress("models tried", wishes.alternatives + 1)) if wishes.alternatives else None
    manifest = {
        "schema_version": 1, "kind": "chain" if features.over_runs else "table",
        "rows": len(bad), "bad": int(bad.sum()), "people": int(len(np.unique(material.person))), **material.facts,
        "features": len(features.names), "social_features": social, "seed": seed, "recipe": recipe.as_dict(), "reject_inference": inference,
        "trees": {kind: len(d["learner"]["gradient_booster"]["model"]["trees"]) for kind, d in finals.items()},
        "versions": {"qqloan": importlib.metadata.version("qqloan"), "xgboost-cpu": installed_xgboost(), "numpy": importlib.metadata.version("numpy")},
        "measures": results, **({"groups": by_group} if by_group else {}), **({"tuning": trials} if trials else {}), **({"alternatives": fairness} if fairness else {}),
    }
    if wishes.replaces is not None:
        manifest["changes"] = _changes(wishes.replaces, manifest, features)
    tables = added_up(finals[MODEL], features.names, cuts, tuple(np.array(column["shares"]) for column in reference))
    _write(out, {
        **{f"{kind}.json": text(document) for kind, document in finals.items()},
        "features.toml": features.toml(),
        "MODEL_CARD.md": card(manifest, features, _weights(tables, features.names, placed), tables, reference),
    }, {"calibration.json": calibration, "reference.json": {"schema_version": 1, "rows": len(bad), "features": reference}, **cards}, manifest)
    return manifest


def leaks(material: Material) -> list[tuple[str, float]]:
    """Features that alone rank outcomes better than anything known before a loan can, with their AUC: they know the end."""
    found = []
    for name, column in zip(material.features.names, material.columns):
        ways = [measures.auc(material.bad, np.where(np.isnan(column), fill, column)) for fill in (-FAR, FAR)]  # missing at either end
        alone = max(*ways, *(1 - way for way in ways))
        if alone >= LEAK:
            found.append((name, alone))
    return found


def _changes(folder: Path, manifest: dict, features: Features) -> dict:
    """What is different from the model in ``folder``. Raises IntegrityError where that is no whole model."""
    old, before = hold_to_seal(folder), load_features(folder / "features.toml")
    same = set(before.feature) & set(features.feature)
    figures = ("rows", "auc", "ks", "brier", "log_loss", "ece")
    return {
        "replaces": digest_folder(folder)[:12], "rows": [old["rows"], manifest["rows"]],
        "features_added": sorted(set(features.feature) - same), "features_gone": sorted(set(before.feature) - same),
        "features_changed": sorted(name for name in same if before.feature[name] != features.feature[name]),
        "recipe": {key: [old["recipe"].get(key), value] for key, value in manifest["recipe"].items() if old["recipe"].get(key) != value},
        "cross_validated": {key: [old["measures"][MODEL]["cross_validated"][key], manifest["measures"][MODEL]["cross_validated"][key]] for key in figures},
    }


def _reliability(bad, pd) -> list[dict]:
    """Tenths by pd: rows, mean pd, share that went bad."""
    table = measures.reliability(bad, pd)
    return [{"rows": int(n), "expected": round(float(e), 6), "observed": round(float(o), 6)} for n, e, o in zip(table.count, table.expected, table.observed)]


def _measured(bad, pd, seed: int) -> dict:
    slope, intercept = measures.calibration_line(bad, pd)
    low, high = measures.bootstrap(bad, pd, measures.auc, BOOTSTRAPS, seed)
    figures = {
        "rows": len(bad), "bad": int(bad.sum()), "auc": measures.auc(bad, pd), "auc_low": low, "auc_high": high, "gini": measures.gini(bad, pd), "ks": measures.ks(bad, pd),
        "brier": measures.brier(bad, pd), "log_loss": measures.log_loss(bad, pd), "ece": measures.ece(bad, pd), "slope": slope, "intercept": intercept,
    }
    return {name: value if isinstance(value, int) else float(f"{value:.6g}") for name, value in figures.items()}


def _used(documents: dict, cards: list[dict], names: tuple[str, ...]) -> dict[str, set]:
    """Thresholds that any tree splits at, and any scorecard, by feature."""
    used: dict[str, set] = {name: set() for name in names}
    for document in documents.values():
        columns = document["learner"]["feature_names"]
        for leaf in leaves(document):
            for split in leaf.path:
                if abs(split.threshold) < FAR:
                    used[columns[split.feature]].add(split.threshold)
    for found in cards:
        for row in found["features"]:
            used[row["feature"]].update(np.array(row["splits"], np.float32))
    return used


def _weights(tables, names: tuple[str, ...], placed: np.ndarray) -> list[tuple[str, float]]:
    """Spread of each feature's contribution over the training rows, in log odds: how much it moves margins, largest first."""
    every = max(1, placed.shape[1] // SHOWN)
    spread = tables.contributions(np.ascontiguousarray(placed[:, ::every])).std(axis=1)
    return sorted(zip(names, (float(s) for s in spread)), key=lambda pair: (-round(pair[1], 6), pair[0]))


def _write(out: Path, texts: dict[str, str], documents: dict[str, dict], manifest: dict) -> None:
    """A whole folder or none; the manifest seals the others by their digests."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.building-{os.getpid()}")
    remove(beside)
    beside.mkdir()
    for name, content in texts.items():
        write_text(beside / name, content)
    for name, document in documents.items():
        write_json(beside / name, document)
    manifest["files"] = {path.name: sha256(path) for path in sorted(beside.iterdir()) if path.suffix != ".md"}  # people may add to the card
    write_json(beside / "manifest.json", manifest)
    remove(out)
    os.replace(beside, out)


def may_write(out: Path, yes: bool) -> None:
    """Refuses to replace a folder that is not a model, and a model without --yes."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "manifest.json").is_file())):
        raise UsageError("out-not-a-model", "something stands there that is not a model", str(out), "Choose another --out.")
    if (out / "manifest.json").is_file() and not yes:
        raise UsageError("model-exists", "a model stands there", str(out), "Choose another --out, or say --yes to replace it.")
