"""Rules from scores to rows, on cases worked out by hand, and against DataComp's own formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datacomp.errors import UsageError
from datacomp.subset import UID_DTYPE
from datacomp.subset.selectors import (
    random_rows,
    share,
    threshold,
    top_fraction,
    top_fraction_datacomp,
)

NAN = float("nan")
SCORES = hnp.arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.sampled_from([0.0, -0.0, 0.1, 0.2, 0.3, -1.0, NAN]).map(np.float32),
)


def scores(*values):
    return np.array(values, np.float32)


def uids(n):
    """Descending, so that the tie rule and the row order disagree."""
    return np.array([(0, n - row) for row in range(n)], UID_DTYPE)


def datacomp_formula(x, fraction):
    n = int(len(x) * fraction)
    return x >= -np.sort(-x)[n]


@pytest.mark.parametrize(
    ("n", "fraction", "expected"),
    [(100, 0.29, 29), (10, 0.3, 3), (10, 0.35, 3), (7, 1.0, 7), (7, 0.0, 0), (10**7, 1e-7, 1)],
)
def test_a_share_is_the_floor_of_the_decimal_product(n, fraction, expected):
    assert share(n, fraction) == expected


def test_top_fraction_keeps_exactly_the_floor():
    x = scores(0.1, 0.5, 0.4, 0.3, 0.2)
    assert top_fraction(x, uids(5), 0.4).tolist() == [False, True, True, False, False]
    assert top_fraction(x, uids(5), 0.59).sum() == 2


def test_top_fraction_gives_ties_to_the_lower_uid():
    assert top_fraction(scores(1, 1, 1, 1), uids(4), 0.5).tolist() == [False, False, True, True]


def test_top_fraction_counts_unscored_rows_and_keeps_none_of_them():
    x = scores(NAN, 0.1, NAN, 0.2)
    assert top_fraction(x, uids(4), 0.25).tolist() == [False, False, False, True]
    assert top_fraction(x, uids(4), 1.0).tolist() == [False, True, False, True]
    assert not top_fraction(x, uids(4), 0.0).any()


@given(SCORES, st.floats(0, 1), st.randoms())
def test_top_fraction_does_not_depend_on_row_order(x, fraction, random):
    order = list(range(len(x)))
    random.shuffle(order)
    ids = uids(len(x))
    kept = top_fraction(x, ids, fraction)
    assert kept.sum() == min(share(len(x), fraction), (~np.isnan(x)).sum())
    assert top_fraction(x[order], ids[order], fraction).tolist() == kept[order].tolist()


def test_datacomps_fraction_keeps_one_more_and_all_ties():
    assert top_fraction_datacomp(np.arange(10, dtype=np.float32), 0.3).sum() == 4
    assert top_fraction_datacomp(scores(1, 1, 1, 1, 1, 0, 0, 0, 0, 0), 0.3).sum() == 5
    assert top_fraction_datacomp(np.arange(100, dtype=np.float32), 0.29).sum() == 29  # int(28.99)
    assert top_fraction_datacomp(scores(3, 2, 1), 0).tolist() == [True, False, False]


def test_datacomps_cut_among_the_nans_keeps_nothing():
    x = scores(0.3, NAN, 0.2, NAN)
    assert top_fraction_datacomp(x, 0.25).tolist() == [True, False, True, False]
    assert not top_fraction_datacomp(x, 0.5).any()


def test_datacomps_fraction_one_is_defined_as_every_scored_row():
    assert top_fraction_datacomp(scores(0.3, NAN), 1.0).tolist() == [True, False]


@given(SCORES, st.floats(0, 0.999))
def test_datacomps_fraction_equals_its_formula(x, fraction):
    assert top_fraction_datacomp(x, fraction).tolist() == datacomp_formula(x, fraction).tolist()


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


@pytest.mark.parametrize("fraction", [-0.1, 1.1, NAN])
def test_a_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(UsageError, match="between 0 and 1"):
        top_fraction(scores(1), uids(1), fraction)
    with pytest.raises(UsageError, match="between 0 and 1"):
        top_fraction_datacomp(scores(1), fraction)
