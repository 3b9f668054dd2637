"""Labels of dots and of lines: where they stand."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from datacomp_leaderboard.charting.chart import shown, text_width
from datacomp_leaderboard.charting.labels import Spot, apart, beside, cover


def spot(x, y, text="a method", half=4):
    return Spot(x, y, y - half, y + half, text)


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 200)), max_size=30))
def test_labels_cover_no_label_and_stay_inside(places):
    found = beside([spot(x, y) for x, y in places], 300, 200)

    boxes = [place.box for place in found if place is not None]
    assert not [1 for i, a in enumerate(boxes) for b in boxes[:i] if cover(a, b)]
    assert all(box[0] >= 0 and box[2] <= 300 and box[3] <= 200 for box in boxes)


def test_labels_cover_no_dot_and_no_whisker():
    left, right = spot(100, 100), spot(140, 100, half=60)

    label, _ = beside([left, right], 400, 200)

    assert label.align == "right"


def test_the_first_chooses_first():
    first, second = beside([spot(100, 50), spot(100, 51)], 400, 200)

    assert (first.x, first.align, first.y) == (111, "left", 50)
    assert second.align == "right"


def test_a_dot_without_a_text_has_no_label():
    assert beside([spot(100, 50, text="")], 400, 200) == [None]


def test_lines_that_end_together_have_their_labels_apart():
    assert apart([50, 50, 120], 0, 200, gap=10) == [45, 55, 120]
    assert apart([1, 2], 0, 200, gap=10) == [0, 10]


@given(st.lists(st.floats(0, 200), max_size=12))
def test_labels_apart_keep_their_order_and_their_distance(ys):
    moved = apart(ys, 0, 200, gap=15)

    order = sorted(range(len(ys)), key=lambda i: (ys[i], i))
    steps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(step >= 15 - 0.11 for step in steps)
    assert all(-0.1 <= y <= 200.1 for y in moved)


def test_more_labels_than_there_is_room_for_stand_evenly():
    assert apart([10, 10, 10], 0, 20, gap=15) == [0, 10, 20]


def test_names_are_shown_on_one_line_without_what_cannot_be_seen():
    assert shown("a\nb\x00\u202ec  d") == "a b c d"
    assert shown("a" * 30, 10) == "a" * 9 + "…"
    assert shown("מסנן") == "\u2068מסנן\u2069"


def test_wide_characters_take_more_room():
    assert text_width("試験") > text_width("ab")
