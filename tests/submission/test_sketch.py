"""Sketches: exact where subsets are small, near enough where not, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacomp.submission.sketch import SIZE, Sketch, jaccard
from datacomp.subset import UID_DTYPE, sort_uids


def uids(numbers):
    values = np.asarray(sorted(numbers), np.uint64)
    made = np.zeros(len(values), UID_DTYPE)
    made["f0"], made["f1"] = values >> np.uint64(3), values & np.uint64(7)
    return sort_uids(made)


def sketch(numbers, size=1000):
    array = uids(numbers)
    return Sketch.of(array[i : i + size] for i in range(0, len(array), size))


@given(st.sets(st.integers(0, 500)), st.sets(st.integers(0, 500)))
@settings(max_examples=50)
def test_small_subsets_are_compared_exactly(a, b):
    expected = len(a & b) / len(a | b) if a | b else 0.0

    assert jaccard(sketch(a), sketch(b)) == pytest.approx(expected)


@pytest.mark.parametrize("shared", [0, 5_000, 16_000, 20_000])
def test_large_subsets_are_estimated(shared):
    a, b = range(20_000), range(20_000 - shared, 40_000 - shared)
    expected = shared / (40_000 - shared)

    found = jaccard(sketch(a), sketch(b))

    assert abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / SIZE)


def test_a_small_one_beside_a_large_one():
    found = jaccard(sketch(range(100)), sketch(range(20_000)))

    assert found <= 0.02


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_blocks_do_not_matter(size):
    repeated = [n for n in range(3000) for _ in range(1 + n % 3)]
    expected = sketch(range(3000))

    found = sketch(repeated, size)

    assert found.n_unique == 3000
    assert found.to_bytes() == expected.to_bytes()


def test_bytes_and_back():
    made = sketch(range(2000))

    again = Sketch.from_bytes(made.n_unique, made.to_bytes())

    assert len(made.to_bytes()) == 8 * SIZE
    assert jaccard(made, again) == 1.0


def test_places_are_fixed_for_good():
    assert sketch([0, 1, 9]).places.tolist() == [
        627405149472732430,
        12035550249420947055,
        16860738450190168606,
    ]
