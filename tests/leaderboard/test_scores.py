"""Averages of all rows at once: the same as one by one, under any weights."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacomp_leaderboard.entries import group_seeds, spread, superseded_rows
from datacomp_leaderboard.rules import ROBUST, average_of
from datacomp_leaderboard.scores import scores_of, spreads, task_means, with_averages, with_robust
from support.boards import KEYS, SUITE, boards, entry, task_values

FEW = settings(max_examples=30)
WEIGHTS = st.dictionaries(st.sampled_from(KEYS), st.floats(0, 10), max_size=len(KEYS))


@given(boards(), WEIGHTS)
@FEW
def test_averages_are_those_of_each_seed_and_then_of_the_seeds(entries, weights):
    rows = group_seeds(entries)

    for row, found in zip(rows, spreads(scores_of(rows, KEYS), weights), strict=True):
        expected = spread([average_of(e.tasks, weights) for e in row.counted])
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            assert found.mean == pytest.approx(expected.mean)
            assert found.values == pytest.approx(expected.values)
            assert found.stderr == pytest.approx(expected.stderr)
            assert found.sd == pytest.approx(expected.sd, abs=1e-9)


@given(boards(), WEIGHTS)
@FEW
def test_equal_rows_have_equal_averages_to_the_last_bit(entries, weights):
    doubled = [*entries, *(entry(100 + i, e.tasks) for i, e in enumerate(entries))]
    alone = group_seeds([entry(200 + i, e.tasks) for i, e in enumerate(entries)])
    rows = group_seeds(doubled)
    by_tasks = {
        tuple(row.counted[0].tasks.values_by_task.values()): found and found.mean
        for row, found in zip(rows, spreads(scores_of(rows, KEYS), weights), strict=True)
        if len(row.counted) == 1
    }

    for row, found in zip(alone, spreads(scores_of(alone, KEYS), weights), strict=True):
        key = tuple(row.counted[0].tasks.values_by_task.values())
        assert (found and found.mean) == by_tasks[key]


@given(boards())
@FEW
def test_task_means_are_the_rows_own(entries):
    rows = group_seeds(entries)
    means = task_means(scores_of(rows, KEYS))

    assert means.shape == (len(rows), len(KEYS))
    for row, line in zip(rows, means.tolist(), strict=True):
        for key, value in zip(KEYS, line, strict=True):
            found = row.tasks[key]
            assert (found is None) == (value != value)
            assert found is None or found.mean == pytest.approx(value)


def test_other_averages_leave_the_rest_and_the_row_itself_alone():
    (row,) = group_seeds([entry(0, task_values([0.3]))])
    (changed,) = with_averages([row], [None])

    assert changed.average is None
    assert (changed.id, changed.groups, changed.counted) == (row.id, row.groups, row.counted)
    assert row.average is not None


def test_the_robust_average_stands_beside_the_other():
    (row,) = group_seeds([entry(0, task_values([0.3]))])
    scores = scores_of([row], KEYS)
    (changed,) = with_robust([row], spreads(scores, ROBUST.weights(SUITE)))

    assert changed.robust.mean == pytest.approx(0.3)
    assert (changed.average, row.robust) == (row.average, None)


def test_a_task_that_one_seed_lacks_has_no_mean():
    seeds = [task_values([0.2, 0.4]), task_values([None, 0.6])]
    (row,) = group_seeds([entry(i, t, method="m", seed=i) for i, t in enumerate(seeds)])

    assert row.tasks[KEYS[0]] is None
    assert row.tasks[KEYS[1]].mean == pytest.approx(0.5)
    assert row.average is None


def test_what_a_newer_one_replaced_is_a_row_of_its_own_that_does_not_compete():
    older, newer = (entry(i, task_values([0.2]), method="m") for i in range(2))
    (found,) = superseded_rows([older, newer])

    assert (found.id, found.superseded, found.competes) == (older.id, True, False)
    assert superseded_rows([newer]) == ()
