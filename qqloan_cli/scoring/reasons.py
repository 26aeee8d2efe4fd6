"""Reasons: contributions added up by reason code, and the few that lower a score most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from qqloan_cli.scoring.features import BEST


@dataclass(frozen=True)
class Reasons:
    """Of ``features``: ``codes`` and ``codes_missing`` in their order (several may share one), ``last_bins`` with a value, ``directions``.

    At most ``most`` reasons, each worth ``at_least`` points.
    """

    features: tuple[str, ...]
    directions: tuple[int, ...]
    codes: tuple[str, ...]
    codes_missing: tuple[str, ...]
    last_bins: tuple[int, ...]
    most: int
    at_least: float

    def worst(self, contributions: np.ndarray, bins: np.ndarray, points_per_unit: np.ndarray) -> tuple[pa.ListArray, pa.ListArray]:
        """(reason_codes, reasons) per row: Arrow lists, worst first, at least one.

        ``contributions`` is (features, rows), in log odds of going bad above the average applicant's, of ``bins``;
        ``points_per_unit`` (rows,) the points that a unit of it costs this row. Equal losses keep the order of features.
        A value that could not be better is never a reason, whatever it does together with another; nor is a missing
        value given as if it were known.
        """
        groups = tuple(dict.fromkeys((*self.codes, *self.codes_missing)))
        rows = contributions.shape[1]
        lost, leading, at = np.zeros((len(groups), rows)), np.full((len(groups), rows), -np.inf), np.zeros((len(groups), rows), np.int32)

        def add(code: str, i: int, part: np.ndarray) -> None:
            g = groups.index(code)
            lost[g] += part
            at[g][part > leading[g]] = i
            np.maximum(leading[g], part, out=leading[g])

        for i, (code, code_missing, direction) in enumerate(zip(self.codes, self.codes_missing, self.directions)):
            part = contributions[i]
            if direction:
                part = np.where(bins[i] == (0 if direction > 0 else self.last_bins[i]), np.minimum(part, 0), part)
            if code == code_missing:
                add(code, i, part)
            else:
                missing = bins[i] > self.last_bins[i]
                add(code, i, np.where(missing, 0, part))
                add(code_missing, i, np.where(missing, part, 0))
        lost *= points_per_unit
        most = min(self.most, len(groups))
        first = np.ascontiguousarray(np.argsort(-lost.T, axis=1, kind="stable")[:, :most])
        row = np.arange(rows)[:, None]
        points, feature = lost.T[row, first], at.T[row, first]
        counts = (points >= self.at_least) & (points > 0)
        best = ~counts.any(axis=1)
        # a row with nothing to say still gets one reason, of no feature and no points
        first[best, 0], feature[best, 0], points[best, 0], counts[best, 0] = len(groups), len(self.features), 0.0, True
        offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=1))]).astype(np.int32)
        codes = _named((*groups, BEST), first[counts])
        return (
            pa.ListArray.from_arrays(offsets, codes),
            pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(
                [codes, _named((*self.features, None), feature[counts]), pa.array(np.round(-points[counts], 2) + 0.0)], ["code", "feature", "points"],
            )),
        )


def _named(names: tuple, at: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(at.astype(np.int32)), pa.array(names, pa.string()))
