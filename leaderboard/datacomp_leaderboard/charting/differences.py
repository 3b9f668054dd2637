"""Differences per task: a submission beside a reference, or methods beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datacomp_leaderboard.charting import marks, theme
from datacomp_leaderboard.charting.chart import Chart, Drawing, Frame, data, shown, text_width
from datacomp_leaderboard.charts import nice_axis
from datacomp_leaderboard.twins import Column, Table

if TYPE_CHECKING:
    import altair as alt

_MAX_METHODS = len(theme.SERIES)
# height of a row, margins above and below, and the one in which a wide drawing names the groups
_ROW, _TOP, _BOTTOM, _GROUPS, _KEY_LINE = 17, 12, 46, 130, 20
_COLUMNS = (
    Column("task", "Task", "text"),
    Column("group", "Group", "text"),
    Column("method", "Method", "text"),
    Column("difference", "Difference", "float", "points"),
    Column("half_width", "± (95%)", "float", "points"),
    Column("noise", "Noise band ±", "float", "points"),
)


@dataclass(frozen=True)
class Difference:
    """How much better a method is in a task than the reference, in points of a hundred.

    `half_width` is half of the difference's 95% interval, `noise` half the width of the band in
    which differences of the task lie that its test items alone make; None where not known.
    """

    task: str
    group: str
    method: str
    delta: float
    half_width: float | None = None
    noise: float | None = None


def differences(
    rows: Sequence[Difference],
    *,
    reference: str,
    name: str = "fingerprint",
    title: str = "Task by task, beside the reference.",
) -> Chart | None:
    """One row a task in the order of `rows`, one mark a method; None without rows.

    `reference` is the name of what stands at 0. Of more than six methods the first six are drawn.
    """
    methods = list(dict.fromkeys(row.method for row in rows))[:_MAX_METHODS]
    drawn = [row for row in rows if row.method in methods]
    if not drawn:
        return None
    cells = tuple((r.task, r.group, r.method, r.delta, r.half_width, r.noise) for r in drawn)
    clear = [r for r in drawn if r.half_width is not None and abs(r.delta) > r.half_width]
    better = sum(row.delta > 0 for row in clear)
    words = "Whiskers are 95% intervals"
    if any(row.noise is not None for row in drawn):
        words += "; a difference inside the grey band can come from the test items alone"
    if len(methods) == 1:
        words += "; hollow dots cannot be told from 0"
    n_tasks = len({row.task for row in drawn})
    return Chart(
        name=name,
        title=title,
        alt=f"Differences to {shown(reference, 60)} in {n_tasks} tasks, in points: {better} better "
        f"and {len(clear) - better} worse beyond their 95% intervals.",
        table=Table(name, f"Differences to {shown(reference, 60)}", _COLUMNS, cells),
        wide=_drawing(drawn, methods, reference, width=760, label_length=34),
        narrow=_drawing(drawn, methods, reference, width=330, label_length=19),
        words=f"{words}.",
    )


def _drawing(
    rows: Sequence[Difference],
    methods: Sequence[str],
    reference: str,
    *,
    width: int,
    label_length: int,
) -> Drawing:
    tasks = list(dict.fromkeys(row.task for row in rows))
    groups = {row.task: row.group for row in rows}
    step = max(_ROW, 9 * len(methods))
    left = 14 + round(max(text_width(shown(task, label_length)) for task in tasks))
    right = _GROUPS if width > 500 else 16
    key = _key(methods, width, left) if len(methods) > 1 else []
    top = _TOP + _KEY_LINE * (key[-1]["line"] + 1 if key else 0)
    frame = Frame(width, step * len(tasks) + top + _BOTTOM, left, right, top, _BOTTOM)
    # the noisiest task must not flatten all others: whiskers may run out of the picture
    widest = max(abs(row.delta) for row in rows)
    halves = sorted(row.half_width or 0.0 for row in rows)
    widest += halves[min(len(halves) - 1, int(0.8 * len(halves)))]
    across = nice_axis([-widest, widest], intervals=6)
    middle = {task: step * (i + 0.5) for i, task in enumerate(tasks)}
    points = [_point(row, methods, middle[row.task], across.low, across.high) for row in rows]
    bands = [
        {
            "low": max(-row.noise, across.low),
            "high": min(row.noise, across.high),
            "y": middle[row.task],
        }
        for row in {row.task: row for row in rows}.values()
        if row.noise is not None
    ]
    names = [
        {"text": shown(task, label_length), "x": -10, "y": middle[task], "align": "right"}
        for task in tasks
    ]
    x_title = f"difference to {shown(reference, 40 if width > 500 else 18)}, points"

    def layers() -> "alt.LayerChart":
        import altair as alt

        def x(field: str) -> "alt.X":
            return marks.x(field, x_title, across, "+~f")

        y = alt.Y("y:Q", axis=None).scale(None)
        base = alt.Chart(data(points)).encode(
            y=y, color=alt.Color("series:N", scale=marks.ordinal(_colours(methods)), legend=None)
        )
        parts: list[Any] = [
            alt.Chart(data(bands))
            .mark_bar(height=step - 3, color=theme.LINE)
            .encode(x=x("low:Q"), x2=alt.X2("high:Q"), y=y),
            alt.Chart(data([{"zero": 0}])).mark_rule(color=theme.STRONG_LINE).encode(x=x("zero:Q")),
            base.mark_rule(strokeWidth=1.5, clip=True).encode(x=x("low:Q"), x2=alt.X2("high:Q")),
            base.mark_point(size=46, strokeWidth=1.5).encode(
                x=x("delta:Q"),
                shape=alt.Shape("series:N", scale=marks.ordinal(_shapes(methods)), legend=None),
                fill=alt.Fill("fill:N", scale=None, legend=None),
                tooltip=marks.tooltip(
                    ("task:N", "task", None),
                    ("method:N", "method", None),
                    ("delta:Q", "difference, points", "+.2f"),
                    ("half:Q", "± (95%)", ".2f"),
                ),
            ),
        ]
        return alt.layer(
            *(parts if bands else parts[1:]),
            *_separators(tasks, groups, step, frame),
            *marks.texts(names, fontWeight=400),
            *(_key_layers(key, methods) if key else []),
        )

    return Drawing(frame, layers)


def _point(
    row: Difference, methods: Sequence[str], middle: float, low: float, high: float
) -> dict[str, Any]:
    place = methods.index(row.method)
    half = row.half_width or 0.0
    told = len(methods) > 1 or row.half_width is None or abs(row.delta) > half
    return {
        "task": shown(row.task, 80),
        "method": shown(row.method, 80),
        "series": str(place),
        "delta": row.delta,
        "half": row.half_width,
        "low": max(row.delta - half, low),
        "high": min(row.delta + half, high),
        "y": middle + 9 * (place - (len(methods) - 1) / 2),
        "fill": theme.SERIES[place] if told else theme.RAISED,
    }


def _separators(
    tasks: Sequence[str], groups: Mapping[str, str], step: int, frame: Frame
) -> "list[alt.Chart]":
    """A line above the first task of each group, and the group's name at its right."""
    import altair as alt

    firsts = [
        (i * step, groups[task])
        for i, task in enumerate(tasks)
        if groups[task] and (i == 0 or groups[task] != groups[tasks[i - 1]])
    ]
    if len(firsts) < 2:
        return []
    across = [
        {"y": y, "x": -frame.left + 4, "x2": frame.inner_width + frame.right}
        for y, _ in firsts
        if y
    ]
    rule = alt.Chart(data(across)).mark_rule(color=theme.LINE)
    lines = rule.encode(
        y=alt.Y("y:Q", axis=None).scale(None),
        x=alt.X("x:Q", axis=None).scale(None),
        x2=alt.X2("x2:Q"),
    )
    if frame.right < _GROUPS:
        return [lines]
    words = [
        {"text": shown(group, 22), "x": frame.inner_width + 8, "y": y + step / 2, "align": "left"}
        for y, group in firsts
    ]
    quiet = marks.texts(words, color=theme.MUTED, fontWeight=400, fontSize=11)
    return [lines, *quiet]


