"""Trees that look at more than two columns: no table holds them, so XGBoost itself adds them up, and TreeSHAP shares the margin out.

Ten to a hundred times slower than tables. It takes what ``Tables`` takes: a bin says all that a tree asks of a value, since
every threshold of the trees is a bin's edge; so the same row gets the same bits however its values are written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from qqloan_cli.errors import IntegrityError
from qqloan_cli.scoring.bins import edges
from qqloan_cli.scoring.tables import Tables


def added_up(document: dict, names: tuple[str, ...], cuts: tuple[np.ndarray, ...], shares: tuple[np.ndarray, ...]) -> "Tables | Trees":
    """Tables where they can hold the document, and else the trees themselves; ``shares`` are the reference's rows by bin."""
    try:
        return Tables.collapse(document, names, cuts, shares)
    except IntegrityError as error:
        if error.ref != "model-too-deep":
            raise
        return Trees.read(document, names, cuts)


@dataclass(frozen=True)
class Trees:
    """``values[i]`` stands for each bin of column i; ``looks_at`` are the columns of the document, in its order."""

    booster: object
    names: tuple[str, ...]
    looks_at: tuple[int, ...]
    values: tuple[np.ndarray, ...]
    constant: float

    @classmethod
    def read(cls, document: dict, names: tuple[str, ...], cuts: tuple[np.ndarray, ...]) -> "Trees":
        import xgboost as xgb

        booster = xgb.Booster({"nthread": 1}, model_file=bytearray(json.dumps(document).encode()))
        columns = tuple(document["learner"]["feature_names"])
        looks_at = tuple(names.index(column) for column in columns)
        found = cls(booster, columns, looks_at, tuple(edges(c) for c in cuts), 0.0)
        anyone = np.array([[len(c) + 1] for c in cuts], np.intp)
        return cls(booster, columns, looks_at, found.values, float(found._predict(anyone, pred_contribs=True)[0, -1]))

    def contributions(self, bins: np.ndarray) -> np.ndarray:
        """Each column's share of the margin less the average training row's: (columns, rows) float64."""
        out = np.zeros(bins.shape)
        if bins.shape[1]:  # XGBoost has no shape for no rows
            out[list(self.looks_at)] = self._predict(bins, pred_contribs=True)[:, :-1].T
        return out

    def margin(self, bins: np.ndarray) -> np.ndarray:
        """Log odds before calibration, (rows,) float64."""
        return self._predict(bins, output_margin=True).astype(np.float64) if bins.shape[1] else np.zeros(0)

    def _predict(self, bins: np.ndarray, **what) -> np.ndarray:
        import xgboost as xgb

        rows = np.column_stack([self.values[i][bins[i]] for i in self.looks_at])
        return self.booster.predict(xgb.DMatrix(rows, feature_names=list(self.names), nthread=1), **what)
