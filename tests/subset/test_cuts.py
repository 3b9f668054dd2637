"""Cuts by counting, against sorting everything: in whole, in chunks, with ties, copies and NaN."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datacomp.errors import UsageError
from datacomp.subset import UID_DTYPE, cuts, uids
from datacomp.subset.cuts import count_digits, find_cut, nth_highest

DTYPES = ["float16", "float32", "float64", "uint64"]
ODD = [0.0, -0.0, 0.1, -0.1, 1e-7, -1e-7, float("inf"), float("-inf"), float("nan"), 3.5, -3.5]
WORD = st.sampled_from([0, 1, 2**48, 2**64 - 1])


@pytest.fixture(autouse=True, scope="module", params=["numpy", "compiled, counting to the end"])
def path(request):
    """Both ways through the code; the second also never stops early to collect."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "numpy":
            patch.setattr(uids, "COMPILED_FROM", 0)
            patch.setattr(cuts, "CANDIDATES", 1)
        yield


@st.composite
def pools(draw):
    """Scores, uids with copies, and where the rows are cut into chunks."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    few = st.sampled_from(ODD if dtype.kind == "f" else [0, 1, 2**16, 2**63, 2**64 - 1])
    any_ = st.floats(width=dtype.itemsize * 8) if dtype.kind == "f" else st.integers(0, 2**64 - 1)
    scores = draw(hnp.arrays(dtype, st.integers(0, 40), elements=(few | any_).map(dtype.type)))
    pairs = draw(st.lists(st.tuples(WORD, WORD), min_size=len(scores), max_size=len(scores)))
    where = sorted(draw(st.lists(st.integers(0, len(scores)), max_size=4)))
    return scores, np.array(pairs, UID_DTYPE), where


def scan_of(scores, ids, where):
    pieces = list(zip(np.split(scores, where), np.split(ids, where), strict=True))
    return lambda: ((chunk, lambda part=part: part) for chunk, part in pieces)


def kept_rows(scan, n):
    cut = find_cut(scan, n)
    return np.concatenate([cut.keeps(*chunk) for chunk in scan()])


def entries(scores, ids, rows):
    return Counter((float(scores[row]) + 0.0, ids[row].item()) for row in np.arange(len(ids))[rows])


@given(pools(), st.integers(0, 45))
def test_a_cut_keeps_the_highest_and_breaks_ties_by_the_lower_uid(pool, n):
    scores, ids, where = pool
    order = [int(row) for row in np.arange(len(scores)) if scores[row] == scores[row]]
    order.sort(
        key=lambda row: (
            -float(scores[row]) if scores.dtype.kind == "f" else -int(scores[row]),
            ids[row].item(),
        )
    )
    kept = kept_rows(scan_of(scores, ids, where), n)
    assert kept.sum() == min(n, len(order))
    assert entries(scores, ids, kept) == entries(scores, ids, order[:n])


@given(pools(), st.data())
def test_the_nth_highest_is_that_of_a_sort_with_nan_last(pool, data):
    scores, _, where = pool
    if len(scores):
        n = data.draw(st.integers(0, len(scores) - 1))
        floats = scores.dtype.kind == "f"
        expected = -np.sort(-scores)[n] if floats else np.sort(scores)[::-1][n]
        found = nth_highest(lambda: np.split(scores, where), n)
        assert np.array_equal(found, expected, equal_nan=floats)
        assert np.isnan(found) or found.dtype == scores.dtype


def test_a_rank_that_no_row_has_is_nan():
    assert np.isnan(nth_highest(lambda: [np.array([1, 2], np.float32)], 2))
    assert np.isnan(nth_highest(lambda: [], 0))


@given(pools())
def test_counts_of_chunks_add_up(pool):
    scores, _, where = pool
    whole, parts = np.zeros(65_536, np.int64), np.zeros(65_536, np.int64)
    shift = scores.itemsize * 8 - 16
    count_digits(scores, shift, whole)
    for chunk in np.split(scores, where):
        count_digits(chunk, shift, parts)
    assert whole.tolist() == parts.tolist()
    assert whole.sum() == (scores == scores).sum()


def test_the_digits_of_a_key_are_in_the_order_of_the_scores():
    found = []
    for score in (-np.inf, -1.0, -1e-30, -0.0, 0.0, 1e-30, 1.0, np.inf):
        counts = np.zeros(65_536, np.int64)
        count_digits(np.array([score], np.float32), 16, counts)
        found.append(int(np.flatnonzero(counts)[0]))
    assert found == sorted(found)
    assert len(set(found)) == 7  # the zeros share one


def test_when_all_rows_tie_the_lowest_uids_are_kept():
    n = 70_000  # more than are collected: the uids are counted too
    ids = np.zeros(n, UID_DTYPE)
    ids["f0"] = np.random.default_rng(0).permutation(n) % 1000
    ids["f1"] = np.arange(n)
    scores = np.full(n, 0.25, np.float32)
    kept = kept_rows(scan_of(scores, ids, [10, 30_000]), 12_345)
    assert set(ids[kept].tolist()) == set(sorted(ids.tolist())[:12_345])


def test_of_rows_with_one_uid_and_one_score_exactly_so_many_are_kept():
    ids = np.zeros(70_000, UID_DTYPE)
    kept = kept_rows(scan_of(np.ones(70_000, np.float16), ids, [1, 40_000]), 50_001)
    assert kept.sum() == 50_001


def test_uids_are_read_only_where_ties_must_be_broken():
    def never():
        raise AssertionError("uids were read")

    scores = np.array([3, 2, 2, 1], np.float32)
    cut = find_cut(lambda: [(scores, never)], 3)
    assert cut.keeps(scores, never).tolist() == [True, True, True, False]


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(UsageError, match=r"float16, .*got int64"):
        find_cut(lambda: [(np.arange(3), lambda: np.zeros(3, UID_DTYPE))], 1)
    with pytest.raises(UsageError, match="-1"):
        find_cut(lambda: [], -1)
