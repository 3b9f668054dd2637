"""Differences of methods: which are beyond noise, what they come from, and how it is said."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.submission.sketch import Sketch
from datacomp.subset import UID_DTYPE
from datacomp_leaderboard.differences import (
    Difference,
    Value,
    differences,
    in_words,
    mean_difference,
    medians,
    tally,
    values_of,
)
from datacomp_leaderboard.entries import group_seeds
from datacomp_leaderboard.scores import scores_of
from datacomp_leaderboard.subset_overlap import shared
from support.boards import KEYS, SUITE, entry, task_values

EQUAL = dict.fromkeys(KEYS, 1.0)


def values(*means, stderr=0.01):
    filled = [*means, *[means[-1]] * (len(KEYS) - len(means))]
    return {k: None if m is None else Value(m, stderr) for k, m in zip(KEYS, filled, strict=True)}


def found(a, b):
    return differences(SUITE, values(*a), values(*b))


def words(a, b, average=None):
    diffs = found(a, b)
    mean = average or mean_difference(diffs, EQUAL)
    return in_words("A", "B", diffs, EQUAL, mean, SUITE.groups)


def test_beyond_noise_is_more_than_both_noises_joined():
    half = 1.959964 * math.hypot(0.01, 0.01)
    diffs = found([0.5 + half * 1.01, 0.5 - half * 1.01, 0.5 + half * 0.99], [0.5])

    assert [one.verdict for one in diffs[:3]] == ["win", "loss", "tie"]
    assert tally(diffs[:3]) == type(tally(diffs))(1, 1, 1, 0)


def test_what_has_no_number_or_no_noise_is_unknown():
    no_number = Difference("k", "K", (), None, Value(0.1, 0.01))
    no_noise = Difference("k", "K", (), Value(0.4, None), Value(0.1, 0.01))

    assert (no_number.delta, no_number.verdict) == (None, None)
    assert (no_noise.delta, no_noise.verdict, no_noise.z) == (pytest.approx(0.3), None, None)
    assert tally([no_number, no_noise]).unknown == 2
    assert mean_difference([no_number], {"k": 1.0}) is None


def test_the_sentence_names_what_makes_most_of_it():
    text = words([0.5, 0.4, 0.3], [0.2, 0.2, 0.3])

    assert text.startswith("A is above B by 5 points (± 0.88), beyond noise; all of it comes from")
    assert SUITE.scored[0].name in text


def test_the_sentence_turns_round_for_the_better_one():
    assert words([0.3], [0.4]).startswith("B is above A by 10 points")
    assert words([0.3], [0.3]) == "A and B have the same average."
    assert "within noise" in words([0.305], [0.3])
    unknown = in_words("A", "B", (), EQUAL, None, ())
    assert unknown == "A and B cannot be compared by their averages: a task has no number."


def test_groups_that_go_the_other_way_are_named():
    group = SUITE.groups[0]
    inside = [group in task.groups for task in SUITE.scored]
    a = [0.2 if one else 0.6 for one in inside]

    assert "B is better on" in words(a, [0.3])


@given(st.lists(st.floats(0, 1), min_size=len(KEYS), max_size=len(KEYS)))
def test_turning_it_round_turns_every_verdict(means):
    there, back = found(means, [0.4]), found([0.4], means)
    opposite = {"win": "loss", "loss": "win", "tie": "tie"}

    assert [opposite[one.verdict] for one in there] == [one.verdict for one in back]


def test_values_and_medians_of_rows():
    rows = group_seeds([entry(i, task_values([level])) for i, level in enumerate((0.1, 0.2, 0.6))])

    assert values_of(rows[0])[KEYS[0]].stderr == pytest.approx(0.01)
    middle = medians(scores_of(rows, KEYS), {row.id for row in rows})[KEYS[0]]
    assert (middle.mean, middle.stderr) == (pytest.approx(0.2), 0.0)


def sketch(numbers):
    import numpy as np

    uids = np.zeros(len(numbers), UID_DTYPE)
    uids["f1"] = numbers
    return Sketch.of([uids])


def test_shares_of_small_subsets_are_counted():
    both = shared(sketch(range(100)), sketch(range(50, 250)))

    assert both.jaccard == pytest.approx(50 / 250)
    assert (both.of_a, both.of_b) == (pytest.approx(0.5), pytest.approx(0.25))
    assert both.stderr == 0.0
    assert shared(sketch([]), sketch([1])).jaccard == 0.0


def test_shares_of_large_ones_are_estimates():
    both = shared(sketch(range(20_000)), sketch(range(10_000, 30_000)))

    assert both.jaccard == pytest.approx(1 / 3, abs=4 * both.stderr)
    assert 0.01 < both.stderr < 0.016
    assert both.of_a == pytest.approx(0.5, abs=0.06)
