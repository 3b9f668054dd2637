"""Averages against the share of the pool that was kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from datacomp_leaderboard.charting import marks, theme
from datacomp_leaderboard.charting.chart import Chart, Drawing, Frame, data, shown
from datacomp_leaderboard.charting.labels import Spot, beside
from datacomp_leaderboard.charts import Axis, nice_axis
from datacomp_leaderboard.twins import Column, Table

if TYPE_CHECKING:
    import altair as alt

Kind = Literal["measured", "reported", "baseline", "truth"]
"""Measured by a worker, reported by its team, a baseline, or chosen with what the builder knows."""

SHAPES = {"measured": "circle", "reported": "circle", "baseline": "square", "truth": "diamond"}
COLOURS = {
    "measured": theme.DATA,
    "reported": theme.DATA,
    "baseline": theme.MUTED,
    "truth": theme.TRUTH,
}
# a hollow dot is filled with paper; a full one has a rim of paper, so that two can be told apart
FILLS = COLOURS | {"reported": theme.RAISED}
RIMS = dict.fromkeys(COLOURS, theme.RAISED) | {"reported": theme.DATA}
_KIND_WORDS = {
    "measured": "filled circles were measured by a worker",
    "reported": "hollow circles were reported by their team",
    "baseline": "squares are baselines",
    "truth": "diamonds were chosen with what the pool's builder knows",
}
# more dots than these are a cloud
MAX_DOTS = 300
_MAX_LABELS, _MAX_WHISKERS = 24, 40
_WIDE = Frame(760, 380)
_NARROW = Frame(330, 340, right=10)
_COLUMNS = (
    Column("method", "Method", "text"),
    Column("team", "Team", "text"),
    Column("share", "Share of the pool", "float"),
    Column("average", "Average", "float"),
    Column("half_width", "± (95%)", "float"),
    Column("kind", "Kind", "text"),
)


@dataclass(frozen=True)
class Kept:
    """A method: its average, half of the average's 95% interval, and its share of the pool."""

    method: str
    team: str
    share: float
    average: float
    half_width: float | None
    kind: Kind

    @property
    def low(self) -> float:
        """The low end of the interval."""
        return self.average - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """The high end of the interval."""
        return self.average + (self.half_width or 0.0)


def share(
    rows: Sequence[Kept],
    *,
    chance: float | None = None,
    n_tasks: int = 0,
    n_rows: int | None = None,
) -> Chart | None:
    """Averages against the share of the pool, best first; None with fewer than two, no picture.

    The first `MAX_DOTS` are drawn; `n_rows` is how many there are, where `rows` are not all.
    `chance` is what guessing scores, drawn where it is near; `n_tasks` how many the average is
    over, 0 if unknown.
    """
    if len(rows) < 2:
        return None
    drawn = rows[:MAX_DOTS]
    ends = [end for row in drawn for end in (row.low, row.high)]
    if chance is not None and min(ends) - chance > max(ends) - min(ends):
        chance = None  # so far below that the picture would be of the way there
    cells = tuple((r.method, r.team, r.share, r.average, r.half_width, r.kind) for r in drawn)
    best = max(drawn, key=lambda row: row.average)
    title = f"average over {n_tasks} tasks" if n_tasks else "average"
    return Chart(
        name="share",
        title="Average against how much of the pool was kept.",
        alt=f"{len(drawn)} methods by share of the pool and average. The highest average, "
        f"{best.average:.3f}, keeps {best.share:.1%} of the pool.",
        table=Table("share", "Average and share of the pool", _COLUMNS, cells),
        wide=Drawing(_WIDE, lambda: _layers(drawn, chance, title, _WIDE, label_length=28)),
        narrow=Drawing(_NARROW, lambda: _layers(drawn, chance, title, _NARROW, label_length=16)),
        words=_words(drawn, n_rows=n_rows or len(rows), chance=chance),
    )


def _words(drawn: Sequence[Kept], *, n_rows: int, chance: float | None) -> str:
    kinds = {row.kind for row in drawn}
    whiskers = len(drawn) <= _MAX_WHISKERS and any(row.half_width is not None for row in drawn)
    words = ["whiskers are 95% intervals"] if whiskers else []
    words += [text for kind, text in _KIND_WORDS.items() if kind in kinds and len(kinds) > 1]
    words += ["the dashed line is chance"] if chance is not None else []
    words += [f"the best {len(drawn)} of {n_rows:,} are drawn"] if n_rows > len(drawn) else []
    text = "; ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _layers(
    rows: Sequence[Kept], chance: float | None, title: str, frame: Frame, label_length: int
) -> "alt.LayerChart":
    import altair as alt

    points = [_point(row) for row in rows]
    ends = [end for row in rows for end in (row.low, row.high)]
    across = nice_axis([0.0, *(point["share"] for point in points)], intervals=5)
    up = nice_axis(ends if chance is None else [*ends, chance], intervals=4)
    whiskers = len(points) <= _MAX_WHISKERS
    spots = []
    for i, (row, point) in enumerate(zip(rows, points, strict=True)):
        x = marks.pixel(across, point["share"], 0, frame.inner_width)
        y, low, high = (
            marks.pixel(up, point[end], frame.inner_height, 0)
            for end in ("average", *(("low", "high") if whiskers else ("average", "average")))
        )
        text = shown(row.method, label_length) if i < _MAX_LABELS else ""
        spots.append(Spot(x, y, high, low, text))
    places = beside(spots, frame.inner_width, frame.inner_height)
    labels = [
        {"text": spot.text, "x": place.x, "y": place.y, "align": place.align}
        for spot, place in zip(spots, places, strict=True)
        if place is not None
    ]

    base = alt.Chart(data(points)).encode(
        x=marks.x("share:Q", "share of the pool that was kept", across, "%")
    )
    parts: list[Any] = []
    if chance is not None:
        parts += marks.level_line(chance, "chance", up, frame)
    if whiskers:
        parts.append(_whiskers(base, title, up))
    parts.append(_dots(base, title, up, crowd=not whiskers))
    return alt.layer(*parts, *marks.texts(labels))


def _point(row: Kept) -> dict[str, Any]:
    return {
        "method": shown(row.method, 80),
        "team": shown(row.team, 80),
        "share": min(row.share, 1.0),
        "average": row.average,
        "low": row.low,
        "high": row.high,
        "kind": row.kind,
    }


def _whiskers(base: "alt.Chart", title: str, up: Axis) -> "alt.Chart":
    import altair as alt

    return base.mark_rule(strokeWidth=1.75, strokeCap="round").encode(
        y=marks.y("low:Q", title, up),
        y2=alt.Y2("high:Q"),
        color=alt.Color("kind:N", scale=marks.ordinal(COLOURS), legend=None),
    )


def _dots(base: "alt.Chart", title: str, up: Axis, *, crowd: bool) -> "alt.Chart":
    import altair as alt

    return base.mark_point(
        size=50 if crowd else 80, strokeWidth=1.25, opacity=0.8 if crowd else 1.0
    ).encode(
        y=marks.y("average:Q", title, up),
        shape=alt.Shape("kind:N", scale=marks.ordinal(SHAPES), legend=None),
        fill=alt.Fill("kind:N", scale=marks.ordinal(FILLS), legend=None),
        stroke=alt.Stroke("kind:N", scale=marks.ordinal(RIMS), legend=None),
        tooltip=marks.tooltip(
            ("method:N", "method", None),
            ("team:N", "team", None),
            ("average:Q", "average", ".3f"),
            ("low:Q", "95% from", ".3f"),
            ("high:Q", "to", ".3f"),
            ("share:Q", "of the pool", ".1%"),
        ),
    )
