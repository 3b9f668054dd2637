"""How two methods differ, task by task, and what is beyond noise; pure.

The noise of a difference joins that of both sides in quadrature, as if they had answered different
items. They answered the same ones, so it is rather too wide: what is called beyond noise is.
"""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datacomp.reports import Suite
from datacomp_leaderboard.entries import Z95, Row
from datacomp_leaderboard.formatting import label
from datacomp_leaderboard.scores import Scores, task_means

Verdict = Literal["win", "loss", "tie"]


@dataclass(frozen=True)
class Value:
    """A number with one standard error, None where that is not known; `test` is the part of it
    that comes from the test items."""

    mean: float
    stderr: float | None
    test: float | None = None


@dataclass(frozen=True)
class Difference:
    """`a` minus `b` in one task, fractions. None where one of them has no number.

    `half_width` is half of the 95% interval, None where the noise of one is not known.
    """

    key: str
    name: str
    groups: tuple[str, ...]
    a: Value | None
    b: Value | None

    @property
    def delta(self) -> float | None:
        """How much `a` is above `b`."""
        return None if self.a is None or self.b is None else self.a.mean - self.b.mean

    @property
    def stderr(self) -> float | None:
        """Of the difference."""
        known = [v.stderr for v in (self.a, self.b) if v is not None and v.stderr is not None]
        return math.hypot(*known) if len(known) == 2 else None

    @property
    def half_width(self) -> float | None:
        """Half of the 95% interval."""
        return None if self.stderr is None else Z95 * self.stderr

    @property
    def noise(self) -> float | None:
        """Half of the band in which 95% of differences lie that test items alone make."""
        known = [v.test for v in (self.a, self.b) if v is not None and v.test is not None]
        return Z95 * math.hypot(*known) if len(known) == 2 else None

    @property
    def z(self) -> float | None:
        """The difference in its standard errors; None where that is not known, or 0."""
        return None if self.delta is None or not self.stderr else self.delta / self.stderr

    @property
    def verdict(self) -> Verdict | None:
        """Whether `a` wins beyond noise; None where a number or its noise is not known."""
        if self.delta is None or self.half_width is None:
            return None
        if abs(self.delta) <= self.half_width:
            return "tie"
        return "win" if self.delta > 0 else "loss"


@dataclass(frozen=True)
class Tally:
    """Tasks that are won, lost, or too near to tell; `unknown` lacks a number or its noise."""

    wins: int
    ties: int
    losses: int
    unknown: int


Values = Mapping[str, Value | None]


def values_of(row: Row) -> Values:
    """The task values of a row over its seeds."""
    return {
        key: None if spread is None else Value(spread.mean, spread.stderr, spread.test_noise)
        for key, spread in row.tasks.items()
    }


def medians(scores: Scores, rows: Set[str]) -> Values:
    """The median of these rows, by their ids, in each task; without noise of its own."""
    chosen = np.array([row.id in rows for row in scores.rows], bool)
    means = task_means(scores)[chosen]
    known = ~np.isnan(means).all(axis=0) if len(means) else np.zeros(len(scores.tasks), bool)
    found = np.nanmedian(means[:, known], axis=0)
    return {
        task: Value(float(value), 0.0, 0.0)
        for task, value in zip(np.array(scores.tasks)[known].tolist(), found, strict=True)
    }


def differences(suite: Suite, a: Values, b: Values) -> tuple[Difference, ...]:
    """Every scored task, in the suite's order."""
    return tuple(
        Difference(task.key, task.name, task.groups, a.get(task.key), b.get(task.key))
        for task in suite.scored
    )


def tally(found: Sequence[Difference]) -> Tally:
    """How many are won, too near, lost, unknown."""
    verdicts = [one.verdict for one in found]
    counts = [verdicts.count(kind) for kind in ("win", "tie", "loss", None)]
    return Tally(*counts)


def mean_difference(found: Sequence[Difference], weights: Mapping[str, float]) -> Value | None:
    """The weighted mean of the differences; None if one that is weighed is not known."""
    weighed = [(weights.get(one.key, 0.0), one) for one in found]
    weighed = [(weight, one) for weight, one in weighed if weight > 0]
    if not weighed or any(one.delta is None for _, one in weighed):
        return None
    total = math.fsum(weight for weight, _ in weighed)
    mean = math.fsum(weight * (one.delta or 0.0) for weight, one in weighed) / total
    if any(one.stderr is None for _, one in weighed):
        return Value(mean, None)
    noise = math.hypot(*(weight * (one.stderr or 0.0) for weight, one in weighed))
    return Value(mean, noise / total)


def in_words(
    a: str,
    b: str,
    found: Sequence[Difference],
    weights: Mapping[str, float],
    average: Value | None,
    groups: Sequence[str],
) -> str:
    """The comparison of `a` with `b` as one sentence.

    `average` is the difference of their averages with its noise, the seeds' included. Of a
    difference it names the tasks that make most, and the groups that go the other way.
    """
    if average is None:
        return f"{a} and {b} cannot be compared by their averages: a task has no number."
    up, down = (a, b) if average.mean >= 0 else (b, a)
    sign = 1 if average.mean >= 0 else -1
    size = 100 * abs(average.mean)
    if size < 0.005:
        return f"{a} and {b} have the same average."
    text = f"{up} is above {down} by {size:.2g} point{'' if f'{size:.2g}' == '1' else 's'}"
    if average.stderr is not None:
        half = 100 * Z95 * average.stderr
        text += f" (± {half:.2g}), {'beyond' if size > half else 'within'} noise"
    if share := _most(found, weights, sign):
        text += f"; {share}"
    if other := _other_way(found, groups, sign):
        text += f"; {down} is better on {other} beyond noise"
    return text + "."


def _most(found: Sequence[Difference], weights: Mapping[str, float], sign: int) -> str:
    parts = [(sign * weights.get(d.key, 0.0) * (d.delta or 0.0), d) for d in found]
    total = math.fsum(part for part, _ in parts)
    parts = sorted(parts, key=lambda pair: (-pair[0], pair[1].key))[:2]
    if total <= 0 or len(found) < 3 or parts[-1][0] <= 0:
        return ""
    share = math.fsum(part for part, _ in parts) / total
    names = " and ".join(d.name for _, d in parts)
    return f"{f'{share:.0%}' if share < 1 else 'all'} of it comes from {names}" + (
        ", and other tasks take some back" if share > 1 else ""
    )


def _other_way(found: Sequence[Difference], groups: Sequence[str], sign: int) -> str:
    names = []
    for group in groups:
        inside = [d for d in found if group in d.groups]
        mean = mean_difference(inside, {d.key: 1.0 for d in inside})
        if mean is None or mean.stderr is None:
            continue
        if sign * mean.mean < -Z95 * mean.stderr:
            names.append(label(group))
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else ""
