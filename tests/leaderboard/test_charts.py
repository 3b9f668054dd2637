"""Positions of dots and whiskers; how they look is judged by eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp_leaderboard.charts import Axis, nice_axis, shade, whisker
from datacomp_leaderboard.entries import Spread


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.12, 0.34], (0.1, 0.2, 0.3, 0.4)),
        ([0.0, 1.0], (0.0, 0.5, 1.0)),
        ([0.3], (0.3, 0.3005)),
        ([], (0.0, 0.5, 1.0)),
    ],
)
def test_axes_end_on_round_numbers(values, ticks):
    assert nice_axis(values).ticks == pytest.approx(ticks)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_axes_cover_what_they_show(values):
    axis = nice_axis(values)

    assert axis.low <= min(values) + 1e-9
    assert axis.high >= max(values) - 1e-9
    assert all(axis.margin <= axis.x(v) <= axis.width - axis.margin for v in values)


def test_a_whisker_is_drawn_around_its_mean():
    axis = Axis(0.0, 1.0, (0.0, 1.0), width=112.0, margin=6.0)
    drawn = whisker(Spread(0.5, 0.1, 0.2, (0.3, 0.7)), axis)

    assert drawn.dot == 56.0
    assert (drawn.low, drawn.high) == (36.4, 75.6)
    assert drawn.marks == (36.0, 76.0)


def test_without_noise_there_is_a_dot_only():
    drawn = whisker(Spread(0.5, None, None, (0.5,)), nice_axis([0.5]))

    assert (drawn.low, drawn.high, drawn.marks) == (None, None, ())


def test_shades_run_from_the_lowest_to_the_highest():
    assert [shade(v, (0.1, 0.3)) for v in (0.1, None, 0.2, 0.3)] == [0, 0, 3, 6]
    assert shade(0.3, (0.3, 0.3)) == 0
    assert shade(None, None) == 0
