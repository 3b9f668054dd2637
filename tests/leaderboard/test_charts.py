"""Positions of dots, whiskers and labels; how they look is judged by eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp_leaderboard.board import build_board
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charts import Axis, nice_axis, shade, whisker
from datacomp_leaderboard.entries import Spread
from datacomp_leaderboard.plot import NARROW, WIDE, _cover, _label_box, share_plot


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


def page(entries):
    return build_board(BoardData(scale="tiny", entries=tuple(entries)))


@pytest.mark.parametrize("frame", [WIDE, NARROW])
def test_labels_of_near_points_do_not_cover_each_other(make_entry, frame):
    entries = [
        make_entry(0.2 + 0.02 * i, 0.005, method=f"method {i}", subset_unique=300 + 20 * i)
        for i in range(6)
    ]
    plot = share_plot(page(entries).lines, 0.03, frame)

    boxes = [_label_box(point) for point in plot.points if point.label]
    assert len(boxes) >= 4
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not [1 for a, b in pairs if _cover(a, b)]


def test_a_plot_needs_two_numbers(make_entry):
    assert page([make_entry()]).wide_plot is None
    assert page([make_entry(), make_entry(None, method="b")]).wide_plot is None
    assert page([make_entry(), make_entry(method="b")]).wide_plot is not None
