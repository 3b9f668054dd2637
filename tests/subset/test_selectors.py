"""Shares, thresholds and random draws, on cases worked out by hand."""

import numpy as np
import pytest

from datacomp.errors import UsageError
from datacomp.subset import UID_DTYPE
from datacomp.subset.selectors import random_rows, share, threshold, uid_draws

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


def test_random_rows_follow_the_uids_not_their_order():
    ids = uids(200)
    kept = random_rows(ids, 70, seed=3)
    assert kept.sum() == 70
    assert random_rows(ids[::-1], 70, seed=3).tolist() == kept[::-1].tolist()


def test_random_rows_of_a_given_seed_stay_the_same_for_ever():
    assert np.flatnonzero(random_rows(uids(20), 5, seed=7)).tolist() == [3, 7, 13, 14, 19]


def test_draws_of_first_copies_are_those_of_random_rows():
    ids = uids(20)
    assert np.flatnonzero(np.argsort(np.argsort(uid_draws(ids, 7))) < 5).tolist() == [
        *(3, 7, 13, 14, 19)
    ]


@pytest.mark.parametrize("fraction", [-0.1, 1.1, NAN])
def test_a_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(UsageError, match="between 0 and 1"):
        share(1, fraction)
