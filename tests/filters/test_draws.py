"""Sampling with replacement: the number, the cap, the probabilities, and what does not matter."""

import numpy as np
import pytest

from datacomp.errors import UsageError
from datacomp.subset import UID_DTYPE
from datacomp_filters.draws import draw
from datacomp_filters.image_based_sampling import ImageBasedSampling
from datacomp_filters.text_based_sampling import TextBasedSampling


def numbered(n):
    uids = np.zeros(n, UID_DTYPE)
    uids["f1"] = np.arange(n)
    return uids


def drawn(uids, weights, n, cap=100, seed=0, parts=1):
    pieces = list(zip(np.array_split(uids, parts), np.array_split(weights, parts), strict=True))
    return np.concatenate(list(draw(lambda: pieces, n, cap, seed)))


def test_exactly_as_many_are_drawn_as_asked_for():
    weights = np.random.default_rng(0).uniform(0, 5, 1000)
    for n in (0, 1, 17, 1000, 30_000):
        assert drawn(numbered(1000), weights, n).sum() == n


def test_a_weight_of_zero_is_never_drawn():
    weights = np.array([0.0, 1, 0, 1])
    copies = drawn(numbered(4), weights, 50)
    assert copies[[0, 2]].tolist() == [0, 0]
    assert copies.sum() == 50


def test_the_cap_passes_draws_on_to_others():
    weights = np.array([1e6, 1, 1, 1])
    copies = drawn(numbered(4), weights, 40, cap=20)
    assert copies[0] == 20
    assert copies.sum() == 40


def test_fewer_are_drawn_only_if_all_have_reached_the_cap():
    assert drawn(numbered(3), np.array([1.0, 2, 0]), 99, cap=4).tolist() == [4, 4, 0]


def test_neither_order_nor_parts_decide():
    rng = np.random.default_rng(0)
    uids, weights = numbered(500), rng.uniform(0, 3, 500)
    usual, order = drawn(uids, weights, 900), rng.permutation(500)
    assert drawn(uids, weights, 900, parts=7).tolist() == usual.tolist()
    assert drawn(uids[order], weights[order], 900, parts=3).tolist() == usual[order].tolist()


def test_the_seed_decides():
    weights = np.ones(100)
    assert drawn(numbered(100), weights, 50).tolist() == drawn(numbered(100), weights, 50).tolist()
    other = drawn(numbered(100), weights, 50, seed=1)
    assert drawn(numbered(100), weights, 50).tolist() != other.tolist()


def test_probabilities_are_proportional_to_the_weights():
    # 40,000 draws from 1,000 rows of each weight: chi-squared with 3 degrees of freedom.
    kinds = np.arange(4000) % 4
    copies = drawn(numbered(4000), kinds + 1.0, 40_000)
    total = np.bincount(kinds, copies)
    expected = 40_000 * np.arange(1, 5) / 10
    assert (np.square(total - expected) / expected).sum() < 16.3


def test_draws_are_independent():
    # With replacement, copies of equal rows have the variance of a multinomial: 1 - 1/n.
    copies = drawn(numbered(20_000), np.ones(20_000), 20_000)
    assert 0.95 < np.var(copies) < 1.05


@pytest.mark.parametrize("kind", [TextBasedSampling, ImageBasedSampling])
@pytest.mark.parametrize("wrong", [{"draws": 0}, {"max_repeats": 0}])
def test_impossible_numbers_are_refused(kind, wrong):
    with pytest.raises(UsageError, match="1 or more"):
        kind(**wrong, **({"scale": "small"} if kind is ImageBasedSampling else {}))


def test_a_sampler_repeats_up_to_its_cap_and_counts_what_it_never_drew(golden_pool, run):
    result = run(golden_pool, "text_based_sampling draws=20000 max_repeats=11")
    _, copies = np.unique(result.subset.uids, return_counts=True)
    assert result.subset.n == 20_000
    assert result.counts.dropped["not_drawn"] > 0
    # One uid stands in the pool twice, and may be drawn as often for each.
    assert np.sort(copies)[-2] == 11


def test_alpha_one_draws_classes_as_they_are_and_lower_ones_favour_rare_classes(golden_pool, run):
    even, rare = (run(golden_pool, f"text_based_sampling alpha={alpha}") for alpha in (1, 0))
    assert even.subset.n == rare.subset.n == 6000
    assert rare.subset.n_unique < even.subset.n_unique


def test_image_sampling_draws_clusters_by_the_images_of_the_target(golden_pool, run):
    flat, steep = (run(golden_pool, f"image_based_sampling alpha={a}") for a in (0, 2))
    assert flat.subset.n == steep.subset.n == 6000
    assert flat.subset.sha256 != steep.subset.sha256
