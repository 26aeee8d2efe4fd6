"""Integer division of money, rounded as a contract says. Everything is fen in int64; nothing here is ever a float."""

from __future__ import annotations

from typing import Literal

import numpy as np

Mode = Literal["half_up", "half_even", "up", "down"]


def divide(numerator: np.ndarray, denominator, mode: Mode = "half_up", out: np.ndarray | None = None) -> np.ndarray:
    """``numerator / denominator`` to a whole number, int64. Both are >= 0 and > 0; twice their sum must fit int64."""
    if mode == "down":
        return _floor(numerator, denominator, out)
    if mode == "up":
        return _floor(numerator + (denominator - 1), denominator, out)
    if mode == "half_up" and np.ndim(denominator) == 0 and denominator % 2 == 0:
        return _floor(numerator + denominator // 2, denominator, out)
    doubled = numerator * 2 + denominator
    rounded = _floor(doubled, denominator * 2, out)
    if mode == "half_even":
        tie = doubled == rounded * (denominator * 2)
        return np.subtract(rounded, tie & (rounded & 1 == 1), out=out)
    if mode != "half_up":
        raise ValueError(f"rounding {mode}: half_up, half_even, up or down")
    return rounded


def _floor(numerator: np.ndarray, denominator, out: np.ndarray | None = None) -> np.ndarray:
    """Without signs, which takes half the time of dividing with them."""
    if out is None:
        out = np.empty(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.int64)
    np.floor_divide(np.asarray(numerator).view(np.uint64), np.asarray(denominator, np.int64).view(np.uint64), out=out.view(np.uint64))
    return out
