"""Combinations: what is kept, how often, and under which reason the rest is counted."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import Filter, keep_unless, run_filter
from datacomp.filtering.cascade import Cascade
from datacomp.filtering.combine import And, Cap, Minus, Or
from datacomp.filtering.mix import Mix
from datacomp.filtering.scores import PoolColumn
from datacomp.filtering.selectors import TopFraction

EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SCORES = ([0.1, 0.9, 0.5, None], [0.3, 0.8, 0.7], [0.2])


@dataclass(frozen=True, kw_only=True)
class Times(Filter):
    """Rows as often as the tuple says, by uid."""

    name = "times"
    summary = "Keep rows a number of times."
    times: tuple[int, ...]

    def select(self, view):
        for rows in view.parts():
            times = np.array([self.times[uid] for uid in rows.uids["f1"]], np.uint32)
            yield keep_unless(rows, {"unwanted": times == 0}, np.maximum(times, 1))


def top(fraction):
    return TopFraction(column=PoolColumn("s"), fraction=fraction)


def pool_of(make_pool, *parts):
    return make_pool(*({"s": np.array(part, np.float32)} for part in parts or SCORES))


def kept(result):
    return result.subset.uids["f1"].tolist()


def run(make_pool, tmp_path, chosen):
    return run_filter(chosen, pool_of(make_pool), tmp_path / "scores")


A = Times(times=(1, 2, 0, 3, 0, 1, 0, 1))
B = Times(times=(0, 1, 1, 5, 0, 0, 2, 1))


def test_and_keeps_what_all_keep_as_often_as_the_least(make_pool, tmp_path):
    result = run(make_pool, tmp_path, And(of=(A, B)))
    assert kept(result) == [1, 3, 3, 3, 7]
    assert result.counts.dropped == {"times 1: unwanted": 3, "times 2: unwanted": 2}


def test_or_keeps_what_any_keeps_as_often_as_the_most(make_pool, tmp_path):
    assert kept(run(make_pool, tmp_path, Or(of=(A, B)))) == [0, 1, 1, 2, 3, 3, 3, 3, 3, 5, 6, 6, 7]


def test_minus_keeps_what_the_first_alone_keeps(make_pool, tmp_path):
    result = run(make_pool, tmp_path, Minus(of=(A, B)))
    assert kept(result) == [0, 5]
    assert result.counts.dropped == {"times 1: unwanted": 3, "in times 2": 3}


def test_and_takes_fractions_of_the_pool_cascade_of_the_survivors(make_pool, tmp_path):
    # Rows by score: 1 (.9), 5 (.8), 6 (.7), 2 (.5), 4 (.3), 7 (.2), 0 (.1), 3 (none).
    both = run(make_pool, tmp_path, And(of=(top(0.5), top(0.5))))
    assert kept(both) == [1, 2, 5, 6]
    after = run(make_pool, tmp_path, Cascade(of=(top(0.5), top(0.5))))
    assert kept(after) == [1, 5]
    assert after.counts.dropped == {
        "top_fraction 1: no_score": 1,
        "top_fraction 1: below_cut": 3,
        "top_fraction 2: no_score": 0,
        "top_fraction 2: below_cut": 2,
    }


def test_cascades_nest_and_multiply_copies(make_pool, tmp_path):
    inner = Cascade(of=(top(0.75), A))  # of rows 1 5 6 2 4 7: 1 twice, 5 once, 7 once
    result = run(make_pool, tmp_path, Cascade(of=(B, inner, top(0.5))))
    # B leaves 1 2 3 6 6 7; the top 3 of these 5 rows: 1 6 2; A keeps 1 twice; half of one row: 0.
    assert kept(result) == []
    result = run(make_pool, tmp_path, Cascade(of=(A, B)))
    assert Counter(kept(result)) == {1: 2, 3: 15, 7: 1}


@dataclass(frozen=True, kw_only=True)
class FewerReasons(Filter):
    """Drops rows of the first part alone, and lists the reason there alone."""

    name = "fewer_reasons"
    summary = "Drop the first part's first row."

    def select(self, view):
        for number, rows in enumerate(view.parts()):
            first = np.arange(rows.n_rows) == 0
            yield keep_unless(rows, {"odd": first} if number == 0 else {})


def test_a_cascade_counts_reasons_that_only_some_parts_list(make_pool, tmp_path):
    mix = Mix(of=(A, FewerReasons()), weights=(1, 1), size=6)
    for first in (FewerReasons(), mix):
        result = run(make_pool, tmp_path, Cascade(of=(first, top(0.5))))
        dropped = result.counts.dropped
        assert sum(dropped.values()) + result.counts.kept == 8
        assert dropped["top_fraction: no_score"] <= 1
    assert run(make_pool, tmp_path, Cascade(of=(FewerReasons(), A))).counts.dropped == {
        "fewer_reasons: odd": 1,
        "times: unwanted": 3,
    }


def test_cap_repeats_no_row_more_often(make_pool, tmp_path):
    assert kept(run(make_pool, tmp_path, Cap(of=(B,), max_repeats=2))) == [1, 2, 3, 3, 6, 6, 7]


def test_copies_beyond_what_is_counted_are_refused(make_pool, tmp_path):
    often = Mix(of=(A, A), weights=(1, 1), size=10**7)
    with pytest.raises(FilterError, match=r"a row would be kept [0-9,]+ times; at most"):
        run(make_pool, tmp_path, Cascade(of=(often, often)))
    with pytest.raises(FilterError, match="a row would be kept"):
        run(
            make_pool,
            tmp_path,
            Cap(of=(Mix(of=(A, A), weights=(1, 1), size=10**12),), max_repeats=1),
        )
    with pytest.raises(UsageError, match="size is at most"):
        Mix(of=(A, A), weights=(1, 1), size=10**30)
    assert kept(run(make_pool, tmp_path, Cap(of=(A,), max_repeats=10**11))) == [
        0,
        1,
        1,
        3,
        3,
        3,
        5,
        7,
    ]


def test_mix_without_size_adds_up(make_pool, tmp_path):
    result = run(make_pool, tmp_path, Mix(of=(A, B)))
    assert Counter(kept(result)) == {0: 1, 1: 3, 2: 1, 3: 8, 5: 1, 6: 2, 7: 2}
    assert result.counts.rows == 8
    assert +Counter(result.counts.dropped) == {"times 1: unwanted": 1}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(1, 60),
    seed=st.integers(0, 3),
    weights=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_mix_gives_exactly_its_size_in_even_shares(make_pool, tmp_path, size, seed, weights):
    mix = Mix(of=(A, B), weights=weights, size=size, seed=seed)
    result = run(make_pool, tmp_path, mix)
    assert result.subset.n == size == sum(mix.quotas())
    for quota, weight in zip(mix.quotas(), weights, strict=True):
        assert abs(quota - size * weight / sum(weights)) < 1
    only_a = Counter(kept(run(make_pool, tmp_path, Mix(of=(A, B), weights=(99, 1), size=8))))
    assert all(abs(only_a[row] - times) <= 1 for row, times in enumerate(A.times))


def test_mix_draws_do_not_depend_on_how_the_pool_is_cut(make_pool, tmp_path):
    mix = Mix(of=(A, B), weights=(1, 2), size=11, seed=4)
    one = run_filter(mix, pool_of(make_pool), tmp_path / "one")
    flat = [score for part in SCORES for score in part]
    for file in Path(tmp_path, "pool", "metadata").iterdir():
        file.unlink()
    other = run_filter(mix, pool_of(make_pool, flat[:1], flat[1:]), tmp_path / "two")
    assert kept(one) == kept(other)


def test_mix_of_nothing_is_refused(make_pool, tmp_path):
    nothing = Times(times=(0,) * 8)
    with pytest.raises(FilterError, match="keeps nothing"):
        run(make_pool, tmp_path, Mix(of=(A, nothing), weights=(1, 1), size=4))


@pytest.mark.parametrize(
    ("make", "facts"),
    [
        (lambda: And(of=(A,)), "combines 2 or more, got 1"),
        (lambda: Cap(of=(A, B), max_repeats=2), "caps one selection, got 2"),
        (lambda: Cap(of=(A,), max_repeats=0), "max_repeats is 1 or more"),
        (lambda: Mix(of=(A, B), size=3), "both size and weights"),
        (lambda: Mix(of=(A, B), size=3, weights=(1.0,)), "one weight above 0"),
        (lambda: Mix(of=(A, B), size=0, weights=(1.0, 1.0)), "size is 1 or more"),
    ],
)
def test_impossible_combinations_are_refused(make, facts):
    with pytest.raises(UsageError, match=facts):
        make()


MASKS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=8, max_size=8)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=MASKS)
def test_combinations_count_every_row_and_follow_the_algebra(make_pool, tmp_path, rows):
    a, b, c = (Times(times=column) for column in zip(*rows, strict=True))
    trees = {
        "and": (And(of=(a, b, c)), [min(x) for x in rows]),
        "or": (Or(of=(a, b, c)), [max(x) for x in rows]),
        "minus": (Minus(of=(a, b, c)), [x if not y and not z else 0 for x, y, z in rows]),
        "cascade": (Cascade(of=(a, b, c)), [x * y * z for x, y, z in rows]),
        "mix": (Mix(of=(a, b, c)), [sum(x) for x in rows]),
        "deep": (Or(of=(And(of=(a, b)), Minus(of=(c, a)))),
                 [max(min(x, y), 0 if x else z) for x, y, z in rows]),
    }  # fmt: skip
    for chosen, expected in trees.values():
        result = run(make_pool, tmp_path, chosen)
        assert Counter(kept(result)) == Counter({i: n for i, n in enumerate(expected) if n})
        assert result.counts.kept + sum(result.counts.dropped.values()) == 8
