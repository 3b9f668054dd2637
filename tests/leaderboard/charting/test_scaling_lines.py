"""The chart of methods across scales: one line a method, told apart by colour and shape."""

from datacomp_leaderboard.charting.scaling import Line, lines
from support.vega import layers, rows, texts

SCALES = ("small", "medium", "large")


def line(method, *averages):
    return Line(method, "A", {s: (v, 0.01) for s, v in zip(SCALES, averages, strict=False)})


def test_a_line_has_a_point_at_every_scale_of_its_method():
    spec = lines([line("a", 0.1, 0.2, 0.3), line("b", 0.2, 0.25)], SCALES).spec

    [drawn] = layers(spec, "line")
    points = [(p["method"], p["scale"], p["average"]) for p in rows(spec, drawn)]
    assert points[:3] == [("a", "small", 0.1), ("a", "medium", 0.2), ("a", "large", 0.3)]
    assert points[3:] == [("b", "small", 0.2), ("b", "medium", 0.25)]
    assert drawn["encoding"]["x"]["scale"]["domain"] == list(SCALES)


def test_every_line_is_named_beside_its_mark():
    spec = lines([line("a", 0.1, 0.2, 0.3), line("b", 0.2, 0.25)], SCALES).spec

    assert texts(spec) == ["a", "b"]
    signs = rows(spec, layers(spec, "point")[1])
    assert [sign["line"] for sign in signs] == ["0", "1"]
    assert signs[0]["y"] < signs[1]["y"]


def test_twelve_lines_can_be_told_apart():
    spec = lines([line(f"m{i}", 0.1, 0.2 + i / 99) for i in range(15)], SCALES).spec

    encoding = layers(spec, "point")[0]["encoding"]
    looks = zip(*(encoding[c]["scale"]["range"] for c in ("color", "shape")), strict=True)
    assert len(set(looks)) == 12


def test_a_method_at_one_scale_is_no_line():
    assert lines([line("a", 0.1)], SCALES) is None


def test_methods_of_one_name_are_told_apart_by_their_team():
    own, other = line("mine", 0.1, 0.2, 0.3), Line("mine", "B", line("", 0.1, 0.1, 0.1).averages)

    assert texts(lines([own, other, line("c", 0.2, 0.2, 0.2)], SCALES).spec) == [
        "mine, A",
        "mine, B",
        "c",
    ]
