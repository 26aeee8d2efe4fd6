"""Splitting money to the fen by largest remainder: shares add up, and their order changes nothing."""

from __future__ import annotations

import numpy as np

LARGEST = 2**62


def largest_remainder(amount_fen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``amount_fen`` [n] over ``weights`` [n, k] or [k], whole numbers >= 0, not all zero: fen [n, k], int64.

    Everybody gets the whole fen of his quota; the fen left over go to the
    largest remainders, at equal remainders to the larger weight, and at equal
    weights to the one named first (so name them in an order of their own, as by
    name). Weights of nothing get nothing.
    """
    amount = np.asarray(amount_fen, np.int64)
    weights = np.broadcast_to(np.asarray(weights, np.int64), (len(amount), np.shape(weights)[-1]))
    if not len(amount):
        return np.zeros(weights.shape, np.int64)
    total = weights.sum(axis=1)
    if amount.min() < 0 or weights.min() < 0 or (total[amount > 0] == 0).any():
        raise ValueError("shares: amounts and weights are not negative, and some weight is above zero")
    if int(amount.max()) * int(weights.max()) > LARGEST:
        raise ValueError("shares: amount x weight is too large for exact arithmetic")
    total = np.maximum(total, 1)[:, None]
    quota = amount[:, None] * weights
    shares = quota // total
    left = amount - shares.sum(axis=1)
    some = np.flatnonzero(left)
    if len(some):
        order = np.lexsort((-weights[some], shares[some] * total[some] - quota[some]), axis=-1)
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
        shares[some] += rank < left[some, None]
    return shares


def over_tranches(shares_fen: np.ndarray, tranches_fen: np.ndarray) -> np.ndarray:
    """Each source's share of each tranche, fen [n, tranches, sources]: adds up both ways.

    ``shares_fen`` [n, sources] and ``tranches_fen`` [n, tranches] have the same
    sums. Tranche after tranche goes over what the sources still owe, so nobody
    pays more than his share.
    """
    left = np.array(shares_fen, np.int64)
    out = np.empty((len(left), np.shape(tranches_fen)[1], left.shape[1]), np.int64)
    for tranche in range(out.shape[1]):
        out[:, tranche] = largest_remainder(tranches_fen[:, tranche], left)
        left -= out[:, tranche]
    if left.any():
        raise ValueError("shares: tranches and shares do not have the same sum")
    return out
