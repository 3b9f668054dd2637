"""The chart of averages against the share of the pool: what is drawn, and where."""

import pytest

from datacomp_leaderboard.charting.averages import Kept, share
from support.vega import layers, rows, texts


def kept(average=0.3, share=0.2, half_width=0.01, kind="measured", method="mine"):
    return Kept(method, "Alpha", share, average, half_width, kind)


def test_a_dot_stands_at_its_share_and_average_with_its_interval():
    spec = share([kept(), kept(0.2, 0.5, None, "reported")], n_tasks=38).spec

    [dots] = layers(spec, "point")
    assert (dots["encoding"]["x"]["field"], dots["encoding"]["y"]["field"]) == ("share", "average")
    assert dots["encoding"]["y"]["title"] == "average over 38 tasks"
    drawn = rows(spec, dots)
    assert [(r["share"], r["average"], r["kind"]) for r in drawn] == [
        (0.2, 0.3, "measured"),
        (0.5, 0.2, "reported"),
    ]
    whiskers = layers(spec, "rule")[0]["encoding"]
    assert (whiskers["y"]["field"], whiskers["y2"]["field"]) == ("low", "high")
    assert (drawn[0]["low"], drawn[0]["high"]) == pytest.approx((0.29, 0.31))
    assert drawn[1]["low"] == drawn[1]["high"] == 0.2


def test_the_axes_hold_every_interval_and_begin_with_nothing_kept():
    spec = share([kept(0.31, 0.2, 0.02), kept(0.22, 0.9, 0.01)]).spec

    encoding = layers(spec, "point")[0]["encoding"]
    assert encoding["x"]["scale"]["domain"] == [0, 1]
    low, high = encoding["y"]["scale"]["domain"]
    assert low <= 0.21
    assert high >= 0.33
    assert encoding["y"]["axis"]["values"][0] == low


def test_kinds_differ_in_shape_or_filling():
    kinds = ("measured", "reported", "baseline", "truth")
    spec = share([kept(kind=kind) for kind in kinds]).spec
    encoding = layers(spec, "point")[0]["encoding"]

    def drawn(channel, kind):
        scale = encoding[channel]["scale"]
        return scale["range"][scale["domain"].index(kind)]

    assert len({(drawn("shape", kind), drawn("fill", kind)) for kind in kinds}) == 4
    assert encoding["shape"]["legend"] is None


def test_chance_is_drawn_where_it_is_near():
    near, far = (share([kept(0.3), kept(0.2)], chance=chance) for chance in (0.15, 0.001))

    assert "the dashed line is chance" in near.words
    assert "chance" not in far.words
    assert "chance" in texts(near.spec)


def test_names_stand_beside_their_dots():
    chart = share([kept(0.3, 0.2, method="one"), kept(0.2, 0.8, method="two " * 20)])

    labels = texts(chart.spec)
    assert {text[:3] for text in labels} == {"one", "two"}
    assert all(len(text) <= 28 for text in labels)


def test_a_cloud_has_no_whiskers_and_says_what_is_left_out():
    chart = share([kept(0.4 - i / 2000, i / 400) for i in range(400)])

    assert layers(chart.spec, "rule") == []
    assert "the best 300 of 400 are drawn." in chart.words.lower()
    assert len(chart.table.rows) == 300


def test_one_number_is_no_picture():
    assert share([]) is None
    assert share([kept()]) is None