def _key(methods: Sequence[str], width: int, left: int) -> list[dict[str, Any]]:
    """Where the name of every method stands above the plot, in as many lines as it takes."""
    x, line = 0.0, 0
    entries: list[dict[str, Any]] = []
    for i, method in enumerate(methods):
        text = shown(method, 30)
        needed = text_width(text) + 34
        if x and x + needed > width:
            x, line = 0.0, line + 1
        at = x + 10 - left
        entries.append(
            {"series": str(i), "text": text, "dot": at, "x": at + 12, "line": line, "align": "left"}
        )
        x += needed
    lines = line + 1
    return [entry | {"y": -_KEY_LINE * (lines - entry["line"]) - 2.0} for entry in entries]


def _key_layers(entries: Sequence[marks.Row], methods: Sequence[str]) -> "list[alt.Chart]":
    import altair as alt

    dots = (
        alt.Chart(data(entries))
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("dot:Q", axis=None).scale(None),
            y=alt.Y("y:Q", axis=None).scale(None),
            color=alt.Color("series:N", scale=marks.ordinal(_colours(methods)), legend=None),
            shape=alt.Shape("series:N", scale=marks.ordinal(_shapes(methods)), legend=None),
        )
    )
    return [dots, *marks.texts(entries)]


def _colours(methods: Sequence[str]) -> dict[str, str]:
    return {str(i): theme.SERIES[i] for i in range(len(methods))}


def _shapes(methods: Sequence[str]) -> dict[str, str]:
    return {str(i): theme.SHAPES[i] for i in range(len(methods))}
