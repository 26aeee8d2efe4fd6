"""Integer division of money, rounded as a contract says. Everything is fen in int64; nothing here is ever a float."""

from __future__ import annotations

from typing import Literal

import numpy as np

Mode = Literal["half_up", "half_even", "up", "down"]


def divide(numerator: np.ndarray, denominator, mode: Mode = "half_up") -> np.ndarray:
    """``numerator / denominator`` to a whole number, int64. Both are >= 0 and > 0; ``numerator + denominator`` must fit int64."""
    if mode == "down":
        return numerator // denominator
    if mode == "up":
        return (numerator + (denominator - 1)) // denominator
    doubled = numerator * 2 + denominator
    rounded = doubled // (denominator * 2)
    if mode == "half_up":
        return rounded
    if mode == "half_even":
        tie = doubled == rounded * (denominator * 2)
        return rounded - (tie & (rounded & 1 == 1))
    raise ValueError(f"rounding {mode}: half_up, half_even, up or down")


