"""The counter-based order of samples; not how samples are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.training.counter import permute, random_u64, uniform
from datacomp.training.sampler import entries_at, replacement_at


@given(n=st.integers(1, 3000), seed=st.integers(0, 2**32), stream=st.integers(0, 1000))
def test_permutation_visits_everything_once(n: int, seed: int, stream: int) -> None:
    assert sorted(permute(np.arange(n), n, seed, stream)) == list(range(n))


def test_permutation_of_a_huge_pool_needs_no_memory() -> None:
    n = 12_800_000_000
    found = permute(np.arange(n - 1000, n), n, 0, 0)
    assert len(set(found.tolist())) == 1000
    assert found.min() >= 0
    assert found.max() < n


def test_permutation_refuses_an_index_outside() -> None:
    with pytest.raises(ValueError, match="index 5 is not below n = 5"):
        permute(np.array([5]), 5, 0, 0)


def test_permutations_look_random() -> None:
    n = 4096
    found = permute(np.arange(n), n, 7, 0)
    assert abs(np.corrcoef(np.arange(n), found)[0, 1]) < 0.05
    assert (found == np.arange(n)).sum() < 10


def test_numbers_of_the_first_version_stay_what_they_are() -> None:
    """A change here is another sampler version and another recipe id."""
    assert random_u64(0, 0, [0, 1, 2]).tolist() == [
        3746585686858627171,
        6235967106033911276,
        4964577235801436555,
    ]
    assert permute(np.arange(8), 8, 0, 16).tolist() == [0, 1, 2, 3, 6, 7, 4, 5]


def test_uniform_numbers_fill_the_unit_interval() -> None:
    numbers = uniform(3, 1, np.arange(100_000))
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    assert counts.sum() == 100_000
    assert np.all(np.abs(counts - 10_000) < 500)


def test_seeds_and_streams_are_independent() -> None:
    counters = np.arange(10_000)
    base = uniform(0, 0, counters)
    for other in (uniform(1, 0, counters), uniform(0, 1, counters), uniform(0, 0, counters + 1)):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.05


def test_every_epoch_sees_every_entry_once_in_another_order() -> None:
    first, second = (entries_at(np.arange(e * 50, e * 50 + 50), 50, seed=1) for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()


def test_entries_do_not_depend_on_how_positions_are_cut() -> None:
    whole = entries_at(np.arange(200), 37, seed=2)
    pieces = [entries_at(np.arange(s, min(s + 23, 200)), 37, seed=2) for s in range(0, 200, 23)]
    assert whole.tolist() == np.concatenate(pieces).tolist()


def test_replacements_differ_by_position_and_attempt() -> None:
    found = {replacement_at(p, a, 10_000, seed=0) for p in range(10) for a in range(10)}
    assert len(found) > 95
