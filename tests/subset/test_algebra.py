"""Algebra of multisets, against collections.Counter, and its laws."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import UsageError
from datacomp.subset import UID_DTYPE, Subset, intersect, minus, sample, uids, union

WORD = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])
PAIRS = st.lists(st.tuples(WORD, WORD), max_size=30)
SUBSETS = PAIRS.map(lambda pairs: Subset.from_uids(np.array(pairs, UID_DTYPE)))


@pytest.fixture(autouse=True, scope="module", params=["numpy", "compiled"])
def way(request):
    """Both ways of everything: few uids and many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uids, "COMPILED_FROM", 2**63 if request.param == "numpy" else 0)
        yield


def count(subset):
    return Counter(subset.uids.tolist())


@given(SUBSETS, SUBSETS)
def test_union_and_intersection_are_those_of_counters(a, b):
    assert count(union(a, b)) == count(a) | count(b)
    assert count(intersect(a, b)) == count(a) & count(b)


@given(SUBSETS, SUBSETS)
def test_minus_removes_a_uid_with_all_its_copies(a, b):
    gone = set(count(b))
    assert count(minus(a, b)) == {uid: n for uid, n in count(a).items() if uid not in gone}


@given(SUBSETS, SUBSETS, SUBSETS)
def test_laws_of_the_algebra(a, b, c):
    def same(x, y):
        assert x.sha256 == y.sha256

    same(union(a, b), union(b, a))
    same(intersect(a, b), intersect(b, a))
    same(union(a, union(b, c)), union(union(a, b), c))
    same(intersect(a, intersect(b, c)), intersect(intersect(a, b), c))
    same(union(a, a), a)
    same(intersect(a, a), a)
    same(union(a, intersect(a, b)), a)
    same(intersect(a, union(b, c)), union(intersect(a, b), intersect(a, c)))
    same(minus(minus(a, b), c), minus(a, union(b, c)))


@given(SUBSETS, st.integers(0, 30), st.integers(0, 5))
def test_a_sample_has_the_size_asked_for_and_stays_inside(subset, n, seed):
    n = min(n, subset.n)
    drawn = sample(subset, n=n, seed=seed)
    assert drawn.n == n
    assert count(drawn) <= count(subset)
    assert drawn.sha256 == sample(subset, n=n, seed=seed).sha256


def test_a_seed_decides_which_entries_are_drawn(make_subset):
    subset = make_subset(*range(1000))
    a, b = sample(subset, fraction=0.5, seed=0), sample(subset, fraction=0.5, seed=1)
    assert a.n == b.n == 500
    assert 200 < intersect(a, b).n < 300


def test_copies_of_a_uid_are_drawn_independently(make_subset):
    doubled = make_subset(*range(500), *range(500))
    drawn = sample(doubled, fraction=0.5)
    assert 300 < drawn.n_unique < 450  # 375 expected; 250 if copies came and went together


@pytest.mark.parametrize(
    "wrong", [{}, {"n": 1, "fraction": 0.1}, {"n": 4}, {"n": -1}, {"fraction": 1.1}]
)
def test_an_impossible_sample_is_refused(make_subset, wrong):
    with pytest.raises(UsageError):
        sample(make_subset(1, 2, 3), **wrong)
