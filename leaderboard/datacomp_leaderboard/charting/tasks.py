"""What tasks tell apart: how far beyond noise methods differ in each, and what follows the rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datacomp_leaderboard.charting import marks, theme
from datacomp_leaderboard.charting.chart import Chart, Drawing, Frame, data, shown
from datacomp_leaderboard.charting.labels import Spot, beside
from datacomp_leaderboard.charts import Axis, nice_axis
from datacomp_leaderboard.twins import Column, Table

if TYPE_CHECKING:
    import altair as alt

# what tells less than this apart tells nothing, and a logarithm has no 0
_LEAST = 0.1
_WIDE, _NARROW = Frame(760, 400), Frame(330, 360, right=10)
_COLUMNS = (
    Column("task", "Task", "text"),
    Column("separation", "Separation", "float"),
    Column("correlation", "Correlation", "float"),
)


@dataclass(frozen=True)
class Told:
    """A task: the variance between methods beyond noise, as a multiple of the variance of noise;
    and its correlation with the mean of all other tasks."""

    task: str
    separation: float
    correlation: float


def separation(rows: Sequence[Told], *, name: str = "separation") -> Chart | None:
    """Separation, on a logarithmic axis, against correlation; None with fewer than three tasks."""
    if len(rows) < 3:
        return None
    drawn = sorted(rows, key=lambda row: (-row.separation, row.task))
    quiet = sum(row.separation < 1 for row in drawn)
    return Chart(
        name=name,
        title="What tells methods apart, and what goes with the rest.",
        alt=f"{len(drawn)} tasks by correlation with the others and separation of methods. "
        f"{shown(drawn[0].task, 60)} separates them best; {quiet} separate by less than noise.",
        table=Table(
            name,
            "Separation and correlation of tasks",
            _COLUMNS,
            tuple((row.task, row.separation, row.correlation) for row in drawn),
        ),
        wide=Drawing(_WIDE, lambda: _layers(drawn, _WIDE, 26)),
        narrow=Drawing(_NARROW, lambda: _layers(drawn, _NARROW, 15)),
        words="Above the dashed line methods differ by more than noise; hollow dots are below it. "
        f"The axis of separation is logarithmic; {_LEAST:g} stands for all that is less.",
    )


def _layers(rows: Sequence[Told], frame: Frame, length: int) -> "alt.LayerChart":
    import altair as alt

    top = max(1.0, math.ceil(math.log10(max(row.separation for row in rows) or 1.0)))
    up = Axis(math.log10(_LEAST), top, (), 0.0)
    across = nice_axis([0.0, *(row.correlation for row in rows)], intervals=5)
    points = [
        {
            "task": shown(row.task, 80),
            "separation": max(row.separation, _LEAST),
            "correlation": row.correlation,
            "fill": theme.DATA if row.separation >= 1 else theme.RAISED,
        }
        for row in rows
    ]
    spots = []
    for row in rows:
        x = marks.pixel(across, row.correlation, 0, frame.inner_width)
        y = marks.pixel(up, math.log10(max(row.separation, _LEAST)), frame.inner_height, 0)
        spots.append(Spot(x, y, y, y, shown(row.task, length)))
    places = beside(spots, frame.inner_width, frame.inner_height)
    labels = [
        {"text": spot.text, "x": place.x, "y": place.y, "align": place.align}
        for spot, place in zip(spots, places, strict=True)
        if place is not None
    ]
    ticks = [10.0**power for power in range(round(up.low), round(top) + 1)]
    axis = alt.Axis(values=ticks, format="~r", labelOverlap=True)
    scale = alt.Scale(type="log", domain=[ticks[0], ticks[-1]], nice=False)
    dots = (
        alt.Chart(data(points))
        .mark_point(size=70, strokeWidth=1.5, color=theme.DATA)
        .encode(
            x=marks.x("correlation:Q", "correlation with the mean of all other tasks", across),
            y=alt.Y("separation:Q", title="separation, times noise", axis=axis, scale=scale),
            fill=alt.Fill("fill:N", scale=None, legend=None),
            tooltip=marks.tooltip(
                ("task:N", "task", None),
                ("separation:Q", "separation, times noise", ".2~f"),
                ("correlation:Q", "correlation", ".2f"),
            ),
        )
    )
    line = marks.level_line(0.0, "as much as noise", up, frame)
    return alt.layer(*line, dots, *marks.texts(labels, fontWeight=400))
