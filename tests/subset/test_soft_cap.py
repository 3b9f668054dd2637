"""Soft and hard cap sampling: numbers of copies, their laws, and what does not matter."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import UsageError
from datacomp.subset import UID_DTYPE
from datacomp.subset import soft_cap as module
from datacomp.subset.soft_cap import hard_cap, most_expected, soft_cap, soft_cap_clocks

NAN, INF = float("nan"), float("inf")
N = 128_000


def numbered(n):
    uids = np.zeros(n, UID_DTYPE)
    uids["f1"] = np.arange(n)
    return uids


def drawn(how, scores, uids=None, parts=1):
    """Copies of every row, the rows given in so many parts."""
    uids = numbered(len(scores)) if uids is None else uids
    pieces = list(zip(np.array_split(scores, parts), np.array_split(uids, parts), strict=True))
    found = list(how(lambda: ((some, lambda ids=ids: ids) for some, ids in pieces)))
    assert [len(copies) for copies in found] == [len(some) for some, _ in pieces]
    return np.concatenate(found).astype(int)


def batches(draws, alpha=0.15, batch=1, seed=0):
    return partial(soft_cap, draws=draws, alpha=alpha, batch=batch, seed=seed)


def clocks(draws, alpha=0.15, seed=0):
    return partial(soft_cap_clocks, draws=draws, alpha=alpha, seed=seed)


def capped(draws, max_repeats=15, seed=0):
    return partial(hard_cap, draws=draws, max_repeats=max_repeats, seed=seed)


@pytest.fixture(scope="module")
def notebook():
    """The authors' example: 128,000 rows of N(0, 2.5^2), as many draws."""
    return np.random.default_rng(0).normal(0, 2.5, N)


def mean_field(scores, draws, alpha):
    """log(1 + (e^alpha - 1) e^score t) / alpha, with the t that makes it add up."""
    low, high = -50.0, 50.0
    for _ in range(80):
        middle = (low + high) / 2
        copies = np.log1p(math.expm1(alpha) * np.exp(scores + middle)) / alpha
        low, high = (low, middle) if copies.sum() > draws else (middle, high)
    return copies


BUCKETS = [(0, 300), (300, 1000), (1000, 10_000), (10_000, 30_000), (30_000, N)]


def bucket_means(scores, copies):
    order = np.argsort(-scores)
    return np.array([copies[order[start:stop]].mean() for start, stop in BUCKETS])


@pytest.mark.parametrize("how", [batches(N, batch=100), clocks(N)], ids=["batch", "clocks"])
def test_the_authors_example_comes_out(notebook, how):
    copies = drawn(how, notebook)
    assert copies.sum() == N
    assert 37_000 <= np.count_nonzero(copies) <= 38_100
    assert 35 <= copies.max() <= 60
    expected = bucket_means(notebook, mean_field(notebook, N, 0.15))
    # The mean field itself is off by 1% where copies are few.
    assert bucket_means(notebook, copies) == pytest.approx(expected, rel=0.03, abs=0.002)


def test_the_authors_hard_cap_comes_out(notebook):
    copies = drawn(capped(N), notebook)
    assert copies.sum() == N
    assert copies.max() == 15
    assert 32_900 <= np.count_nonzero(copies) <= 33_500


@pytest.mark.parametrize(
    "how", [batches(60_000, 0.25, batch=30), clocks(60_000, 0.25)], ids=["batch", "clocks"]
)
def test_the_mean_of_the_exponential_of_the_copies_is_known(how):
    """E[e^(alpha n)] = 1 + (e^alpha - 1) e^score t: rows of one score, so that t is known too."""
    scores = np.repeat([0.0, 1.0, 2.0, 3.0], 5000)
    copies = drawn(how, scores).reshape(4, -1)
    grown = (np.exp(0.25 * copies).mean(axis=1) - 1) / math.expm1(0.25)
    assert grown / np.exp([0, 1, 2, 3]) == pytest.approx(np.full(4, grown[2] / math.e**2), rel=0.03)


