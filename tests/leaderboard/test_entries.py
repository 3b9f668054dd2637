"""How submissions become rows: which count, and what their mean and noise are."""

import math

import pytest

from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Estimate, group_seeds, spread


def test_seeds_of_one_method_are_one_row(make_entry):
    (row,) = group_seeds([make_entry(0.2, 0.03, seed=0), make_entry(0.4, 0.05, seed=1)])

    assert row.seeds == (0, 1)
    assert row.submissions == ("S000", "S001")
    assert row.average.mean == pytest.approx(0.3)
    assert (row.average.low, row.average.high) == (0.2, 0.4)
    assert row.average.sd == pytest.approx(0.1 * math.sqrt(2))
    # shared test noise 0.04, and seed noise 0.1 * sqrt(2) / sqrt(2)
    assert row.average.stderr == pytest.approx(math.hypot(0.04, 0.1))


@pytest.mark.parametrize("field", ["team", "method", "scale", "recipe_id", "pool_id"])
def test_what_differs_in_kind_is_another_row(make_entry, field):
    assert len(group_seeds([make_entry(), make_entry(**{field: "other"}, seed=1)])) == 2


def test_one_seed_has_test_noise_only(make_entry):
    (row,) = group_seeds([make_entry(0.3, 0.02)])

    assert (row.average.stderr, row.average.sd) == (0.02, None)
    assert row.average.half_width == pytest.approx(0.0392, abs=1e-4)


def test_of_the_same_seed_the_newest_counts_and_all_are_attempts(make_entry):
    (row,) = group_seeds([make_entry(0.1), make_entry(0.5), make_entry(0.3, seed=1)])

    assert row.submissions == ("S001", "S002")
    assert row.average.values == (0.5, 0.3)
    assert row.attempts == 3
    assert row.id == "S000"


def test_a_row_is_verified_as_far_as_its_least_seed(make_entry):
    entries = [
        make_entry(level=Level.RE_TRAINED),
        make_entry(seed=1, level=Level.ATTESTED),
        make_entry(seed=2, level=Level.REPORTED),
        make_entry(seed=2, level=Level.REPRODUCED),
    ]
    (row,) = group_seeds(entries)

    assert row.level is Level.ATTESTED


def test_an_incomplete_seed_is_not_averaged_away(make_entry):
    (row,) = group_seeds([make_entry(0.4), make_entry(None, seed=1)])

    assert row.average is None


def test_a_group_that_one_seed_lacks_has_no_mean(make_entry):
    both = {"a": Estimate(0.2), "b": Estimate(0.4)}
    one = {"a": Estimate(0.4)}
    (row,) = group_seeds([make_entry(groups=both), make_entry(groups=one, seed=1)])

    assert row.groups["a"].mean == pytest.approx(0.3)
    assert row.groups["b"] is None


def test_one_seed_with_the_truth_marks_the_row(make_entry):
    (row,) = group_seeds([make_entry(), make_entry(seed=1, oracle=True)])

    assert row.oracle


def test_share_counts_unique_samples(make_entry):
    (row,) = group_seeds([make_entry(subset_size=900, subset_unique=250, pool_size=1000)])

    assert row.share == 0.25


def test_numbers_that_are_none_make_no_spread():
    assert spread([]) is None
    assert spread([Estimate(math.nan)]) is None
    assert spread([Estimate(0.5, None)]).half_width is None
