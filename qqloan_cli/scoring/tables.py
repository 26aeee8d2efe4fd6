"""An ensemble whose trees look at two columns at most is a table per column and a table per pair of columns.

The tables are *purified*: what a pair's table says about one of its columns
alone, over the reference bins, is moved into that column's own table, and every
table's mean into the constant. So a column's contribution is measured from the
average applicant, and it is its own table plus half of each pair's.

Contributions and margins are sums of float64 in a fixed order, element by
element: a row gets the same bits alone and among a million.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qqloan_cli.errors import IntegrityError
from qqloan_cli.scoring.bins import FAR, place
from qqloan_cli.scoring.ensemble import base_margin, leaves

BLOCK = 32_768  # rows at a time: small blocks spend their time holding the interpreter, large ones fall out of the cache


@dataclass(frozen=True)
class Tables:
    """``single[i]`` is column i's table by bin; ``pairs`` holds (i, j, half of the pair's table, flat, ``stride`` to a row of i)."""

    cuts: tuple[np.ndarray, ...]
    constant: float
    single: tuple[np.ndarray, ...]
    pairs: tuple[tuple[int, int, np.ndarray], ...]
    stride: int

    @classmethod
    def collapse(cls, document: dict, names: tuple[str, ...], cuts: tuple[np.ndarray, ...], shares: tuple[np.ndarray, ...]) -> "Tables":
        """Tables of an XGBoost document over the bins of ``cuts``; ``shares`` are the reference's rows by bin (missing last).

        ``names`` may hold columns that the document does not look at.
        """
        column = _columns(document, names)
        single = [np.zeros(len(c) + 2) for c in cuts]
        pairs: dict[tuple[int, int], np.ndarray] = {}
        constant = base_margin(document)
        sides: dict[tuple, np.ndarray] = {}
        for leaf in leaves(document):
            masks: dict[int, np.ndarray] = {}
            for split in leaf.path:
                i = column[split.feature]
                side = sides.get((i, *split[1:]))
                if side is None:
                    side = sides[(i, *split[1:])] = _side(cuts[i], split, names[i])
                masks[i] = masks[i] * side if i in masks else side
            if not masks:
                constant += leaf.value
            elif len(masks) == 1:
                ((i, mask),) = masks.items()
                single[i] += leaf.value * mask
            elif len(masks) == 2:
                i, j = sorted(masks)
                if (i, j) not in pairs:
                    pairs[(i, j)] = np.zeros((len(single[i]), len(single[j])))
                pairs[(i, j)] += leaf.value * (masks[i][:, None] * masks[j][None, :])
            else:
                raise IntegrityError("model-too-deep", "a tree of the model looks at more than two columns", "model.json", "Train with depth 2.")
        constant = _purify(single, pairs, shares, constant)
        stride = max((len(table) for table in single), default=1)
        flat = []
        for (i, j), table in sorted(pairs.items()):
            padded = np.zeros((len(single[i]), stride))
            padded[:, : table.shape[1]] = table / 2
            flat.append((i, j, padded.ravel()))
        return cls(tuple(cuts), constant, tuple(single), tuple(flat), stride)

    def contributions(self, bins: np.ndarray) -> np.ndarray:
        """Each column's share of the margin less the constant: (columns, rows) float64 from (columns, rows) bins (intp)."""
        out = np.empty(bins.shape)
        for i, table in enumerate(self.single):
            np.take(table, bins[i], out=out[i], mode="clip")
        for i, j, half in self._looked_up(bins):
            out[i] += half
            out[j] += half
        return out

    def margin(self, bins: np.ndarray) -> np.ndarray:
        """Log odds before calibration, (rows,) float64, without each column's share."""
        out = np.full(bins.shape[1], self.constant)
        for i, table in enumerate(self.single):
            out += table[bins[i]]
        for _, _, half in self._looked_up(bins):
            out += half
            out += half
        return out

    def _looked_up(self, bins: np.ndarray):
        at, found, row, last = np.empty(bins.shape[1], np.intp), np.empty(bins.shape[1]), None, -1
        for i, j, table in self.pairs:
            if i != last:
                row, last = bins[i] * self.stride, i
            np.add(row, bins[j], out=at)
            np.take(table, at, out=found, mode="clip")
            yield i, j, found


def bins_of(matrix: list[np.ndarray], cuts: tuple[np.ndarray, ...]) -> np.ndarray:
    """(columns, rows) bins of float32 columns."""
    out = np.empty((len(cuts), len(matrix[0]) if matrix else 0), np.intp)
    for i, column in enumerate(matrix):
        out[i] = place(column, cuts[i])
    return out


def summed(constant: float, contributions: np.ndarray) -> np.ndarray:
    """The margin from its parts, in order of column."""
    out = np.full(contributions.shape[1], constant)
    for part in contributions:
        out += part
    return out


def _columns(document: dict, names: tuple[str, ...]) -> list[int]:
    at = {name: i for i, name in enumerate(names)}
    missing = [name for name in document["learner"]["feature_names"] if name not in at]
    if missing:
        raise IntegrityError("model-features-differ", f"the model looks at columns that its feature list lacks: {', '.join(missing)}", "model.json")
    return [at[name] for name in document["learner"]["feature_names"]]


def _side(cuts: np.ndarray, split, name: str) -> np.ndarray:
    """1.0 for the bins that go the split's way, 0.0 for the others."""
    at = -1 if split.threshold <= -FAR else int(np.searchsorted(cuts, split.threshold))
    if abs(split.threshold) < FAR and (at == len(cuts) or cuts[at] != split.threshold):
        raise IntegrityError("model-reference-differs", f"a threshold of {name} is not among the reference bins", "reference.json", "Train the model again.")
    left = np.zeros(len(cuts) + 2)
    left[: at + 1] = 1.0
    left[-1] = split.missing_left
    return left if split.left else 1.0 - left


def _purify(single: list[np.ndarray], pairs: dict, shares: tuple[np.ndarray, ...], constant: float) -> float:
    for (i, j), table in sorted(pairs.items()):
        by_i, by_j = table @ shares[j], shares[i] @ table
        mean = float(shares[i] @ by_i)
        table -= by_i[:, None] + by_j[None, :] - mean
        single[i] += by_i
        single[j] += by_j - mean
    for i, table in enumerate(single):
        mean = float(shares[i] @ table)
        table -= mean
        constant += mean
    return constant