@pytest.mark.parametrize("how", [batches, clocks, partial(capped, max_repeats=10**9)])
def test_without_a_cap_draws_are_multinomial(how):
    weights = np.arange(1, 9)
    made = how(4000, seed=3) if how not in (batches, clocks) else how(4000, alpha=0.0, seed=3)
    copies = drawn(made, np.log(weights))
    expected = 4000 * weights / weights.sum()
    assert (np.square(copies - expected) / expected).sum() < 24.3  # 7 degrees, 0.1%


@pytest.mark.parametrize("how", [batches, clocks])
def test_an_endless_penalty_draws_every_row_once_before_any_twice(how):
    scores = np.random.default_rng(0).normal(0, 3, 500)
    assert drawn(how(400, alpha=1e9), scores).max() == 1
    assert set(drawn(how(500, alpha=1e9), scores)) == {1}
    assert sorted(set(drawn(how(700, alpha=1e9), scores))) == [1, 2]


def test_a_first_round_is_sampling_without_replacement():
    """Two of three rows with weights 1, 2, 3: the chance of each pair, from its definition."""
    left_out = np.zeros(3)
    for seed in range(900):
        left_out += drawn(batches(2, batch=2, seed=seed), np.log([1.0, 2, 3])) == 0
    # Both others first and second, in either order: w_a / 6 * w_b / (6 - w_a) and the reverse.
    others = [(2, 3), (1, 3), (1, 2)]
    chance = np.array([a / 6 * b / (6 - a) + b / 6 * a / (6 - b) for a, b in others])
    assert chance.sum() == pytest.approx(1)
    assert (np.square(left_out - 900 * chance) / (900 * chance)).sum() < 13.8  # 2 degrees, 0.1%


def test_within_a_round_no_row_comes_twice():
    scores = np.array([50.0, 0, 0, 0, 0])
    assert drawn(batches(12, alpha=0.0, batch=3), scores)[0] == 4
    copies = drawn(batches(13, alpha=0.0, batch=5), scores)
    assert copies.sum() == 13
    assert copies.max() == 3
    assert copies.min() == 2


def test_clocks_draw_what_rounds_of_one_draw():
    """One law: how often each of three rows is drawn, over many seeds."""
    scores = np.array([2.0, 1.0, 0.0])
    how = [[drawn(kind(6, 0.7, seed=s), scores) for s in range(400)] for kind in (batches, clocks)]
    for row in range(3):
        a, b = (np.bincount(np.array(found)[:, row], minlength=7) for found in how)
        assert (np.square(a - b) / np.maximum(a + b, 1)).sum() < 22.5  # 6 degrees, 0.1%


ALL = [batches(700, batch=20), clocks(700), capped(700, 5)]


@pytest.mark.parametrize("how", ALL)
def test_neither_order_nor_parts_nor_a_constant_decide(how):
    rng = np.random.default_rng(0)
    uids, scores = numbered(500), rng.integers(-3000, 3000, 500) / 1024
    usual, order = drawn(how, scores, uids), rng.permutation(500)
    assert drawn(how, scores, uids, parts=7).tolist() == usual.tolist()
    assert drawn(how, scores[order], uids[order], parts=3).tolist() == usual[order].tolist()
    assert drawn(how, scores + 4096, uids).tolist() == usual.tolist()
    assert drawn(how, scores.astype(np.float32), uids).tolist() == usual.tolist()
    other = drawn(partial(how, seed=1), scores, uids)
    assert other.sum() == 700
    assert other.tolist() != usual.tolist()


@pytest.mark.parametrize("how", ALL)
def test_rows_without_a_score_are_never_drawn(how):
    scores = np.array([NAN, 1, -INF, 0, NAN] + [0.5] * 300)
    copies = drawn(how, scores, parts=4)
    assert copies[[0, 2, 4]].tolist() == [0, 0, 0]
    assert copies.sum() == 700


