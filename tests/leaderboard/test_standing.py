"""Rank intervals and tiers: properties, and coverage on boards whose truth is known."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Estimate, group_seeds
from datacomp_leaderboard.ranking import rank
from datacomp_leaderboard.standing import standings, student_quantile
from support.boards import boards, entry, task_values

FEW = settings(max_examples=30)


def ranked(*averages, **fields):
    """A board of one entry for each `(value, stderr)`; methods 0, 1, ..."""
    entries = [
        entry(i, task_values([0.3]), average=Estimate(value, stderr), **fields)
        for i, (value, stderr) in enumerate(averages)
    ]
    return rank(group_seeds(entries))


def found(board):
    return [standings(board).of.get(r.row.id) for r in board]


@given(boards())
@FEW
def test_an_interval_contains_its_rank(entries):
    board = rank(group_seeds(entries))
    n = sum(r.rank is not None for r in board)

    for r, standing in zip(board, found(board), strict=True):
        assert (standing is None) == (not r.row.competes or r.row.average is None)
        if standing is not None and r.rank is not None:
            assert 1 <= standing.rank_low <= r.rank <= standing.rank_high <= n
        elif standing is not None:
            assert (standing.rank_low, standing.rank_high, standing.p_first) == (None, None, None)


@given(boards())
@FEW
def test_tiers_count_up_along_the_board(entries):
    tiers = [standing.tier for standing in found(rank(group_seeds(entries))) if standing]

    assert tiers[:1] in ([], [1])
    assert all(later - earlier in (0, 1) for earlier, later in pairwise(tiers))


@given(boards())
@FEW
def test_one_row_is_the_first(entries):
    board = rank(group_seeds(entries))
    chances = [standing.p_first for standing in found(board) if standing]
    chances = [chance for chance in chances if chance is not None]

    assert not chances or sum(chances) == pytest.approx(1.0)


@given(boards())
@FEW
def test_the_same_rows_have_the_same_standing(entries):
    rows = group_seeds(entries)

    assert standings(rank(rows)) == standings(rank(rows[::-1]))


@given(boards())
@FEW
def test_what_does_not_compete_changes_nothing_but_the_pooled_noise(entries):
    entries = [e for e in entries if e.seed == 0]
    rows = group_seeds(entries)
    without = [row for row in rows if row.competes]

    if all(row.average is None or row.average.sd is None for row in rows):
        assert standings(rank(rows)).of == standings(rank(without)).of


def test_rows_far_apart_have_their_rank_and_tier_alone():
    board = ranked((0.4, 0.001), (0.3, 0.001), (0.2, 0.001))

    assert [(s.rank_low, s.rank_high, s.tier, s.p_first) for s in found(board)] == [
        (1, 1, 1, 1.0),
        (2, 2, 2, 0.0),
        (3, 3, 3, 0.0),
    ]


def test_rows_within_noise_share_a_tier_and_their_intervals():
    # 0.302 - 0.300 over sqrt(2) * 0.002 is 0.7 standard errors; the third is 35 below
    board = ranked((0.302, 0.002), (0.3, 0.002), (0.2, 0.002))

    assert [(s.rank_low, s.rank_high, s.tier) for s in found(board)] == [
        (1, 2, 1),
        (1, 2, 1),
        (3, 3, 2),
    ]


@pytest.mark.parametrize(("ahead", "tiers", "high"), [(1.6, 1, 2), (1.7, 2, 2), (2.0, 2, 1)])
def test_tiers_are_at_95_percent_one_sided_and_intervals_at_95_two_sided(ahead, tiers, high):
    board = ranked((0.3 + ahead * 0.01 * math.sqrt(2), 0.01), (0.3, 0.01))

    assert found(board)[1].tier == tiers
    assert found(board)[0].rank_high == high


def test_ties_without_noise_are_one_tier():
    board = ranked((0.3, 0.0), (0.3, 0.0), (0.2, 0.0))

    assert [(s.rank_low, s.rank_high, s.tier) for s in found(board)] == [
        (1, 2, 1),
        (1, 2, 1),
        (3, 3, 2),
    ]


def test_without_known_noise_nothing_is_told_apart():
    board = ranked((0.9, None), (0.1, None))
    told = standings(board)

    assert [(s.rank_low, s.rank_high, s.tier, s.p_first) for s in found(board)] == [
        (1, 2, 1, None),
        (1, 2, 1, None),
    ]
    assert "2 without known noise" in told.words


def test_one_claim_above_the_podium_bounds_nobodys_interval():
    claim = entry(9, task_values([0.9]), level=Level.REPORTED)
    board = rank(group_seeds([claim, entry(1, task_values([0.2]))]))

    assert [(s.rank_low, s.rank_high, s.tier) for s in found(board)] == [
        (None, None, 1),
        (1, 1, 2),
    ]


def test_seed_noise_is_that_of_all_rows_also_for_a_single_seed():
    # sd of 0.28, 0.32 is 0.0283; alone, with one degree of freedom, it is widened 6.5 times
    pair = [
        entry(i, task_values([0.3]), average=Estimate(v, 0.001), method="two", seed=i)
        for i, v in enumerate((0.28, 0.32))
    ]
    single = entry(5, task_values([0.3]), average=Estimate(0.35, 0.001))
    told = standings(rank(group_seeds([*pair, single])))

    assert told.seed_sd == pytest.approx(0.0283, abs=1e-4)
    assert "1 degree of freedom" in told.words
    assert [(s.rank_high, s.tier) for s in told.of.values()] == [(2, 1), (2, 1)]
    assert "no method has a second training seed" in standings(ranked((0.3, 0.01))).words


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.706), (2, 4.303), (4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (1e6, 1.96)],
)
def test_students_quantiles(freedom, expected):
    assert student_quantile(freedom) == pytest.approx(expected, rel=0.01)


def test_a_board_of_none_and_of_one():
    assert standings(()).of == {}
    (alone,) = found(ranked((0.3, 0.01)))
    assert (alone.rank_low, alone.rank_high, alone.tier, alone.p_first) == (1, 1, 1, 1.0)
    incomplete = rank(group_seeds([entry(i, task_values([None])) for i in range(2)]))
    assert found(incomplete) == [None, None]


def test_ten_thousand_rows_and_a_reference_of_pairs():
    rng = np.random.default_rng(0)
    pairs = zip(rng.uniform(0.1, 0.6, 10_000), rng.uniform(0.001, 0.01, 10_000), strict=True)
    board = ranked(*((float(value), float(stderr)) for value, stderr in pairs))
    told = standings(board).of

    for place in (0, 17, 4999, 9999):
        row = board[place].row
        z = [
            (other.row.average.mean - row.average.mean)
            / math.hypot(other.row.average.stderr, row.average.stderr)
            for other in board
        ]
        assert told[row.id].rank_low == 1 + sum(one >= 1.959964 for one in z)
        assert told[row.id].rank_high == 10_000 - sum(one <= -1.959964 for one in z)


@pytest.mark.parametrize("gap", [0.1, 0.5, 2.0])
def test_intervals_hold_the_true_rank(gap):
    # 20 rows, true averages `gap` standard errors apart, on 100 boards; 95% is asked for
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        truth = [0.5 - 0.01 * gap * i for i in range(20)]
        board = ranked(*((value + rng.normal(0, 0.01), 0.01) for value in truth))
        told = standings(board, draws=1).of
        held += sum(
            told[f"S{i:05}"].rank_low <= i + 1 <= told[f"S{i:05}"].rank_high for i in range(20)
        )
    assert held / 2000 >= 0.95
