"""Pieces that several charts are drawn with, as altair layers and encodings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datacomp_leaderboard.charting import theme
from datacomp_leaderboard.charting.chart import Frame, data
from datacomp_leaderboard.charts import Axis

if TYPE_CHECKING:
    import altair as alt

Row = Mapping[str, Any]


def x(field: str, title: str, ticks: Axis, form: str | None = None) -> "alt.X":
    """A linear x encoding with exactly these ticks; `form` is a d3 number format.

    Layers that share an axis must all name it in the same words, or Vega-Lite joins them.
    """
    import altair as alt

    return alt.X(field, title=title, axis=_axis(ticks, form)).scale(domain=_ends(ticks))


def y(field: str, title: str, ticks: Axis, form: str | None = None) -> "alt.Y":
    """The same for y."""
    import altair as alt

    return alt.Y(field, title=title, axis=_axis(ticks, form)).scale(domain=_ends(ticks))


def _axis(ticks: Axis, form: str | None) -> "alt.Axis":
    import altair as alt

    options: dict[str, Any] = {"values": list(ticks.ticks), "labelOverlap": True}
    return alt.Axis(**options, **({"format": form} if form else {}))


def _ends(ticks: Axis) -> list[float]:
    return [ticks.low, ticks.high]


def ordinal(values: Mapping[str, str]) -> "alt.Scale":
    """A scale from names to colours or shapes."""
    import altair as alt

    return alt.Scale(domain=list(values), range=list(values.values()))


def pixel(of: Axis, value: float, start: float, end: float) -> float:
    """Where `value` is drawn, from `start` at the axis's low end to `end` at its high one."""
    share = (min(max(value, of.low), of.high) - of.low) / (of.high - of.low)
    return round(start + share * (end - start), 1)


def texts(rows: Iterable[Row], **mark: Any) -> "list[alt.Chart]":
    """Labels at pixels of the plot: rows of text, x, y and align ("left" or "right")."""
    import altair as alt

    layers = []
    rows = list(rows)
    for align in sorted({row["align"] for row in rows}):
        chosen = data(row for row in rows if row["align"] == align)
        options = {"align": align, "baseline": "middle", "fontWeight": 600} | mark
        layers.append(
            alt.Chart(chosen)
            .mark_text(**options)
            .encode(
                x=alt.X("x:Q", axis=None).scale(None),
                y=alt.Y("y:Q", axis=None).scale(None),
                text="text:N",
            )
        )
    return layers


def level_line(value: float, text: str, up: Axis, frame: Frame) -> "list[alt.Chart]":
    """A dashed line across the plot at `value`, with words at its right end."""
    import altair as alt

    y = pixel(up, value, frame.inner_height, 0)
    rule = alt.Chart(data([{"y": y}])).mark_rule(color=theme.MUTED, strokeDash=[2, 3])
    line = rule.encode(y=alt.Y("y:Q", axis=None).scale(None))
    words = {"text": text, "x": frame.inner_width, "y": y - 8, "align": "right"}
    return [line, *texts([words], color=theme.MUTED, fontWeight=400)]


def tooltip(*fields: tuple[str, str, str | None]) -> "Sequence[alt.Tooltip]":
    """What a pointer shows of a mark: field with its type, title, and number format."""
    import altair as alt

    return [
        alt.Tooltip(name, title=title, **({"format": form} if form else {}))
        for name, title, form in fields
    ]
