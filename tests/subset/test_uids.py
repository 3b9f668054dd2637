"""Uids: hex text to words and back, and their order. Reference: int(text, 16) and numpy's sort."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import SubsetError
from datacomp.subset import UID_DTYPE, argsort_uids, format_uids, parse_uids, sort_uids, uids
from datacomp.subset.uids import count_runs, first_descent, search_uids

WORD = st.sampled_from([0, 1, 2, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
PAIRS = st.lists(st.tuples(WORD, WORD), max_size=60)
FEW = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=60)
LOW, HIGH = "0" * 32, "f" * 32


@pytest.fixture(scope="module", params=["numpy", "compiled"])
def way(request):
    """Both ways of everything: few uids and many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uids, "COMPILED_FROM", 2**63 if request.param == "numpy" else 0)
        yield


@given(PAIRS)
def test_hex_is_read_as_high_and_low_word_and_written_back(pairs):
    texts = [f"{high:016x}{low:016x}" for high, low in pairs]
    uids = parse_uids(texts)
    assert uids.dtype == UID_DTYPE == np.dtype("u8,u8")
    assert uids.tolist() == pairs
    assert format_uids(uids) == texts


@given(PAIRS)
def test_sort_equals_numpys_structured_sort(way, pairs):
    uids = np.array(pairs, UID_DTYPE)
    assert sort_uids(uids).tolist() == sorted(pairs)
    assert uids.tolist() == pairs


@given(PAIRS)
def test_argsort_leaves_equal_uids_in_their_order(way, pairs):
    expected = sorted(range(len(pairs)), key=pairs.__getitem__)
    assert argsort_uids(np.array(pairs, UID_DTYPE)).tolist() == expected


def keys(high, low):
    found = np.empty(max(np.size(high), np.size(low)), UID_DTYPE)
    found["f0"], found["f1"] = high, low
    return found


N = 100_000
UP, RANDOM = np.arange(N), np.random.default_rng(0).integers(0, 2**64, (2, N), np.uint64)
AWKWARD = {
    "random": keys(*RANDOM),
    "all equal": keys(np.full(N, 7), 3),
    "counting up in the low word": keys(0, UP),
    "counting down in the low word": keys(0, UP[::-1]),
    "counting down in the high word": keys(UP[::-1], 0),
    "few high words": keys(RANDOM[0] % 3, RANDOM[1]),
    "many copies": keys(RANDOM[0] % 3, RANDOM[1] % 3),
    "one bit each": keys(1 << (RANDOM[0] % 64), 1 << (RANDOM[1] % 64)),
    "ones up to a bit": keys(2**64 - 1 >> (RANDOM[0] % 64), 2**64 - 1 >> (RANDOM[1] % 64)),
    "nearly all in one place": keys(np.where(RANDOM[0] % 999, 0, RANDOM[0]), RANDOM[1] % 5),
}


@pytest.mark.parametrize("awkward", AWKWARD.values(), ids=AWKWARD)
def test_many_uids_are_sorted_whatever_they_are(awkward):
    order = np.lexsort((awkward["f1"], awkward["f0"]))
    assert (sort_uids(awkward) == awkward[order]).all()
    assert (argsort_uids(awkward) == order).all()


@given(PAIRS)
def test_first_descent_is_none_exactly_for_sorted_uids(way, pairs):
    uids = np.array(pairs, UID_DTYPE)
    position = first_descent(uids)
    assert (position is None) == (pairs == sorted(pairs))
    if position is not None:
        assert pairs[:position] == sorted(pairs[:position])
        assert pairs[position] < pairs[position - 1]


@given(PAIRS)
def test_runs_are_the_different_uids(way, pairs):
    assert count_runs(np.array(sorted(pairs), UID_DTYPE)) == len(set(pairs))


@given(FEW, FEW | PAIRS)
def test_search_finds_the_first_of_equal_uids(way, pairs, queries):
    pairs = sorted(pairs)
    expected = [pairs.index(query) if query in pairs else -1 for query in queries]
    found = search_uids(np.array(pairs, UID_DTYPE), np.array(queries, UID_DTYPE))
    assert found.tolist() == expected


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_arrow_slices_and_chunks_are_read_from_their_own_rows(kind):
    column = pa.chunked_array([pa.array([HIGH, LOW, HIGH], kind), pa.array([], kind)])
    assert format_uids(parse_uids(column)) == [HIGH, LOW, HIGH]
    assert format_uids(parse_uids(column.slice(1, 1))) == [LOW]
    assert len(parse_uids(pa.array([], kind))) == 0


def test_upper_case_is_read_as_the_same_number():
    assert parse_uids(["F" * 32]).tolist() == [(2**64 - 1, 2**64 - 1)]


@pytest.mark.parametrize("bad", ["", "00", LOW + "0", "g" * 32, "é" * 16, "x" * 90, None])
def test_a_bad_uid_is_named_by_its_row_counted_over_chunks(bad):
    column = pa.chunked_array([pa.array([LOW]), pa.array([HIGH, bad, "also bad"])])
    with pytest.raises(SubsetError, match="row 2"):
        parse_uids(column)


def test_lengths_that_only_add_up_are_refused():
    with pytest.raises(SubsetError, match="row 0"):
        parse_uids(["0" * 30, "0" * 34])
