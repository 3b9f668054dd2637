"""The chart of what tasks tell apart."""

from datacomp_leaderboard.charting import theme
from datacomp_leaderboard.charting.tasks import Told, separation
from support.vega import layers, rows, texts

TOLD = [Told("quiet", 0.0, -0.2), Told("loud", 40.0, 0.9), Told("even", 1.0, 0.5)]


def test_tasks_stand_at_their_correlation_and_separation():
    spec = separation(TOLD).spec

    [dots] = layers(spec, "point")
    assert [(p["task"], p["correlation"], p["separation"]) for p in rows(spec, dots)] == [
        ("loud", 0.9, 40.0),
        ("even", 0.5, 1.0),
        ("quiet", -0.2, 0.1),
    ]
    assert dots["encoding"]["y"]["scale"] == {"type": "log", "domain": [0.1, 100], "nice": False}
    assert dots["encoding"]["x"]["scale"]["domain"][0] <= -0.2


def test_what_is_below_noise_is_hollow():
    spec = separation(TOLD).spec

    fills = [point["fill"] for point in rows(spec, layers(spec, "point")[0])]
    assert fills == [theme.DATA, theme.DATA, theme.RAISED]
    assert {"loud", "as much as noise"} <= set(texts(spec))


def test_the_table_says_what_was_measured():
    assert separation(TOLD).table.rows[-1] == ("quiet", 0.0, -0.2)
    assert "1 separate by less than noise" in separation(TOLD).alt


def test_two_tasks_are_no_picture():
    assert separation(TOLD[:2]) is None
