"""Matrices of movement between states: counted by cohort, and by the time spent in each (Lando and Skodeberg 2002)."""

from __future__ import annotations

import numpy as np


def cohort(counts: np.ndarray) -> np.ndarray:
    """[k, k] shares from counts of moves in a period, among those who stayed; a row that nobody began in stays where it is."""
    counts = np.asarray(counts, np.float64)
    total = counts.sum(axis=1)
    shares = np.eye(len(counts))
    some = total > 0
    shares[some] = counts[some] / total[some, None]
    return shares


def without_left(shares: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Shares [k, k] of all that began, of whom a share ``left`` [k] left the book, as shares of those who stayed."""
    return np.asarray(shares, np.float64) / (1 - np.asarray(left, np.float64))[:, None]


def generator(counts: np.ndarray, years: np.ndarray) -> np.ndarray:
    """[k, k] rates a year: moves from a state over the years that all spent in it; the diagonal makes each row add up to 0."""
    counts, years = np.asarray(counts, np.float64).copy(), np.asarray(years, np.float64)
    np.fill_diagonal(counts, 0)
    rates = np.divide(counts, years[:, None], out=np.zeros_like(counts), where=years[:, None] > 0)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    return rates


def over(rates: np.ndarray, years: float) -> np.ndarray:
    """[k, k] shares after ``years`` under a generator: its matrix exponential. A move that nobody made in one step has a share too."""
    from scipy.linalg import expm

    return expm(np.asarray(rates) * years)


def aalen_johansen(moves: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """[k, k] shares from moves in order of time: each (counts [k, k] of moves at that time, how many [k] were in each state before it)."""
    k = len(moves[0][1])
    product = np.eye(k)
    for counts, at_risk in moves:
        step = np.divide(counts, np.asarray(at_risk, np.float64)[:, None], out=np.zeros((k, k)), where=np.asarray(at_risk)[:, None] > 0)
        np.fill_diagonal(step, 0)
        np.fill_diagonal(step, 1 - step.sum(axis=1))
        product = product @ step
    return product
