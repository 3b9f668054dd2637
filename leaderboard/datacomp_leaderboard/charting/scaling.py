"""Averages of the same methods across scales, one line each."""

from collections import Counter
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
_WIDE = Frame(760, 400, right=220)
_NARROW = Frame(330, 360, right=120)
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
    up = nice_axis([end for p in points for end in (p["low"], p["high"])], intervals=6)  # type: ignore[misc]
    last = [next(s for s in reversed(scales) if s in line.averages) for line in methods]
    ys = [
        marks.pixel(up, line.averages[scale][0], frame.inner_height, 0)
        for line, scale in zip(methods, last, strict=True)
    ]
    # a name stands at the height of its line's end, with the line's mark, also if it ends before
    places = apart(ys, 0, frame.inner_height)
    alike = Counter(line.method for line in methods)
    labels = [
        {
            "line": str(i),
            "text": shown(_name(line, alike), length),
            "dot": frame.inner_width + 16,
            "x": frame.inner_width + 26,
            "y": y,
            "align": "left",
        }
        for i, (line, y) in enumerate(zip(methods, places, strict=True))
    ]
    title = f"average over {n_tasks} tasks" if n_tasks else "average"

    def layers() -> "alt.LayerChart":
        import altair as alt

        series = theme.SERIES
        names = [str(i) for i in range(len(methods))]
        colours = {name: series[i % len(series)] for i, name in enumerate(names)}
        # the second round of colours has other shapes
        shapes = {name: theme.SHAPES[(i + i // 6) % 6] for i, name in enumerate(names)}
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
        signs = (
            alt.Chart(data(labels))
            .mark_point(size=50, filled=True)
            .encode(
                x=alt.X("dot:Q", axis=None).scale(None),
                y=alt.Y("y:Q", axis=None).scale(None),
                color=alt.Color("line:N", scale=marks.ordinal(colours), legend=None),
                shape=alt.Shape("line:N", scale=marks.ordinal(shapes), legend=None),
            )
        )
        return alt.layer(*parts, signs, *marks.texts(labels))

    return Drawing(frame, layers)


def _name(line: Line, alike: Mapping[str, int]) -> str:
    return f"{line.method}, {line.team}" if alike[line.method] > 1 else line.method
