"""Where labels stand beside their dots: none over another label, a dot or a whisker; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from datacomp_leaderboard.charting.chart import text_width

_HEIGHT, _DOT = 15.0, 7.0

# left, top, right, bottom, in pixels from the plot's upper left corner
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Spot:
    """A dot at (x, y) whose whisker runs from `top` down to `bottom`, and its label."""

    x: float
    y: float
    top: float
    bottom: float
    text: str


@dataclass(frozen=True)
class Place:
    """Where a label stands; `align` is "left" or "right" of that point."""

    x: float
    y: float
    align: str
    box: Box


def beside(spots: Sequence[Spot], width: float, height: float) -> list[Place | None]:
    """A place for the label of each spot, None where there is no free one or no text.

    Those that come first choose first.
    """
    taken = [_dot_box(spot) for spot in spots]
    places = []
    for spot in spots:
        place = _free(spot, width, height, taken) if spot.text else None
        if place is not None:
            taken.append(place.box)
        places.append(place)
    return places


def apart(ys: Sequence[float], low: float, high: float, gap: float = _HEIGHT) -> list[float]:
    """`ys` moved apart to at least `gap`, in their order, as little as possible, in [low, high].

    Labels at the ends of lines. If there are too many for that they stand evenly.
    """
    order = sorted(range(len(ys)), key=lambda i: (ys[i], i))
    gap = min(gap, (high - low) / max(len(ys) - 1, 1))
    # groups of neighbours that touch share a mean, as in isotonic regression
    groups: list[list[int]] = []
    for i in order:
        groups.append([i])
        while len(groups) > 1 and _start(groups[-1], ys, gap, low, high) < _end(
            groups[-2], ys, gap, low, high
        ):
            groups[-2:] = [groups[-2] + groups[-1]]
    moved = [0.0] * len(ys)
    for group in groups:
        start = _start(group, ys, gap, low, high)
        for step, i in enumerate(group):
            moved[i] = round(start + step * gap, 1)
    return moved


def _start(group: Sequence[int], ys: Sequence[float], gap: float, low: float, high: float) -> float:
    extent = gap * (len(group) - 1)
    middle = sum(ys[i] for i in group) / len(group)
    return min(max(middle - extent / 2, low), high - extent)


def _end(group: Sequence[int], ys: Sequence[float], gap: float, low: float, high: float) -> float:
    # a hair less, for sums of floats
    return _start(group, ys, gap, low, high) + gap * len(group) - 1e-9


def _free(spot: Spot, width: float, height: float, taken: Sequence[Box]) -> Place | None:
    off = _DOT + 4
    long = text_width(spot.text)
    for dy in (0.0, -_HEIGHT * 0.8, _HEIGHT * 0.8, -_HEIGHT, _HEIGHT):
        for align, x in (("left", spot.x + off), ("right", spot.x - off)):
            left, y = x if align == "left" else x - long, spot.y + dy
            box = (left, y - _HEIGHT / 2, left + long, y + _HEIGHT / 2)
            inside = left >= 0 and box[2] <= width and box[1] >= -_HEIGHT and box[3] <= height
            if inside and not any(cover(box, other) for other in taken):
                return Place(round(x, 1), round(y, 1), align, box)
    return None


def _dot_box(spot: Spot) -> Box:
    top, bottom = min(spot.top, spot.y - _DOT), max(spot.bottom, spot.y + _DOT)
    return (spot.x - _DOT, top, spot.x + _DOT, bottom)


def cover(a: Box, b: Box) -> bool:
    """Whether two boxes have an area in common."""
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
