"""A model folder, and what it says of rows: pd, score, grade, reasons; with and without the social block.

    model.json                  XGBoost's own JSON, all bags in one
    model_without_social.json   the same without the social features (chain models)
    calibration.json            per model: margin to log odds
    features.toml               what it looks at, in order
    reference.json              thresholds and the training rows' shares by bin, for tables and drift
    scorecard.json              the challenger, where there is one; scorecard_without_social.json its twin
    manifest.json               data digests, counts, versions, seeds, measures
    MODEL_CARD.md               the same for people

Scoring reads these with NumPy alone; only trees that look at more than two columns need XGBoost (trees.py).
"""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.files import digest_folder, sha256
from qqloan_cli.errors import ConfigError, IntegrityError
from qqloan_cli.policy.scale import Scale
from qqloan_cli.scoring.calibrate import apply, probability
from qqloan_cli.scoring.features import Features, load_features
from qqloan_cli.scoring.reasons import Reasons
from qqloan_cli.scoring.scorecard import CARD, CARD_WITHOUT, Binned, Scorecard
from qqloan_cli.scoring.tables import BLOCK, Tables, bins_of, summed
from qqloan_cli.scoring.trees import Trees, added_up

MODEL, WITHOUT = "model", "model_without_social"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Scored:
    """``figures``: columns of the contract ``score``; ``bin_rows``: per feature, how many rows stand in each of its bins (missing last)."""

    figures: dict[str, pa.Array]
    bin_rows: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Scorer:
    """``without`` is missing where a model has no social block (flat tables); ``challenger`` where it was trained without one."""

    features: Features
    cuts: tuple[np.ndarray, ...]
    tables: Tables | Trees
    calibration: dict
    without: Tables | Trees | None
    calibration_without: dict | None
    scale: Scale
    version: str
    reference_shares: tuple[np.ndarray, ...]  # of the training rows, by feature and bin
    reference_rows: int
    scorecard: Binned | None
    scorecard_without: Binned | None

    @classmethod
    def load(cls, folder: Path, scale: Scale) -> "Scorer":
        """Raises ConfigError where no model stands, IntegrityError where its files do not belong together."""
        if not (folder / f"{MODEL}.json").is_file():
            raise ConfigError("model-missing", "no model stands here", str(folder), "Make one with qqloan train.")
        _hold_to_library(hold_to_seal(folder), folder)
        features = load_features(folder / "features.toml")
        reference, calibration = _read(folder / "reference.json"), _read(folder / "calibration.json")
        if [column["feature"] for column in reference["features"]] != list(features.names):
            raise IntegrityError("model-features-differ", "reference.json is about other features", str(folder), "Take the model from where it was made, whole.")
        cuts = tuple(np.array(column["thresholds"], np.float32) for column in reference["features"])
        shares = tuple(np.array(column["shares"], np.float64) for column in reference["features"])

        def read(name: str) -> Tables | Trees:
            return added_up(_read(folder / f"{name}.json"), features.names, cuts, shares)

        def card(name: str) -> Binned | None:
            return Binned.of(Scorecard.read(_read(folder / name)), features.names, cuts) if (folder / name).is_file() else None

        twin = (folder / f"{WITHOUT}.json").is_file()
        scorecard, scorecard_without = card(CARD), card(CARD_WITHOUT)
        if scale.decides == "challenger" and (scorecard is None or (twin and scorecard_without is None)):
            raise ConfigError("challenger-missing", "scale.toml lets the challenger decide, and the model has none", str(folder), "Train it with --challenger, or let the champion decide.")
        return cls(
            features, cuts, read(MODEL), calibration[MODEL], read(WITHOUT) if twin else None, calibration.get(WITHOUT) if twin else None,
            scale, digest_folder(folder)[:12], shares, reference["rows"], scorecard, scorecard_without,
        )

    def score(self, columns: list[np.ndarray]) -> Scored:
        """From float32 columns in the order of ``features``. Rows keep their order; words are dictionary-encoded."""
        rows = len(columns[0])
        blocks = [self._block([column[start : start + BLOCK] for column in columns]) for start in range(0, max(rows, 1), BLOCK)]
        figures = {name: pa.concat_arrays([block.figures[name] for block in blocks]) for name in blocks[0].figures}
        return Scored(figures, tuple(sum(parts) for parts in zip(*(block.bin_rows for block in blocks))))

    def log_odds(self, columns: list[np.ndarray]) -> np.ndarray:
        """Calibrated log odds of going bad by the champion, (rows,)."""
        bins = bins_of(columns, self.cuts)
        return apply(self.calibration, summed(self.tables.constant, self.tables.contributions(bins)))

    def pd_without_social(self, columns: list[np.ndarray]) -> np.ndarray:
        """Of the twin, (rows,)."""
        return probability(apply(self.calibration_without, self.without.margin(bins_of(columns, self.cuts))))

    def contributions(self, columns: list[np.ndarray]) -> np.ndarray:
        """(features, rows): each feature's share of the margin less the average applicant's."""
        return self.tables.contributions(bins_of(columns, self.cuts))

    def _block(self, columns: list[np.ndarray]) -> Scored:
        bins = bins_of(columns, self.cuts)
        contributions = self.tables.contributions(bins)
        margin = summed(self.tables.constant, contributions)
        log_odds = apply(self.calibration, margin)
        champion = {"": log_odds}
        if self.without is not None:
            champion["_without_social"] = apply(self.calibration_without, self.without.margin(bins))
        per_unit, deciding, names = self._points_per_unit(margin, log_odds), champion, ("champion",)
        if self.scorecard is not None:
            names = ("champion", "challenger")
            points = self.scorecard.score(bins)
            challenger = {"": self.scorecard.card.log_odds(points)}
            if self.scale.decides == "challenger":
                contributions, per_unit, deciding = self.scorecard.contributions(bins), np.full(bins.shape[1], self.scale.factor), challenger
                if self.scorecard_without is not None:
                    deciding["_without_social"] = self.scorecard_without.card.log_odds(self.scorecard_without.score(bins))
        out = {}
        for suffix, value in deciding.items():
            out |= self._figures(value, suffix)
        out["reason_codes"], out["reasons"] = self._reasons().worst(contributions, bins, per_unit)
        out["scorer"] = pa.DictionaryArray.from_arrays(pa.array(np.full(len(margin), names.index(self.scale.decides), np.int32)), pa.array(names))
        if deciding is champion:
            out |= {"champion_pd": out["pd"], "champion_score": out["score"]}
        else:
            out |= {"champion_pd": pa.array(probability(log_odds)), "champion_score": pa.array(self._points(log_odds))}
        if self.scorecard is None:
            out |= {"challenger_pd": pa.nulls(len(margin), pa.float64()), "challenger_score": pa.nulls(len(margin), pa.int32())}
        else:
            out |= {"challenger_pd": pa.array(probability(challenger[""])), "challenger_score": pa.array(points.astype(np.int32))}
        return Scored(out, tuple(np.bincount(placed, minlength=len(cuts) + 2) for placed, cuts in zip(bins, self.cuts)))

    def _reasons(self) -> Reasons:
        return Reasons(
            self.features.names, self.features.directions, self.features.reasons, self.features.reasons_missing, tuple(len(c) for c in self.cuts),
            self.scale.most_reasons, self.scale.reason_at_least_points,
        )

    def _points(self, log_odds: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(self.scale.points(log_odds)), self.scale.lowest, self.scale.highest).astype(np.int32)

    def _figures(self, log_odds: np.ndarray, suffix: str) -> dict[str, pa.Array]:
        pd = probability(log_odds)
        bounds = np.array([grade.pd_below for grade in self.scale.grades])
        grade = pa.DictionaryArray.from_arrays(
            pa.array(np.searchsorted(bounds, pd, side="right").astype(np.int32)), pa.array([grade.grade for grade in self.scale.grades])
        )
        return {f"pd{suffix}": pa.array(pd), f"score{suffix}": pa.array(self._points(log_odds)), f"grade{suffix}": grade}

    def _points_per_unit(self, margin: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
        """Points that a unit of margin costs each row, so that a row's contributions in points add up to its distance from the average applicant."""
        centre = self.tables.constant
        near = np.array([centre - 1e-3, centre, centre + 1e-3])
        low, middle, high = apply(self.calibration, near)
        far = np.abs(margin - centre) > 1e-3
        slope = np.full(len(margin), (high - low) / 2e-3)
        np.divide(log_odds - middle, margin - centre, out=slope, where=far)
        return self.scale.factor * slope


def _hold_to_library(manifest: dict, folder: Path) -> None:
    """The XGBoost that is installed is of the series that grew the trees. Another may read its own file in another way."""
    grown, here = manifest.get("versions", {}).get("xgboost-cpu", ""), installed_xgboost()
    if grown.split(".")[:2] != here.split(".")[:2]:
        raise IntegrityError(
            "model-library-differs", f"the model was trained with XGBoost {grown or 'unknown'}, and {here or 'none'} is installed", str(folder),
            f"Install xgboost-cpu {grown}, or train it again." if grown else "Train it again.",
        )


def installed_xgboost() -> str:
    """Version of XGBoost, without importing it; empty where there is none."""
    for name in ("xgboost-cpu", "xgboost"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def hold_to_seal(folder: Path) -> dict:
    """The manifest, if the files are those that it names, by their digests: nobody changed a table, a threshold or the calibration since training."""
    manifest = _read(folder / "manifest.json")
    if manifest.get("schema_version") != SCHEMA_VERSION or not isinstance(manifest.get("files"), dict):
        raise IntegrityError("model-of-another-kind", "the manifest is not of this version of models", str(folder / "manifest.json"), "Train it again: qqloan train.")
    for name, digest in sorted(manifest["files"].items()):
        if not (folder / name).is_file():
            raise IntegrityError("model-incomplete", f"{name} is missing from the model", str(folder), "Take the model from where it was made, whole.")
        if sha256(folder / name) != digest:
            raise IntegrityError("model-changed", f"{name} is not what the manifest says", str(folder), "Take the model from where it was made, or train it again.")
    return manifest


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise IntegrityError("model-incomplete", f"{path.name} is missing from the model", str(path.parent), "Take the model from where it was made, whole.") from None
    except ValueError:
        raise IntegrityError("model-broken", f"{path.name} cannot be read", str(path.parent), "Take the model from where it was made, whole.") from None
