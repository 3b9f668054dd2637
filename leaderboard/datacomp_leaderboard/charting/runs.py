"""What a training run left: a curve over the samples seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datacomp_leaderboard.charting import marks, theme
from datacomp_leaderboard.charting.chart import Chart, Drawing, Frame, data
from datacomp_leaderboard.charts import nice_axis
from datacomp_leaderboard.formatting import short_count
from datacomp_leaderboard.twins import Column, Table

if TYPE_CHECKING:
    import altair as alt


def curve(
    samples: Sequence[int],
    values: Sequence[float],
    *,
    name: str = "loss",
    title: str = "Training loss.",
    unit: str = "nats",
) -> Chart | None:
    """A value over the samples seen, on a logarithmic axis; None with fewer than two points.

    A point at 0 samples has no place on that axis and is left out of the picture.
    """
    points = [
        {"samples": n, "value": value} for n, value in zip(samples, values, strict=True) if n > 0
    ]
    if len(points) < 2:
        return None
    columns = (
        Column("samples", "Samples seen", "int"),
        Column(name, title.rstrip("."), "float", unit),
    )
    first, last = points[0], points[-1]
    up = nice_axis([point["value"] for point in points], intervals=4)

    def layers(frame: Frame) -> "alt.LayerChart":
        import altair as alt

        ends = [first["samples"], last["samples"]]
        x = alt.X(
            "samples:Q",
            title="samples seen",
            axis=alt.Axis(format="~s", tickCount=6, labelOverlap=True),
            scale=alt.Scale(type="log", domain=ends, nice=False),
        )
        y = marks.y("value:Q", f"{title.rstrip('.').lower()}, {unit}", up)
        base = alt.Chart(data(points)).encode(x=x, y=y)
        tips = marks.tooltip(("samples:Q", "samples seen", "~s"), ("value:Q", unit, ".4f"))
        label = {
            "text": f"{last['value']:.3g}",
            "x": frame.inner_width + 6,
            "y": marks.pixel(up, last["value"], frame.inner_height, 0),
            "align": "left",
        }
        return alt.layer(
            base.mark_line(color=theme.DATA, strokeWidth=2),
            base.mark_point(opacity=0, size=120).encode(tooltip=tips),
            *marks.texts([label]),
        )

    wide, narrow = Frame(560, 260, right=54), Frame(330, 240, right=50)
    return Chart(
        name=name,
        title=title,
        alt=f"From {first['value']:.3g} to {last['value']:.3g} {unit} over "
        f"{short_count(int(last['samples']))} samples.",
        table=Table(name, title.rstrip("."), columns, tuple(zip(samples, values, strict=True))),
        wide=Drawing(wide, lambda: layers(wide)),
        narrow=Drawing(narrow, lambda: layers(narrow)),
        words="The axis of samples is logarithmic.",
    )
