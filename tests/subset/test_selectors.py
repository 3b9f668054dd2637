"""Shares, thresholds and random draws, on cases worked out by hand."""

import numpy as np
import pytest

from datacomp.errors import UsageError
from datacomp.subset import UID_DTYPE
from datacomp.subset.selectors import share, threshold, uid_draws

NAN = float("nan")


def scores(*values):
    return np.array(values, np.float32)


def uids(n):
    """Descending, so that the tie rule and the row order disagree."""
    return np.array([(0, n - row) for row in range(n)], UID_DTYPE)


@pytest.mark.parametrize(
    ("n", "fraction", "expected"),
    [(100, 0.29, 29), (10, 0.3, 3), (10, 0.35, 3), (7, 1.0, 7), (7, 0.0, 0), (10**7, 1e-7, 1)],
)
def test_a_share_is_the_floor_of_the_decimal_product(n, fraction, expected):
    assert share(n, fraction) == expected


def test_threshold_is_inclusive_in_the_dtype_of_the_scores():
    x = scores(0.26, 0.25, 0.27, NAN)
    assert threshold(x, 0.26).tolist() == [True, False, True, False]
    assert threshold(x.astype(np.float64), 0.26).tolist() == [False, False, True, False]


def test_draws_follow_the_uids_not_their_order():
    ids = uids(200)
    assert uid_draws(ids[::-1], 3).tolist() == uid_draws(ids, 3)[::-1].tolist()
    assert len(set(uid_draws(ids, 3).tolist())) == 200
    assert set(uid_draws(ids, 3).tolist()).isdisjoint(uid_draws(ids, 4).tolist())


def test_the_rows_that_a_given_seed_draws_stay_the_same_for_ever():
    lowest = np.argsort(uid_draws(uids(20), 7))[:5]
    assert sorted(lowest.tolist()) == [3, 7, 13, 14, 19]


@pytest.mark.parametrize("fraction", [-0.1, 1.1, NAN])
def test_a_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(UsageError, match="between 0 and 1"):
        share(1, fraction)
