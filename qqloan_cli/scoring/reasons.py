"""Reasons: contributions added up by reason code, and the few that lower a score most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from qqloan_cli.scoring.features import BEST


@dataclass(frozen=True)
class Reasons:
    """``codes`` of the features, in their order; several may share one. At most ``most``, each worth ``at_least`` points."""

    features: tuple[str, ...]
    codes: tuple[str, ...]
    most: int
    at_least: float

    def worst(self, contributions: np.ndarray, points_per_unit: np.ndarray) -> tuple[pa.ListArray, pa.ListArray]:
        """(reason_codes, reasons) per row: Arrow lists, worst first, at least one.

        ``contributions`` is (features, rows), in log odds of going bad above the average applicant's;
        ``points_per_unit`` (rows,) the points that a unit of it costs this row. Equal losses keep the order of features.
        """
        groups = tuple(dict.fromkeys(self.codes))
        rows = contributions.shape[1]
        lost, leading, at = np.zeros((len(groups), rows)), np.full((len(groups), rows), -np.inf), np.zeros((len(groups), rows), np.int32)
        for i, code in enumerate(self.codes):
            g = groups.index(code)
            lost[g] += contributions[i]
            ahead = contributions[i] > leading[g]
            at[g][ahead] = i
            np.maximum(leading[g], contributions[i], out=leading[g])
        lost *= points_per_unit
        most = min(self.most, len(groups))
        first = np.ascontiguousarray(np.argsort(-lost.T, axis=1, kind="stable")[:, :most])
        row = np.arange(rows)[:, None]
        points, feature = lost.T[row, first], at.T[row, first]
        counts = (points >= self.at_least) & (points > 0)
        counts_none = ~counts.any(axis=1)
        # a row with nothing to say still gets one reason: the best there is, of no feature and no points
        first[counts_none, 0], feature[counts_none, 0], points[counts_none, 0] = len(groups), len(self.features), 0.0
        counts[counts_none, 0] = True
        offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=1))]).astype(np.int32)
        codes = _named((*groups, BEST), first[counts])
        return (
            pa.ListArray.from_arrays(offsets, codes),
            pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(
                [codes, _named((*self.features, None), feature[counts]), pa.array(np.round(-points[counts], 2) + 0.0)], ["code", "feature", "points"],
            )),
        )


def _named(names: tuple, at: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(at.astype(np.int32)), pa.array(names, pa.string())).cast(pa.string())