@given(
    scores=st.lists(st.sampled_from([NAN, -INF, -1e6, -700.0, -3.0, 0.0, 0.1, 900.0]), min_size=1),
    draws=st.integers(1, 120),
    alpha=st.sampled_from([0.0, 1e-9, 0.15, 1.0, 40.0, 1e9]),
    parts=st.integers(1, 4),
)
def test_exactly_so_many_are_drawn_whatever_the_scores(scores, draws, alpha, parts):
    scores = np.array([1.0, *scores])
    n_scored = int(np.isfinite(scores).sum())
    for how in (batches(draws, alpha, min(n_scored, 7)), clocks(draws, alpha)):
        assert drawn(how, scores, parts=parts).sum() == draws
    most = -(-draws // n_scored)
    copies = drawn(capped(draws, most), scores, parts=parts)
    assert copies.sum() == draws
    assert copies.max() <= most


def test_rows_of_one_uid_are_drawn_alike_and_still_counted_exactly():
    uids = np.zeros(40, UID_DTYPE)
    assert drawn(batches(25, 0.0, batch=25), np.zeros(40), uids).sum() == 25
    for how in (batches(101, batch=7), clocks(101), capped(101, 9)):
        assert drawn(how, np.zeros(40), uids, parts=3).sum() == 101


def test_a_window_with_too_many_arrivals_is_refined(monkeypatch, notebook):
    usual = drawn(clocks(9000), notebook[:5000], parts=3)
    monkeypatch.setattr(module, "CANDIDATES", 0)
    assert drawn(clocks(9000), notebook[:5000], parts=3).tolist() == usual.tolist()


@pytest.mark.parametrize("about", [-40.0, -3.0, 5.0])
def test_a_bad_guess_of_the_last_draw_costs_time_alone(monkeypatch, about):
    scores = np.linspace(-1, 1, 300)
    usual = drawn(clocks(900), scores)
    guess = module._Spread.log_time
    monkeypatch.setattr(module._Spread, "log_time", lambda *given: guess(*given) + about)
    assert drawn(clocks(900), scores).tolist() == usual.tolist()
    assert drawn(batches(900, batch=30), scores).sum() == 900


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.25, 1.0, 5.0])
def test_no_more_copies_are_expected_than_the_bound_says(alpha):
    for lead in (-4.0, -1.0, 0.0, 2.0, 3.5):
        scores = np.zeros(4000)
        bound = float(most_expected(np.array([lead]), alpha, 10**9)[0])
        mine = module._Clocks(lambda s=scores: [(s, lambda: numbered(4000))], alpha, 10**9, 0)
        before, _ = mine.count(module._Window(lead, 1e9))
        assert before / 4000 <= bound * 1.02 + 0.02
        assert before / 4000 >= bound * 0.55 - 0.02


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (batches(10, batch=4), "4 different rows, but only 3 have a score"),
        (batches(0), "draws is 1 or more"),
        (batches(1, batch=0), "batch is 1 or more"),
        (batches(1, alpha=-0.1), "alpha is between"),
        (clocks(1, alpha=NAN), "alpha is between"),
        (capped(10, 3), "10 draws are impossible: 3 rows have a score"),
        (capped(1, 0), "max_repeats is 1 or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused(how, expected):
    with pytest.raises(UsageError, match=expected):
        drawn(how, np.array([0.0, 1, 2, NAN]))


def test_clocks_keep_apart_what_is_further_apart_than_floats_reach():
    # Scores that differ by far more than 745, where e^-x is no number any more: the draws are
    # those of the highest score until the penalty has brought it down to the next one.
    scores = np.array([1e6 + 5000.0, 1e6, 1e6 + 9000, -3.0])
    assert drawn(clocks(6, alpha=1000.0), scores).tolist() == [1, 0, 5, 0]
    assert drawn(clocks(3, alpha=1e6), scores).tolist() == [1, 1, 1, 0]
    assert drawn(clocks(7, alpha=1e9), scores).tolist() == [2, 2, 2, 1]


def test_a_cap_beyond_all_draws_is_none():
    scores = np.array([3.0, 0, 1])
    endless = drawn(capped(50, 10**30), scores)
    assert endless.tolist() == drawn(clocks(50, alpha=0.0), scores).tolist()


def test_pools_without_scores_or_with_endless_ones_are_refused():
    for how in ALL:
        with pytest.raises(UsageError, match="no row has a score"):
            drawn(how, np.array([NAN, NAN]))
        with pytest.raises(UsageError, match="a score is inf"):
            drawn(how, np.array([0.0, INF]))
