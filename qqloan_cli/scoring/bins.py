"""Bins of a column: thresholds found in training data, and the place of a value among them.

XGBoost compares float32 with float32 and sends ``value < threshold`` to the left;
so does this. Bin i holds values from threshold i-1 up to, not with, threshold i;
the last bin is for missing values.
"""

from __future__ import annotations

import numpy as np

MOST_BINS = 64
FAR = np.finfo(np.float32).max  # a threshold beyond every value: it parts the missing from the rest


def as_float32(values) -> np.ndarray:
    """A column as the model sees it: float32, and what is no number, or beyond float32, is missing."""
    with np.errstate(over="ignore", invalid="ignore"):
        column = np.asarray(values, dtype=np.float32)
    return np.where(np.abs(column) < FAR, column, np.float32(np.nan))


def thresholds(column: np.ndarray, most: int = MOST_BINS) -> np.ndarray:
    """At most ``most - 1`` thresholds between values of a float32 column, at even shares of its rows, as short as they can be written."""
    values = np.sort(column[~np.isnan(column)])
    distinct, first = np.unique(values, return_index=True)
    if len(distinct) < 2:
        return np.empty(0, np.float32)
    if len(distinct) <= most:
        cut = np.arange(len(distinct) - 1)
    else:
        at = np.arange(1, most) * len(values) // most
        cut = np.unique(np.searchsorted(first, at, side="right") - 1)
        cut = cut[cut < len(distinct) - 1]
    return np.array([between(distinct[i], distinct[i + 1]) for i in cut], np.float32)


def between(low: np.float32, high: np.float32) -> np.float32:
    """The shortest number t with low < t <= high, near their middle."""
    middle = (float(low) + float(high)) / 2
    for digits in range(1, 10):
        short = np.float32(f"{middle:.{digits}g}")
        if low < short <= high:
            return short
    return high


def place(column: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Bin of each value of a float32 column: 0 to len(cuts), and len(cuts) + 1 where it is missing."""
    where = np.searchsorted(cuts, column, side="right")  # NaN sorts last, so it needs its own bin
    where[np.isnan(column)] = len(cuts) + 1
    return where


def edges(cuts: np.ndarray) -> np.ndarray:
    """A float32 value of each bin, NaN for the last: its lower edge, and just below the first threshold for the first bin."""
    below = np.nextafter(cuts[:1], np.float32(-np.inf)) if len(cuts) else np.zeros(1, np.float32)
    return np.concatenate([below, cuts, [np.float32(np.nan)]]).astype(np.float32)


def shares(placed: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Share of rows in each bin, the missing one last."""
    return np.bincount(placed, minlength=len(cuts) + 2) / max(1, len(placed))
