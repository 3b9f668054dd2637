"""Geometry of the small charts in tables: positions on a common axis, in SVG user units.

Only numbers are computed here; templates draw them with attributes and classes, because the
content security policy allows no inline style.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from datacomp_leaderboard.entries import Spread

SHADES = 6


@dataclass(frozen=True)
class Axis:
    """A linear axis from `low` to `high`, drawn over `width` units with `margin` at both ends."""

    low: float
    high: float
    ticks: tuple[float, ...]
    width: float
    margin: float = 6.0

    def x(self, value: float) -> float:
        """Position of `value`; values outside the axis stand at its end."""
        span = self.high - self.low
        share = (min(max(value, self.low), self.high) - self.low) / span
        return round(self.margin + share * (self.width - 2 * self.margin), 1)

    @property
    def marks(self) -> tuple[tuple[float, float], ...]:
        """Position and value of every tick."""
        return tuple((self.x(tick), tick) for tick in self.ticks)


@dataclass(frozen=True)
class Whisker:
    """A dot with its 95% interval and one mark for each seed."""

    dot: float
    low: float | None
    high: float | None
    marks: tuple[float, ...]


def nice_axis(values: Iterable[float], *, width: float = 180.0, intervals: int = 3) -> Axis:
    """An axis that covers `values` and begins and ends on round numbers (1, 2, 5 times a power)."""
    numbers = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(numbers), max(numbers)
    span = max(high - low, 1e-3)
    power = 10.0 ** math.floor(math.log10(span / intervals))
    step = next(f * power for f in (1.0, 2.0, 5.0, 10.0) if f * power * intervals >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple(round(i * step, 10) for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks, width)


def interval_ends(spread: Spread) -> tuple[float, ...]:
    """Every number that a whisker of `spread` must show."""
    half = spread.half_width or 0.0
    return (*spread.values, spread.mean - half, spread.mean + half)


def whisker(spread: Spread, axis: Axis) -> Whisker:
    """Where to draw `spread` on `axis`; single seeds have no marks beside the dot."""
    half = spread.half_width
    return Whisker(
        dot=axis.x(spread.mean),
        low=None if half is None else axis.x(spread.mean - half),
        high=None if half is None else axis.x(spread.mean + half),
        marks=tuple(axis.x(v) for v in spread.values) if len(spread.values) > 1 else (),
    )


def shade(value: float | None, ends: tuple[float, float] | None) -> int:
    """0 for the lowest value of a column to `SHADES` for the highest; 0 where nothing differs.

    `ends` are the column's lowest and highest value.
    """
    if value is None or ends is None or ends[0] == ends[1]:
        return 0
    return round(SHADES * (value - ends[0]) / (ends[1] - ends[0]))
