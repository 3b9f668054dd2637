"""The chart of differences per task: dots, whiskers and the band of noise."""

import pytest

from datacomp_leaderboard.charting import theme
from datacomp_leaderboard.charting.differences import Difference, differences
from support.vega import layers, rows, texts


def difference(delta=1.0, task="SVHN", method="mine", half_width=0.5, noise=0.8, group="VTAB"):
    return Difference(task, group, method, delta, half_width, noise)


def test_every_task_has_a_row_with_a_dot_a_whisker_and_a_band():
    drawn = [difference(1.0, "SVHN"), difference(-2.0, "MNIST"), difference(0.2, "KITTI")]
    spec = differences(drawn, reference="no filtering").spec

    [dots] = layers(spec, "point")
    points = rows(spec, dots)
    assert dots["encoding"]["x"]["field"] == "delta"
    assert [(p["delta"], p["low"], p["high"]) for p in points] == [
        (1.0, 0.5, 1.5),
        (-2.0, -2.5, -1.5),
        (0.2, -0.3, 0.7),
    ]
    [bands] = layers(spec, "bar")
    assert [(b["low"], b["high"]) for b in rows(spec, bands)] == [(-0.8, 0.8)] * 3
    assert {"SVHN", "MNIST", "KITTI"} <= set(texts(spec))
    assert len({p["y"] for p in points}) == 3


def test_what_cannot_be_told_from_nothing_is_hollow():
    spec = differences([difference(1.0), difference(0.2, "KITTI")], reference="x").spec

    fills = [point["fill"] for point in rows(spec, layers(spec, "point")[0])]
    assert fills == [theme.SERIES[0], theme.RAISED]


def test_the_axis_has_nothing_in_its_middle_and_names_the_reference():
    spec = differences([difference(3.0), difference(-1.0, "KITTI")], reference="no filtering").spec

    x = layers(spec, "point")[0]["encoding"]["x"]
    low, high = x["scale"]["domain"]
    assert low == -high
    assert high >= 3
    assert x["title"] == "difference to no filtering, points"


def test_one_noisy_task_does_not_flatten_the_others():
    noisy = difference(1.0, "FMoW", half_width=60.0)
    spec = differences([noisy, *(difference(task=f"t{i}") for i in range(9))], reference="x").spec

    assert layers(spec, "point")[0]["encoding"]["x"]["scale"]["domain"][1] <= 3
    ends = rows(spec, layers(spec, "point")[0])[0]
    assert ends["high"] <= 3


def test_methods_stand_under_each_other_with_their_names_and_shapes():
    drawn = [difference(i, method=name) for i, name in enumerate("abc")]
    spec = differences(drawn, reference="x", name="paired").spec

    dots = layers(spec, "point")[0]
    assert [point["y"] for point in rows(spec, dots)] == [4.5, 13.5, 22.5]
    assert len(set(dots["encoding"]["shape"]["scale"]["range"])) == 3
    assert {"a", "b", "c"} <= set(texts(spec))


def test_groups_are_told_apart():
    chart = differences([difference(group="a"), difference(task="x", group="b")], reference="x")

    assert {"a", "b"} <= set(texts(chart.wide.spec))
    assert "a" not in texts(chart.narrow.spec)


def test_words_count_what_is_beyond_noise():
    drawn = [difference(1.0), difference(-1.0, "a"), difference(0.1, "b"), difference(2.0, "c")]

    assert "2 better and 1 worse" in differences(drawn, reference="x").alt
    assert "grey band" in differences(drawn, reference="x").words
    assert "grey" not in differences([difference(noise=None)], reference="x").words


def test_without_rows_there_is_no_picture():
    assert differences([], reference="x") is None


@pytest.mark.parametrize("n", [7, 12])
def test_no_more_methods_than_can_be_told_apart_are_drawn(n):
    chart = differences([difference(method=f"m{i}") for i in range(n)], reference="x")

    assert len({row[2] for row in chart.table.rows}) == 6
