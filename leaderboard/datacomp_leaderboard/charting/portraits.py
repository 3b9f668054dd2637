"""What was kept beside the pool: densities, languages, how often samples repeat, and overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datacomp_leaderboard.charting import marks, theme
from datacomp_leaderboard.charting.chart import Chart, Drawing, Frame, data, shown, text_width
from datacomp_leaderboard.charts import nice_axis
from datacomp_leaderboard.formatting import short_count
from datacomp_leaderboard.twins import Column, Table

if TYPE_CHECKING:
    import altair as alt

_SMALL = Frame(360, 200, left=48, right=16)
_ROW = 20
_MAX_BARS = 20
_KEPT_AND_POOL = "The blue line is what was kept, the grey area the pool"


@dataclass(frozen=True)
class Binned:
    """Counts of the pool and of the kept entries in bins; bin i begins at `edges[i]`."""

    name: str
    title: str
    unit: str
    edges: tuple[float, ...]
    pool: tuple[int, ...]
    kept: tuple[int, ...]
    logarithmic: bool = False


def density(binned: Binned) -> Chart | None:
    """How a feature is spread in what was kept and in the pool; None where either is empty."""
    n_pool, n_kept = sum(binned.pool), sum(binned.kept)
    if not n_pool or not n_kept:
        return None
    columns = (
        Column("from", "From", "float", binned.unit),
        Column("to", "To", "float", binned.unit),
        Column("pool", "Pool", "int"),
        Column("kept", "Kept", "int"),
    )
    bins = list(zip(binned.edges, binned.edges[1:], binned.pool, binned.kept, strict=False))
    # bins without anything at either end would squeeze the others
    filled = [i for i, (*_, pool, kept) in enumerate(bins) if pool or kept]
    seen = bins[filled[0] : filled[-1] + 1]
    steps = [
        {"x": low, "to": high, "pool": pool / n_pool, "kept": kept / n_kept}
        for low, high, pool, kept in seen
    ]
    # a step runs to the next point: the last bin needs its end
    closing = {**steps[-1], "x": steps[-1]["to"]}
    middle = _median(seen, 3), _median(seen, 2)
    return Chart(
        name=binned.name,
        title=f"{binned.title}.",
        alt=f"{binned.title}: the median is near {middle[0]:.4g} {binned.unit} in what was kept "
        f"and near {middle[1]:.4g} in the pool.",
        table=Table(binned.name, binned.title, columns, tuple(bins)),
        wide=Drawing(_SMALL, lambda: _steps(binned, [*steps, closing])),
        words=f"{_KEPT_AND_POOL}.",
    )


def _median(bins: Sequence[tuple[Any, ...]], column: int) -> float:
    """The middle of the bin in which half of a column's counts are reached."""
    total, reached = sum(one[column] for one in bins), 0
    for one in bins:
        reached += one[column]
        if 2 * reached >= total:
            return float(one[0] + one[1]) / 2
    raise AssertionError("half of a sum is reached")


def _steps(binned: Binned, steps: Sequence[marks.Row]) -> "alt.LayerChart":
    import altair as alt

    up = nice_axis([0.0, *(max(s["pool"], s["kept"]) for s in steps)], intervals=3)
    kind = "log" if binned.logarithmic else "linear"
    scale = alt.Scale(type=kind, domain=[steps[0]["x"], steps[-1]["x"]], nice=False)
    form = "~s" if binned.logarithmic and binned.edges[0] >= 1 else ".4~g"
    axis = alt.Axis(tickCount=5, format=form, labelFlush=False)
    x = alt.X("x:Q", title=binned.unit, axis=axis, scale=scale)

    def y(field: str) -> "alt.Y":
        return marks.y(field, "share of samples in each bin", up, "~%")

    base = alt.Chart(data(steps)).encode(x=x)
    shown_of_a_bin = marks.tooltip(
        ("x:Q", f"from, {binned.unit}", ".4~g"),
        ("to:Q", "to", ".4~g"),
        ("kept:Q", "kept", ".1%"),
        ("pool:Q", "pool", ".1%"),
    )
    return alt.layer(
        base.mark_area(interpolate="step-after", color=theme.STRONG_LINE, opacity=0.6).encode(
            y=y("pool:Q")
        ),
        base.mark_line(interpolate="step-after", color=theme.DATA, strokeWidth=2).encode(
            y=y("kept:Q")
        ),
        # what a pointer finds: a bin's whole height
        alt.Chart(data(steps[:-1]))
        .mark_rect(opacity=0)
        .encode(x=x, x2=alt.X2("to:Q"), tooltip=shown_of_a_bin),
    )


def languages(rows: Sequence[tuple[str, int, int]]) -> Chart | None:
    """Languages by code, with their rows in the pool and entries kept; None where either is empty.

    The most frequent twenty of the pool are drawn.
    """
    n_pool, n_kept = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if not n_pool or not n_kept:
        return None
    bars = sorted(((c, p / n_pool, k / n_kept) for c, p, k in rows), key=_by_pool)
    columns = (
        Column("language", "Language", "text"),
        Column("pool", "Share of the pool", "float"),
        Column("kept", "Share of what was kept", "float"),
    )
    return _pairs(
        "languages",
        "Languages of the captions.",
        Table("languages", "Languages of the captions", columns, tuple(bars)),
        axis="share of samples",
        words="Blue dots are what was kept, grey bars the pool.",
        width=_SMALL.width,
        alt=f"{bars[0][0]} is the first language of the pool, with {bars[0][1]:.0%} of it and "
        f"{bars[0][2]:.0%} of what was kept.",
    )


