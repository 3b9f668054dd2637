"""Charts of a subset beside its pool, and of its run: what is drawn."""

from datacomp_leaderboard.charting.portraits import Binned, density, languages, overlap, repeats
from datacomp_leaderboard.charting.runs import curve
from support.vega import layers, rows, texts


def binned(pool=(0, 6, 2, 0), kept=(0, 1, 3, 0), logarithmic=False):
    return Binned("width", "Width", "pixels", (1, 2, 4, 8, 16), pool, kept, logarithmic)


def test_densities_are_shares_of_what_was_kept_and_of_the_pool():
    spec = density(binned()).spec

    [area], [line] = layers(spec, "area"), layers(spec, "line")
    assert (area["encoding"]["y"]["field"], line["encoding"]["y"]["field"]) == ("pool", "kept")
    assert line["mark"]["interpolate"] == "step-after"
    steps = [(step["x"], step["pool"], step["kept"]) for step in rows(spec, line)]
    assert steps == [(2, 0.75, 0.25), (4, 0.25, 0.75), (8, 0.25, 0.75)]


def test_bins_that_grow_by_factors_stand_on_a_logarithmic_axis():
    for logarithmic, kind in ((True, "log"), (False, "linear")):
        spec = density(binned(logarithmic=logarithmic)).spec
        scale = layers(spec, "line")[0]["encoding"]["x"]["scale"]
        assert scale == {"type": kind, "domain": [2, 8], "nice": False}


def test_ratios_are_no_thousandths():
    ratio = Binned("aspect", "Aspect", "ratio", (0.5, 1, 2), (1, 1), (1, 1), logarithmic=True)

    for one, form in ((ratio, ".4~g"), (binned(logarithmic=True), "~s")):
        axis = layers(density(one).spec, "line")[0]["encoding"]["x"]["axis"]
        assert axis["format"] == form


def test_a_density_says_where_the_middles_are():
    assert "near 6 pixels in what was kept and near 3 in the pool" in density(binned()).alt


def test_the_table_of_a_density_has_every_bin():
    assert density(binned()).table.rows[1] == (2, 4, 6, 1)
    assert len(density(binned()).table.rows) == 4


def test_nothing_kept_is_no_picture():
    assert density(binned(kept=(0, 0, 0, 0))) is None
    assert languages([("en", 10, 0)]) is None
    assert overlap([]) is None


def test_languages_are_ordered_by_the_pool_and_the_rest_comes_last():
    chart = languages([("other", 50, 1), ("de", 10, 1), ("en", 40, 8)])

    assert chart.table.rows == (("en", 0.4, 0.8), ("de", 0.1, 0.1), ("other", 0.5, 0.1))
    bars, dots = layers(chart.spec, "bar")[0], layers(chart.spec, "point")[0]
    assert (bars["encoding"]["x2"]["field"], dots["encoding"]["x"]["field"]) == ("bar", "dot")
    first = rows(chart.spec, bars)[0]
    assert (first["bar"], first["dot"]) == (0.4, 0.8)


def test_the_nearest_other_subset_comes_first():
    chart = overlap([("b", 0.2, 0.9), ("a", 0.87, 0.4)])

    assert [row[0] for row in chart.table.rows] == ["a", "b"]
    assert "87% of this subset is inside a" in chart.alt
    assert layers(chart.spec, "bar")[0]["encoding"]["x"]["scale"]["domain"] == [0, 1]


def test_repeats_are_bars_with_their_counts():
    chart = repeats([("1", 3000), ("2", 0), ("3", 1000)])

    drawn = rows(chart.spec, layers(chart.spec, "bar")[0])
    assert [(bar["times"], bar["share"]) for bar in drawn] == [("1", 0.75), ("3", 0.25)]
    assert texts(chart.spec) == ["3,000", "1,000"]
    assert repeats([("1", 3000), ("2", 0)]) is None


def test_a_curve_runs_over_the_logarithm_of_samples():
    chart = curve([0, 100, 1000], [9.0, 5.0, 2.0])

    [line] = layers(chart.spec, "line")
    x = line["encoding"]["x"]
    assert x["scale"] == {"type": "log", "domain": [100, 1000], "nice": False}
    assert [point["value"] for point in rows(chart.spec, line)] == [5.0, 2.0]
    assert line["encoding"]["y"]["title"] == "training loss, nats"
    assert texts(chart.spec) == ["2"]
    assert len(chart.table.rows) == 3
    assert curve([0, 100], [9.0, 5.0]) is None
