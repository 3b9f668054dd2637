"""Uids: hex text to words and back, and their order. Reference: int(text, 16) and numpy's sort."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import SubsetError
from datacomp.subset import UID_DTYPE, argsort_uids, format_uids, parse_uids, sort_uids
from datacomp.subset.uids import first_descent

WORD = st.sampled_from([0, 1, 2, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
PAIRS = st.lists(st.tuples(WORD, WORD), max_size=60)
LOW, HIGH = "0" * 32, "f" * 32


@given(PAIRS)
def test_hex_is_read_as_high_and_low_word_and_written_back(pairs):
    texts = [f"{high:016x}{low:016x}" for high, low in pairs]
    uids = parse_uids(texts)
    assert uids.dtype == UID_DTYPE == np.dtype("u8,u8")
    assert uids.tolist() == pairs
    assert format_uids(uids) == texts


@given(PAIRS)
def test_sort_equals_numpys_structured_sort(pairs):
    uids = np.array(pairs, UID_DTYPE)
    assert sort_uids(uids).tolist() == np.sort(uids).tolist()
    assert sorted(argsort_uids(uids).tolist()) == list(range(len(pairs)))


@given(PAIRS)
def test_first_descent_is_none_exactly_for_sorted_uids(pairs):
    uids = np.array(pairs, UID_DTYPE)
    position = first_descent(uids)
    assert (position is None) == (pairs == sorted(pairs))
    if position is not None:
        assert pairs[:position] == sorted(pairs[:position])
        assert pairs[position] < pairs[position - 1]


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
