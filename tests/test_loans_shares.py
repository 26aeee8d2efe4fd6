"""Shares to the fen by largest remainder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqloan_cli.loans.shares import largest_remainder, over_tranches


@pytest.mark.parametrize("amount, weights, shares", [
    (22_000, (445_455, 9_091, 545_455), (9_800, 200, 12_000)),
    (9_999, (75, 25), (7_499, 2_500)),
    (3, (75, 25), (2, 1)),
    (1, (33, 66), (0, 1)),
    (100, (0, 1), (0, 100)),
    (0, (1, 1), (0, 0)),
])
def test_shares_of_case_g19(amount, weights, shares):
    assert largest_remainder(np.array([amount]), np.array(weights))[0].tolist() == list(shares)


WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=6).filter(any)


@given(st.integers(0, 10**10), WEIGHTS)
def test_shares_add_up_and_are_within_a_fen_of_their_quota(amount, weights):
    shares = largest_remainder(np.array([amount]), np.array(weights))[0]
    assert shares.sum() == amount
    for share, weight in zip(shares.tolist(), weights):
        assert abs(share * sum(weights) - amount * weight) < sum(weights)


@given(st.integers(0, 10**8), st.lists(st.integers(1, 10**6), min_size=2, max_size=6, unique=True), st.randoms())
def test_the_order_of_the_sharers_changes_nothing(amount, weights, random):
    order = list(range(len(weights)))
    random.shuffle(order)
    straight = largest_remainder(np.array([amount]), np.array(weights))[0]
    shuffled = largest_remainder(np.array([amount]), np.array([weights[at] for at in order]))[0]
    assert [straight[at] for at in order] == shuffled.tolist()


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=4), WEIGHTS)
def test_tranches_by_source_add_up_both_ways(tranches, weights):
    shares = largest_remainder(np.array([sum(tranches)]), np.array(weights))
    split = over_tranches(shares, np.array([tranches]))
    assert split.min() >= 0
    assert split.sum(axis=2).tolist() == [tranches]
    assert (split.sum(axis=1) == shares).all()


def test_tranches_of_another_sum_are_refused():
    with pytest.raises(ValueError):
        over_tranches(np.array([[60, 40]]), np.array([[50, 49]]))


def test_nobody_to_share_with_is_refused():
    with pytest.raises(ValueError):
        largest_remainder(np.array([5]), np.array([0, 0]))


def test_many_rows_at_once_as_one_by_one():
    rng = np.random.default_rng(0)
    amounts, weights = rng.integers(0, 10**9, 400), rng.integers(1, 10**6, (400, 4))
    together = largest_remainder(amounts, weights)
    assert all((largest_remainder(amounts[n:n + 1], weights[n]) == together[n]).all() for n in range(400))
