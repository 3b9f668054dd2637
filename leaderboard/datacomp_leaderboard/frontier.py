"""How far the best of a board moved, and when; pure.

Every method enters on the day of its first submission with the average that it has now, over its
seeds. Baselines, withdrawn rows and those that use the truth take no part.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from datacomp_leaderboard.charts import nice_axis
from datacomp_leaderboard.entries import Row

# on less than a day nothing can be seen to move
_LEAST_SPAN = timedelta(days=1)
_WIDTH, _HEIGHT, _MARGIN = 320.0, 72.0, 6.0
_MAX_DOTS = 200


@dataclass(frozen=True)
class Entered:
    """A method as it came. `before` was the highest average until then, None for the first."""

    row: Row
    average: float
    before: float | None

    @property
    def leads(self) -> bool:
        """Whether it was the best so far."""
        return self.before is None or self.average > self.before


@dataclass(frozen=True)
class Strip:
    """The frontier as a small picture, in SVG units: dots are (x, y, verified).

    `path` is the step line of what workers measured, empty where that is nothing.
    """

    width: float
    height: float
    path: str
    dots: tuple[tuple[float, float, bool], ...]
    since: datetime
    until: datetime
    low: float
    high: float


def entered(rows: Iterable[Row]) -> tuple[Entered, ...]:
    """Every method that competes with a number, in the order in which they came."""
    competing = (row for row in rows if row.competes and row.average is not None)
    best, found = -math.inf, []
    for row in sorted(competing, key=lambda row: (row.submitted_at, row.id)):
        assert row.average is not None
        average = row.average.mean
        found.append(Entered(row, average, best if math.isfinite(best) else None))
        best = max(best, average)
    return tuple(found)


def strip(methods: Sequence[Entered]) -> Strip | None:
    """The picture of it; None with fewer than two methods, or where all came within a day."""
    if len(methods) < 2 or methods[-1].row.submitted_at - methods[0].row.submitted_at < _LEAST_SPAN:
        return None
    since, until = methods[0].row.submitted_at, methods[-1].row.submitted_at
    axis = nice_axis([one.average for one in methods], width=_HEIGHT)
    span = (until - since).total_seconds()

    def place(one: Entered) -> tuple[float, float]:
        share = (one.row.submitted_at - since).total_seconds() / span
        x = _MARGIN + share * (_WIDTH - 2 * _MARGIN)
        return round(x, 1), round(_HEIGHT - axis.x(one.average), 1)

    # the best ones are the line; of the others there may be thousands
    drawn = [one for one in methods if one.leads]
    drawn += [one for one in methods if not one.leads][-(_MAX_DOTS - min(len(drawn), _MAX_DOTS)) :]
    return Strip(
        width=_WIDTH,
        height=_HEIGHT,
        path=_steps([(*place(one), one.average) for one in methods if one.row.level.verified]),
        dots=tuple((*place(one), one.row.level.verified) for one in drawn),
        since=since,
        until=until,
        low=axis.low,
        high=axis.high,
    )


def _steps(points: Sequence[tuple[float, float, float]]) -> str:
    """A line that goes up where an average is the highest so far, to the end of the picture."""
    best, path = -math.inf, ""
    for x, y, average in points:
        if average > best:
            path += f"H{x}V{y}" if path else f"M{x} {y}"
            best = average
    return f"{path}H{_WIDTH - _MARGIN}" if path else ""