def _by_pool(row: tuple[str, float, float]) -> tuple[bool, float]:
    return (row[0] == "other", -row[1])


def overlap(rows: Sequence[tuple[str, float, float]]) -> Chart | None:
    """Other subsets: name, how much of this subset is in it, and how much of it is in this one.

    Shares of unique samples, the largest overlap first; None without rows.
    """
    if not rows:
        return None
    ordered = sorted(rows, key=lambda row: (-row[1], row[0]))
    columns = (
        Column("method", "Other subset", "text"),
        Column("inside", "Of this, in that", "float"),
        Column("covers", "Of that, in this", "float"),
    )
    first = ordered[0]
    return _pairs(
        "overlap",
        "Overlap with other subsets.",
        Table("overlap", "Overlap with other subsets", columns, tuple(ordered)),
        axis="share of unique samples in common",
        words="Grey bars are the share of this subset that is in the other one, blue dots the "
        "share of the other one that is in this.",
        alt=f"{first[1]:.0%} of this subset is inside {shown(first[0], 60)}, "
        f"the nearest of {len(ordered)}.",
    )


def _pairs(
    name: str, title: str, table: Table, *, axis: str, words: str, alt: str, width: int = 560
) -> Chart:
    """Rows of a name and two shares: the first as a bar, the second as a dot."""
    rows = [
        {"name": shown(str(label), 80), "bar": bar, "dot": dot}
        for label, bar, dot in table.rows[:_MAX_BARS]
    ]
    titles = (table.columns[1].label, table.columns[2].label)
    return Chart(
        name=name,
        title=title,
        alt=alt,
        table=table,
        wide=_pair_drawing(rows, titles, axis, width, 34),
        narrow=_pair_drawing(rows, titles, axis, 330, 17),
        words=words,
    )


def _pair_drawing(
    rows: Sequence[marks.Row], titles: tuple[str, str], title: str, width: int, length: int
) -> Drawing:
    left = 16 + round(max(text_width(shown(row["name"], length)) for row in rows))
    frame = Frame(width, _ROW * len(rows) + 60, left, 22, 14, 46)
    points = [{**row, "zero": 0, "y": _ROW * (i + 0.5)} for i, row in enumerate(rows)]
    names = [
        {"text": shown(row["name"], length), "x": -10, "y": row["y"], "align": "right"}
        for row in points
    ]
    across = nice_axis([0.0, *(row[key] for row in rows for key in ("bar", "dot"))])

    def layers() -> "alt.LayerChart":
        import altair as alt

        y = alt.Y("y:Q", axis=None).scale(None)
        tips = marks.tooltip(
            ("name:N", "name", None), ("bar:Q", titles[0], ".1%"), ("dot:Q", titles[1], ".1%")
        )
        base = alt.Chart(data(points)).encode(y=y, tooltip=tips)
        bars = base.mark_bar(height=_ROW - 7, color=theme.STRONG_LINE).encode(
            x=marks.x("zero:Q", title, across, "~%"), x2=alt.X2("bar:Q")
        )
        dots = base.mark_point(filled=True, size=60, color=theme.DATA, opacity=1).encode(
            x=marks.x("dot:Q", title, across, "~%")
        )
        return alt.layer(bars, dots, *marks.texts(names, fontWeight=400))

    return Drawing(frame, layers)


def repeats(rows: Sequence[tuple[str, int]]) -> Chart | None:
    """How many different samples stand in the subset how often: words such as "6–7", and counts.

    None where nothing repeats: one number is no picture.
    """
    drawn = [(label, count) for label, count in rows if count]
    if len(drawn) < 2:
        return None
    total = sum(count for _, count in drawn)
    columns = (
        Column("times", "Times in the subset", "text"),
        Column("samples", "Different samples", "int"),
    )
    points = [{"times": label, "share": n / total, "text": short_count(n)} for label, n in drawn]
    return Chart(
        name="repeats",
        title="How often samples repeat.",
        alt=f"{drawn[0][1] / total:.0%} of the different samples stand in the subset "
        f"{drawn[0][0]} time(s); the most often repeated {drawn[-1][0]} times.",
        table=Table("repeats", "How often samples repeat", columns, tuple(drawn)),
        wide=Drawing(Frame(360, 220, left=48), lambda: _bars(points)),
        words="Numbers on the bars are counts of different samples.",
    )


def _bars(points: Sequence[marks.Row]) -> "alt.LayerChart":
    import altair as alt

    up = nice_axis([0.0, *(point["share"] for point in points)])
    order = [point["times"] for point in points]
    x = alt.X("times:O", title="times in the subset", axis=alt.Axis(labelAngle=0, ticks=False))
    base = alt.Chart(data(points)).encode(
        x=x.scale(domain=order), y=marks.y("share:Q", "share of different samples", up, "~%")
    )
    return alt.layer(
        base.mark_bar(color=theme.DATA, size=22),
        base.mark_text(dy=-8, fontSize=11, color=theme.MUTED).encode(text="text:N"),
    )
