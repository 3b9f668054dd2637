"""Score expressions: what a selector of a selection file cuts by.

    clip_l14_similarity_score                                 a column of the pool
    {from: sieve, params: {...}, column: caption_score}       what a step of a filter computes
    {fuse: minmax, of: [{weight: 0.5, column: ...}, ...]}     a weighted sum of scores, made alike

An expression opens on a view once, which may read the pool to learn its statistics, and then gives
one float per row, NaN where any part of it has none.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.filtering.contract import Step
from datacomp.filtering.view import PartView, View
from datacomp.subset.cuts import Scores

Read = Callable[[PartView], Scores]
Scaled = npt.NDArray[np.float64]


class Expression(ABC):
    """A score for every row."""

    def columns(self) -> tuple[str, ...]:
        """Pool columns that it reads."""
        return ()

    def steps(self) -> tuple[Step, ...]:
        """Producers whose columns it reads."""
        return ()

    @abstractmethod
    def open(self, view: View) -> Read:
        """What gives the scores of a part, each row judged against the whole pool."""

    @abstractmethod
    def to_tree(self) -> Any:
        """As it stands in a selection file."""


@dataclass(frozen=True)
class PoolColumn(Expression):
    """A numeric column of the pool, in its own float type."""

    name: str

    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.name,)

    def open(self, view: View) -> Read:
        """Read it."""
        return lambda rows: rows.scores(self.name)

    def to_tree(self) -> str:
        """Its name."""
        return self.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Produced(Expression):
    """A numeric column that a step of a filter produces; `source` is the filter as a tree."""

    source: Any
    step: Step
    column: str

    def steps(self) -> tuple[Step, ...]:
        """The one step."""
        return (self.step,)

    def open(self, view: View) -> Read:
        """Read it from the store."""
        return lambda rows: rows.produced_scores(self.step, self.column)

    def to_tree(self) -> dict[str, Any]:
        """Filter and column."""
        return {"from": self.source, "column": self.column}

    def __str__(self) -> str:
        return f"{self.column} of {next(iter(self.source))}"


@dataclass(frozen=True)
class Fuse(Expression):
    """The weighted sum of scores that were first brought to one scale over the whole pool.

    minmax: (x - min) / (max - min), as SIEVE (arXiv 2310.02110) fuses; zscore: (x - mean) / std of
    the population; rank: the share of scored rows that x exceeds, ties counting half. Computed in
    float64. `rank` holds the column in memory: 8 bytes a row and as much again to sort it.
    """

    how: Literal["minmax", "zscore", "rank"]
    of: tuple[tuple[float, Expression], ...]

    def columns(self) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(dict.fromkeys(name for _, part in self.of for name in part.columns()))

    def steps(self) -> tuple[Step, ...]:
        """Those of all parts."""
        return tuple(step for _, part in self.of for step in part.steps())

    def open(self, view: View) -> Read:
        """Learn the scales, then add."""
        scale = {"minmax": _minmax, "zscore": _zscore, "rank": _rank}[self.how]
        opened = [(weight, part.open(view)) for weight, part in self.of]
        parts = [(weight, read, scale(read, view.whole())) for weight, read in opened]

        def fused(rows: PartView) -> Scaled:
            total = np.zeros(rows.n_rows)
            for weight, read, scaled in parts:
                total += weight * scaled(read(rows).astype(np.float64))
            return total

        return fused

    def to_tree(self) -> dict[str, Any]:
        """How, weights, and parts."""
        of = [{"weight": weight, "column": part.to_tree()} for weight, part in self.of]
        return {"fuse": self.how, "of": of}

    def __str__(self) -> str:
        return " + ".join(f"{weight:g} {self.how}({part})" for weight, part in self.of)


def _minmax(read: Read, view: View) -> Callable[[Scaled], Scaled]:
    lowest, highest = np.inf, -np.inf
    for rows in view.parts():
        scores = _scored(read(rows))
        lowest = min(lowest, scores.min(initial=np.inf))
        highest = max(highest, scores.max(initial=-np.inf))
    if not lowest < highest:
        raise UsageError(
            "minmax needs two different scores, but all rows have "
            + (f"{lowest:g}" if lowest == highest else "none")
        )
    if np.isinf(lowest) or np.isinf(highest):
        raise UsageError("minmax needs finite scores, but some are infinite")
    return lambda x: (x - lowest) / (highest - lowest)


def _zscore(read: Read, view: View) -> Callable[[Scaled], Scaled]:
    # Chan, Golub and LeVeque (1979): sums of squares merged part by part do not cancel.
    n, mean, squares = 0, 0.0, 0.0
    for rows in view.parts():
        scores = _scored(read(rows))
        if np.isinf(scores).any():
            raise UsageError("zscore needs finite scores, but some are infinite")
        if len(scores):
            delta, joined = float(scores.mean()) - mean, n + len(scores)
            squares += float(scores.var()) * len(scores) + delta**2 * n * len(scores) / joined
            mean, n = mean + delta * len(scores) / joined, joined
    if not squares > 0:
        raise UsageError("zscore needs two different scores")
    deviation = (squares / n) ** 0.5
    return lambda x: (x - mean) / deviation


def _rank(read: Read, view: View) -> Callable[[Scaled], Scaled]:
    ordered = np.concatenate([np.empty(0), *(_scored(read(rows)) for rows in view.parts())])
    if not len(ordered):
        raise UsageError("rank needs scores, but no row has one")
    ordered.sort()

    def rank(x: Scaled) -> Scaled:
        below, to = np.searchsorted(ordered, x, "left"), np.searchsorted(ordered, x, "right")
        return np.where(np.isnan(x), np.nan, (below + to) / (2 * len(ordered)))

    return rank


def _scored(scores: Scores) -> Scaled:
    wide = scores.astype(np.float64)
    return wide[~np.isnan(wide)]
