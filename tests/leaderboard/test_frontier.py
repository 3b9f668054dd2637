"""Who was the best when, and the small picture of it."""

from datetime import timedelta

from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Estimate, group_seeds
from datacomp_leaderboard.frontier import entered, strip
from support.boards import EPOCH, entry, task_values

TASKS = task_values([0.5])


def rows(*averages, **fields):
    """A row for each average, a day after the one before."""
    made = [
        entry(i, TASKS, average=None if value is None else Estimate(value),
              submitted_at=EPOCH + timedelta(days=i), **fields)
        for i, value in enumerate(averages)
    ]  # fmt: skip
    return group_seeds(made)


def test_a_method_leads_if_none_before_it_was_as_good():
    found = entered(rows(0.2, 0.1, 0.2, 0.3))
    assert [one.leads for one in found] == [True, False, False, True]
    assert [one.before for one in found] == [None, 0.2, 0.2, 0.2]


def test_the_order_of_rows_does_not_matter():
    found = rows(0.2, 0.1, 0.3)
    assert entered(found) == entered(found[::-1])


def test_what_does_not_compete_or_has_no_number_takes_no_part():
    assert entered(rows(None)) == ()
    for mark in ("baseline", "oracle", "withdrawn"):
        assert entered(rows(0.5, **{mark: True})) == ()


def test_the_line_steps_up_where_the_best_moves():
    picture = strip(entered(rows(0.1, 0.0, 0.2)))
    assert picture.path.count("V") == 1
    assert picture.path.startswith(f"M6.0 {picture.dots[0][1]}")
    assert picture.path.endswith(f"H{picture.width - 6}")
    assert [x for x, _, _ in picture.dots] == [6.0, 314.0, 160.0]
    assert (picture.low, picture.high) == (0.0, 0.2)


def test_what_only_its_team_measured_is_a_dot_beside_the_line():
    picture = strip(entered(rows(0.1, 0.2, level=Level.REPORTED)))
    assert picture.path == ""
    assert [verified for _, _, verified in picture.dots] == [False, False]


def test_one_method_or_one_day_is_no_picture():
    assert strip(entered(rows(0.1))) is None
    same = [entry(i, TASKS, average=Estimate(0.1 * i)) for i in (1, 2)]
    assert strip(entered(group_seeds(same))) is None


def test_of_thousands_the_leaders_are_drawn():
    picture = strip(entered(rows(*[0.1] * 500, 0.2)))
    assert len(picture.dots) == 200
    assert picture.path.count("V") == 1
