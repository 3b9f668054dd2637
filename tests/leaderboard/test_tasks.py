"""What boards tell of tasks: separation against noise, correlation, cautions."""

import numpy as np
import pytest

from datacomp.reports import load_suite
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.task_facts import TaskOnBoard, TaskScores, flags
from datacomp_leaderboard.task_pages import build_task, build_tasks, find_task, task_table
from support.boards import KEYS, SUITE, entry, task_values

DATACOMP = load_suite("datacomp38")


def board(values, stderr=0.01, **fields):
    """A board with a method for each line of task values."""
    made = [entry(i, task_values(line, stderr), **fields) for i, line in enumerate(values)]
    return BoardData(scale="tiny", suite=SUITE, entries=tuple(made))


def scores(*values, **fields):
    return TaskScores(board(values, **fields))


def test_separation_is_the_variance_between_methods_over_that_of_noise():
    first = [0.1, 0.2, 0.3, 0.4, 0.5]
    found = scores(*[[value, 0.3] for value in first], stderr=0.05).of(KEYS[0])
    assert found.power == pytest.approx(np.var(first, ddof=1) / 0.05**2 - 1)
    assert (found.n, found.lowest, found.highest) == (5, 0.1, 0.5)


def test_methods_that_are_all_alike_are_not_separated():
    assert scores(*[[0.3]] * 5).of(KEYS[0]).power == 0.0


def test_seeds_that_differ_are_noise():
    one = [entry(i, task_values([0.1 * (i // 2) + 0.02 * (i % 2)]), seed=i % 2,
                 method=f"m{i // 2}") for i in range(10)]  # fmt: skip
    found = TaskScores(BoardData(scale="tiny", suite=SUITE, entries=tuple(one)))
    # two seeds that are 0.02 apart: variance 0.0002, of a mean of two half of it
    assert found.noise[0] == pytest.approx(0.01**2 + 0.0002 / 2)


def test_a_task_that_follows_the_others_correlates_with_them():
    values = [0.1, 0.2, 0.3, 0.4, 0.5]
    assert scores(*[[v, v] for v in values]).of(KEYS[0]).correlation == pytest.approx(1.0)
    assert scores(*[[1 - v, v] for v in values]).of(KEYS[0]).correlation == pytest.approx(-1.0)


def test_four_methods_say_nothing():
    found = scores(*[[v, v] for v in (0.1, 0.2, 0.3, 0.4)]).of(KEYS[0])
    assert (found.n, found.power, found.correlation) == (4, None, None)


def test_published_numbers_have_no_tasks():
    assert scores([0.1], published=True).taking_part == []


def test_four_pictures_decide_fmow():
    said = " ".join(flags(DATACOMP["wilds/fmow"], DATACOMP))
    assert "4 pictures decide this metric: each moves it by 25 points." in said
    assert "97% of the average's test noise" in said
    assert flags(DATACOMP["imagenet1k"], DATACOMP) == ()


def test_a_task_is_cautioned_of_where_nobody_beats_chance():
    task = next(one for one in SUITE.scored if one.chance.get(one.main_metric))
    chance = task.chance[task.main_metric]
    at_chance = TaskOnBoard("tiny", 9, 0.0, chance, 0.5, None)
    assert flags(task, SUITE, [at_chance])[-2:] == (
        "At tiny, methods differ by no more than noise would.",
        "At tiny, no method is above chance beyond noise.",
    )


def test_the_list_has_every_task_of_every_suite():
    page, table = build_tasks([board([[0.3]]), BoardData(scale="small", suite=DATACOMP)])
    assert [len(one.lines) for one in page.suites] == [40, len(SUITE.tasks)]
    assert [one.measured_at for one in page.suites] == [None, "tiny"]
    assert len(table.rows) == 40 + len(SUITE.tasks)


def test_a_task_has_its_own_order():
    boards = [board([[0.3, 0.9], [0.4, 0.1]])]
    page = build_task(*find_task(boards, KEYS[0]), boards)
    table = task_table(*find_task(boards, KEYS[0]), boards)
    assert [line.value.mean for line in page.boards[0].lines] == [0.4, 0.3]
    assert [row[4] for row in table.rows] == [0.4, 0.3]


def test_a_task_that_failed_has_no_place():
    boards = [board([[None, 0.9], [0.4, 0.1]])]
    page = build_task(*find_task(boards, KEYS[0]), boards)
    assert [line.row.method for line in page.boards[0].lines] == ["method 1"]


def test_a_task_that_is_not_scored_has_no_board():
    boards = [BoardData(scale="small", suite=DATACOMP)]
    found = find_task(boards, "fairness/fairface")
    page, table = build_task(*found, boards), task_table(*found, boards)
    assert (page.boards, table.rows, page.asked_at) == ((), (), ("small",))
    assert find_task(boards, "none") is None
