"""Averages of the same methods across scales, one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datacomp_leaderboard.charting import marks, theme
from datacomp_leaderboard.charting.chart import Chart, Drawing, Frame, data, shown
from datacomp_leaderboard.charting.labels import apart
from datacomp_leaderboard.charts import nice_axis
from datacomp_leaderboard.twins import Column, Table

if TYPE_CHECKING:
    import altair as alt

_MAX_LINES = 12
_WIDE = Frame(760, 400, right=200)
_NARROW = Frame(330, 360, right=110)
_COLUMNS = (
    Column("method", "Method", "text"),
    Column("team", "Team", "text"),
    Column("scale", "Scale", "text"),
    Column("average", "Average", "float"),
    Column("half_width", "± (95%)", "float"),
)


@dataclass(frozen=True)
class Line:
    """A method: its average at each scale that it has, and half of the 95% interval if known."""

    method: str
    team: str
    averages: Mapping[str, tuple[float, float | None]]


def lines(
    methods: Sequence[Line], scales: Sequence[str], *, name: str = "lines", n_tasks: int = 0
) -> Chart | None:
    """Methods across scales, in the order of `scales`; None with no method at two of them.

    Scales are drawn at one distance: each sees ten times the samples of the one before.
    """
    drawn = [line for line in methods if len(line.averages) > 1][:_MAX_LINES]
    if not drawn:
        return None
    cells = tuple(
        (line.method, line.team, scale, *line.averages[scale])
        for line in drawn
        for scale in scales
        if scale in line.averages
    )
    cut = f" The best {len(drawn)} of {len(methods)} are drawn."
    more = cut if len(methods) > len(drawn) else ""
    return Chart(
        name=name,
        title="The same methods across scales.",
        alt=f"{len(drawn)} methods, each a line over the scales {', '.join(scales)}; the table "
        "has their averages.",
        table=Table(name, "Averages across scales", _COLUMNS, cells),
        wide=_drawing(drawn, scales, n_tasks, _WIDE, 26),
        narrow=_drawing(drawn, scales, n_tasks, _NARROW, 13),
        words=f"Whiskers are 95% intervals, where they are known.{more}",
    )


def _drawing(
    methods: Sequence[Line], scales: Sequence[str], n_tasks: int, frame: Frame, length: int
) -> Drawing:
    points = [
        {
            "line": str(i),
            "method": shown(line.method, 80),
            "team": shown(line.team, 80),
            "scale": scale,
            "average": line.averages[scale][0],
            "low": line.averages[scale][0] - (line.averages[scale][1] or 0.0),
            "high": line.averages[scale][0] + (line.averages[scale][1] or 0.0),
        }
        for i, line in enumerate(methods)
        for scale in scales
        if scale in line.averages
    ]
    up = nice_axis([end for p in points for end in (p["low"], p["high"])], intervals=5)  # type: ignore[misc]
    last = [next(s for s in reversed(scales) if s in line.averages) for line in methods]
    step = frame.inner_width / max(len(scales) - 1, 1)
    ys = [
        marks.pixel(up, line.averages[scale][0], frame.inner_height, 0)
        for line, scale in zip(methods, last, strict=True)
    ]
    # only lines that reach the largest scale end where there is room for a name
    ending = [i for i, scale in enumerate(last) if scale == scales[-1]]
    places = dict(zip(ending, apart([ys[i] for i in ending], 0, frame.inner_height), strict=True))
    labels = [
        {
            "text": shown(methods[i].method, length),
            "x": scales.index(last[i]) * step + 10,
            "y": y,
            "align": "left",
        }
        for i, y in places.items()
    ]
    title = f"average over {n_tasks} tasks" if n_tasks else "average"

    def layers() -> "alt.LayerChart":
        import altair as alt

        series = theme.SERIES
        names = [str(i) for i in range(len(methods))]
        colours = {name: series[i % len(series)] for i, name in enumerate(names)}
        shapes = {name: theme.SHAPES[i % len(theme.SHAPES)] for i, name in enumerate(names)}
        across = alt.X(
            "scale:O",
            title="scale",
            axis=alt.Axis(labelAngle=0),
            scale=alt.Scale(domain=list(scales), type="point", padding=0),
        )
        base = alt.Chart(data(points)).encode(
            x=across, color=alt.Color("line:N", scale=marks.ordinal(colours), legend=None)
        )
        y = marks.y("average:Q", title, up)
        parts: list[Any] = [
            base.mark_line(strokeWidth=1.5).encode(y=y),
            base.mark_rule(strokeWidth=1.5).encode(
                y=marks.y("low:Q", title, up), y2=alt.Y2("high:Q")
            ),
            base.mark_point(size=50, filled=True, opacity=1).encode(
                y=y,
                shape=alt.Shape("line:N", scale=marks.ordinal(shapes), legend=None),
                tooltip=marks.tooltip(
                    ("method:N", "method", None),
                    ("team:N", "team", None),
                    ("scale:O", "scale", None),
                    ("average:Q", "average", ".3f"),
                ),
            ),
        ]
        return alt.layer(*parts, *marks.texts(labels))

    return Drawing(frame, layers)
