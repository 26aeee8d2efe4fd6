"""Trains a model and writes its folder: cross-validated by person, calibrated on predictions that did not see their outcomes, checked out of time."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qqloan_cli.engine.files import remove, sha256, write_json, write_text
from qqloan_cli.errors import InputError, UsageError
from qqloan_cli.policy.scale import Scale
from qqloan_cli.scoring import measures, scorecard
from qqloan_cli.scoring.bins import FAR, place, shares, thresholds
from qqloan_cli.scoring.calibrate import apply, choose, held_log_odds, probability
from qqloan_cli.scoring.card import card
from qqloan_cli.scoring.ensemble import leaves, text
from qqloan_cli.scoring.features import Features
from qqloan_cli.scoring.fit import Recipe, Sample, deal, grow
from qqloan_cli.scoring.model import MODEL, WITHOUT
from qqloan_cli.scoring.tables import Tables

FEWEST = 2  # outcomes of each kind; below ten the model learns nothing, and says so
LATEST = 0.2  # share of rows kept as the later ones
SPAN_DAYS = 60  # decisions closer together than this are of one time
BOOTSTRAPS = 200


@dataclass
class Material:
    """Rows to learn from. ``columns`` float32 in the order of ``features``; ``decided`` days as integers, or None; ``facts`` goes to the manifest."""

    features: Features
    columns: list[np.ndarray]
    bad: np.ndarray
    person: np.ndarray
    decided: np.ndarray | None
    facts: dict
    notes: list[tuple[str, str]] = field(default_factory=list)


def train(material: Material, out: Path, recipe: Recipe, seed: int, workers: int, challenger: Scale | None = None) -> dict:
    """Writes the model's folder, whole or not at all, and returns its manifest. Raises InputError at too few outcomes.

    ``challenger``: the scale of a points scorecard that stands beside the model.
    """
    bad = material.bad.astype(np.float32)
    bads = int(bad.sum())
    if min(bads, len(bad) - bads) < FEWEST:
        raise InputError("outcomes-too-few", f"{bads} bad and {len(bad) - bads} good outcomes", hint=f"Bring at least {FEWEST} of each; ten times as many to learn anything.")
    features = material.features
    cuts = tuple(thresholds(column) for column in material.columns)
    bins = np.array([place(column, c) for column, c in zip(material.columns, cuts)], np.intp)
    sample = Sample(features.names, features.directions, cuts, bins, bad, material.person)
    kinds = {MODEL: sample}
    social = [name for name in features.names if name not in features.without_social]
    if social and features.without_social:
        kinds[WITHOUT] = sample.columns(features.without_social)

    folds = min(recipe.folds, bads, len(bad) - bads)
    fold = deal(bad, material.person, [1 / folds] * folds, seed)
    late = _later(material)
    samples, plan = [], []
    for kind, whole in kinds.items():
        parts = [(("fold", f), fold != f) for f in range(folds)] + [(("whole", 0), np.ones(len(bad), bool))]
        if late is not None:
            parts.append((("late", 0), ~late))
        for part, rows in parts:
            plan.append((kind, *part))
            samples.append(whole if rows.all() else whole.rows(rows))
    documents = dict(zip(plan, grow(samples, recipe, seed, workers)))

    calibration, results = {}, {}
    for kind, whole in kinds.items():
        margin = np.empty(len(bad))
        for f in range(folds):
            margin[fold == f] = _margin(documents[(kind, "fold", f)], whole.rows(fold == f))
        calibration[kind], losses = choose(margin, bad, fold)
        pd = probability(held_log_odds(calibration[kind]["method"], margin, bad, fold))
        results[kind] = {"cross_validated": _measured(bad, pd, seed), "calibration": {"method": calibration[kind]["method"], "log_loss": losses}}
        if late is not None:
            later = probability(apply(calibration[kind], _margin(documents[(kind, "late", 0)], whole.rows(late))))
            results[kind]["out_of_time"] = _measured(bad[late], later, seed)
    finals = {kind: documents[(kind, "whole", 0)] for kind in kinds}
    used = _used(finals, features.names)
    cuts = tuple(c[np.isin(c, sorted(used[name]))] if used[name] else c[:0] for name, c in zip(features.names, cuts))
    reference = [
        {"feature": name, "thresholds": [float(str(t)) for t in c], "shares": [float(f"{s:.9g}") for s in shares(place(column, c), c)]}
        for name, c, column in zip(features.names, cuts, material.columns)
    ]
    manifest = {
        "schema_version": 1, "kind": "chain" if social or features.feature[features.names[0]].sql else "table",
        "rows": len(bad), "bad": bads, "people": int(len(np.unique(material.person))), **material.facts,
        "features": len(features.names), "social_features": social, "seed": seed, "recipe": recipe.as_dict(),
        "trees": {kind: len(d["learner"]["gradient_booster"]["model"]["trees"]) for kind, d in finals.items()},
        "versions": {name: importlib.metadata.version(name) for name in ("qqloan", "xgboost-cpu", "numpy")},
        "measures": results,
    }
    weight = _weights(finals[MODEL], features, cuts, reference)
    beside = {}
    if challenger is not None:
        beside[scorecard.FILE] = scorecard.fit(features.names, features.directions, material.columns, material.bad, challenger)
        results["scorecard"] = {"cross_validated": _measured(bad, scorecard.cross_validated(features.names, features.directions, material.columns, material.bad, fold, challenger), seed)}
    _write(out, {
        **{f"{kind}.json": text(document) for kind, document in finals.items()},
        "features.toml": features.toml(),
        "MODEL_CARD.md": card(manifest, features, weight),
    }, {"calibration.json": calibration, "reference.json": {"schema_version": 1, "rows": len(bad), "features": reference}, **beside}, manifest)
    return manifest


def _later(material: Material) -> np.ndarray | None:
    """Rows decided last, if dates lie far enough apart, tell a tenth of the rows from the rest, and leave both parts outcomes of both kinds."""
    days = material.decided
    if days is None or days.max() - days.min() < SPAN_DAYS:
        return None
    late = days > np.sort(days)[int(len(days) * (1 - LATEST)) - 1]
    for part in (late, ~late):
        if part.sum() < 0.1 * len(days) or min(material.bad[part].sum(), (1 - material.bad[part]).sum()) < 10:
            return None
    return late


def _margin(document: dict, sample: Sample) -> np.ndarray:
    """Margin of a document for binned rows."""
    flat = tuple(np.full(len(c) + 2, 1 / (len(c) + 2)) for c in sample.cuts)
    return Tables.collapse(document, sample.names, sample.cuts, flat).margin(sample.bins)


def _measured(bad, pd, seed: int) -> dict:
    slope, intercept = measures.calibration_line(bad, pd)
    low, high = measures.bootstrap(bad, pd, measures.auc, BOOTSTRAPS, seed)
    figures = {
        "rows": len(bad), "bad": int(bad.sum()), "auc": measures.auc(bad, pd), "auc_low": low, "auc_high": high, "gini": measures.gini(bad, pd), "ks": measures.ks(bad, pd),
        "brier": measures.brier(bad, pd), "log_loss": measures.log_loss(bad, pd), "ece": measures.ece(bad, pd), "slope": slope, "intercept": intercept,
    }
    return {name: value if isinstance(value, int) else float(f"{value:.6g}") for name, value in figures.items()}


def _used(documents: dict, names: tuple[str, ...]) -> dict[str, set]:
    """Thresholds that any tree splits at, by feature."""
    used: dict[str, set] = {name: set() for name in names}
    for document in documents.values():
        columns = document["learner"]["feature_names"]
        for leaf in leaves(document):
            for split in leaf.path:
                if abs(split.threshold) < FAR:
                    used[columns[split.feature]].add(split.threshold)
    return used


def _weights(document: dict, features: Features, cuts, reference) -> list[tuple[str, float]]:
    """Spread of each feature's own table over the training rows: how much it moves margins by itself, largest first."""
    table = Tables.collapse(document, features.names, cuts, tuple(np.array(column["shares"]) for column in reference))
    spread = [float(np.sqrt(np.array(column["shares"]) @ single**2)) for column, single in zip(reference, table.single)]
    return sorted(zip(features.names, spread), key=lambda pair: (-round(pair[1], 6), pair[0]))


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
