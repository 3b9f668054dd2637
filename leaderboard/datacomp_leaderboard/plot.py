"""The plot of average against share of the pool: positions only, drawn by a template.

Labels stand beside their dots where they cover no other label, dot or whisker. The best rows
choose first; a label that finds no free place is left out, for the table has every name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from datacomp_leaderboard.charts import Axis, interval_ends, nice_axis
from datacomp_leaderboard.pages import BoardLine, Plot, PlotPoint

_CHARACTER, _LABEL_HEIGHT, _DOT = 7.0, 15.0, 7.0
# more than this many dots are a cloud; the table names them
_MAX_POINTS = 24


@dataclass(frozen=True)
class Frame:
    """Size of a plot and how long its labels may be, in SVG units and characters."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    label_length: int

    def x(self, share: float, axis: Axis) -> float:
        """Position of a share of the pool."""
        part = min(share, axis.high) / axis.high
        return round(self.left + part * (self.right - self.left), 1)

    def y(self, value: float, axis: Axis) -> float:
        """Position of an average."""
        share = (min(max(value, axis.low), axis.high) - axis.low) / (axis.high - axis.low)
        return round(self.bottom - share * (self.bottom - self.top), 1)


WIDE = Frame(800, 400, 48, 788, 16, 350, label_length=28)
NARROW = Frame(360, 360, 40, 350, 16, 310, label_length=16)

# left, top, right, bottom
_Box = tuple[float, float, float, float]


def share_plot(lines: Sequence[BoardLine], chance: float | None, frame: Frame) -> Plot | None:
    """The plot of the best rows; None with fewer than two numbers, which are no picture."""
    drawn = [line for line in lines if line.row.average is not None][:_MAX_POINTS]
    if len(drawn) < 2:
        return None
    ends = [end for line in drawn if line.row.average for end in interval_ends(line.row.average)]
    across = nice_axis([0.0, *(min(line.row.share, 1.0) for line in drawn)], intervals=5)
    axis = nice_axis(ends if chance is None else [*ends, chance], intervals=4)
    bare = [_point(line, across, axis, frame) for line in drawn]
    taken = [_dot_box(point) for point in bare]
    points = []
    for point in bare:
        label = _labelled(point, frame, taken)
        taken.append(_label_box(label))
        points.append(label)
    return Plot(
        width=frame.width,
        height=frame.height,
        left=frame.left,
        right=frame.right,
        bottom=frame.bottom,
        points=tuple(points),
        x_ticks=tuple((frame.x(tick, across), f"{100 * tick:.6g}%") for tick in across.ticks),
        y_ticks=tuple((frame.y(tick, axis), f"{tick:g}") for tick in axis.ticks),
        chance_y=None if chance is None else frame.y(chance, axis),
    )


def _point(line: BoardLine, across: Axis, axis: Axis, frame: Frame) -> PlotPoint:
    average = line.row.average
    assert average is not None
    half = average.half_width or 0.0
    name = line.row.method
    if len(name) > frame.label_length:
        name = name[: frame.label_length - 1].rstrip() + "…"
    x, y = frame.x(line.row.share, across), frame.y(average.mean, axis)
    low, high = frame.y(average.mean - half, axis), frame.y(average.mean + half, axis)
    return PlotPoint(line, x, y, low, high, name, x, y, "start")


def _labelled(point: PlotPoint, frame: Frame, taken: Sequence[_Box]) -> PlotPoint:
    """`point` with its label at the first free place, or without one."""
    beside = _DOT + 5
    for dy in (0.0, -_LABEL_HEIGHT, _LABEL_HEIGHT, -2 * _LABEL_HEIGHT, 2 * _LABEL_HEIGHT):
        for dx, anchor in ((beside, "start"), (-beside, "end")):
            moved = _moved(point, dx, dy, anchor)
            box = _label_box(moved)
            inside = frame.left <= box[0] and box[2] <= frame.right + 8
            if inside and not any(_cover(box, other) for other in taken):
                return moved
    return replace(point, label="")


def _moved(point: PlotPoint, dx: float, dy: float, anchor: str) -> PlotPoint:
    x, y = round(point.x + dx, 1), round(point.y + dy, 1)
    return replace(point, label_x=x, label_y=y, anchor=anchor)


def _label_box(point: PlotPoint) -> _Box:
    width = len(point.label) * _CHARACTER
    left = point.label_x if point.anchor == "start" else point.label_x - width
    half = _LABEL_HEIGHT / 2
    return (left, point.label_y - half, left + width, point.label_y + half)


def _dot_box(point: PlotPoint) -> _Box:
    top, bottom = min(point.high, point.y - _DOT), max(point.low, point.y + _DOT)
    return (point.x - _DOT, top, point.x + _DOT, bottom)


def _cover(a: _Box, b: _Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
