"""Fen as people read them."""

from __future__ import annotations


def yuan(fen: int | None) -> str:
    """123456 as 1,234.56; - where there is none."""
    return "-" if fen is None else f"{fen // 100:,}.{fen % 100:02d}" if fen >= 0 else f"-{yuan(-fen)}"
