"""The picture beside a link: its size, and that any title fits."""

import io

import pytest
from PIL import Image

from datacomp_leaderboard.charting.averages import Kept, share
from datacomp_leaderboard.charting.card import card
from datacomp_leaderboard.charting.differences import Difference, differences

TITLES = ["tiny board", "", "<script>&amp;" * 20, "word " * 100, "wi\x00de 試験" * 9, "مرشح"]


def opened(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def ink(picture, box):
    """How many colours stand in a part of a picture."""
    return len(picture.crop(box).getcolors(1 << 20))


@pytest.mark.parametrize("title", TITLES)
def test_any_title_fits(title):
    picture = opened(card(title, "words"))

    assert picture.size == (1200, 630)
    assert ink(picture, (445, 0, 600, 630)) == 1, "the title runs out of its column"
    assert ink(picture, (0, 610, 1200, 630)) == 1


def test_the_chart_stands_at_the_right():
    chart = share(
        [Kept("a", "A", 0.2, 0.3, 0.01, "measured"), Kept("b", "B", 0.4, 0.2, 0.01, "truth")]
    )

    with_chart, without = opened(card("x", "", chart)), opened(card("x"))
    assert ink(with_chart, (500, 40, 1170, 590)) > 20
    assert with_chart.tobytes() != without.tobytes()


def test_a_tall_chart_stays_inside():
    rows = [Difference(f"task {i}", "", "mine", i / 10, 0.5) for i in range(60)]

    picture = opened(card("x", "", differences(rows, reference="none")))
    assert ink(picture, (0, 585, 1200, 630)) == 1
