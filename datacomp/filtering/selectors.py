"""The selectors of selection files: cuts by a score expression, where no filter is needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from datacomp.errors import UsageError
from datacomp.filtering.contract import Filter, Step, parameters
from datacomp.filtering.scores import Expression, Read
from datacomp.filtering.selection import Selection, keep_unless
from datacomp.filtering.view import Mask, PartView, View
from datacomp.subset.cuts import Scores
from datacomp.subset.selectors import share, threshold


@dataclass(frozen=True, kw_only=True)
class ByScore(Filter):
    """What all of them share: they look at one score expression."""

    # An expression says which step's column it means.
    _finds_by_name = False

    column: Expression

    def columns(self) -> tuple[str, ...]:
        """Those of the expression."""
        return self.column.columns()

    def steps(self) -> tuple[Step, ...]:
        """Those of the expression."""
        return self.column.steps()

    def params(self) -> Any:
        """With the expression as it stands in a file."""
        return {**parameters(self), "column": self.column.to_tree()}


@dataclass(frozen=True, kw_only=True)
class TopFraction(ByScore):
    """Exactly floor(N * fraction) rows, ties to the lower uid; or DataComp's n+1 rows and ties."""

    name = "top_fraction"
    summary = "Keep the highest fraction of a score."

    fraction: float
    compat: Literal["datacomp"] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")

    def rules(self) -> tuple[str, ...]:
        """Which cut is in force."""
        if self.compat == "datacomp":
            return (
                f"Score: {self.column}.",
                f"compat=datacomp: keeps scores >= the (n+1)-th highest, n = int(N * "
                f"{self.fraction}), all ties included. One deviation: fraction 1 keeps every "
                "scored row, where the original stops with an error.",
            )
        return (
            f"Score: {self.column}.",
            f"Keeps exactly the floor(N * {self.fraction}) highest scores of N rows; ties go to "
            "the lower uid. DataComp keeps n+1 rows and all ties: compat=datacomp.",
        )

    def score(self) -> Expression:
        """The expression."""
        return self.column

    def select(self, view: View) -> Iterator[Selection]:
        """Cut."""
        read = self.column.open(view)
        keeps = self._rule(view, read)
        for rows in view.parts():
            scores = read(rows)
            below = ~keeps(scores, rows)
            yield keep_unless(rows, {"no_score": np.isnan(scores), "below_cut": below})

    def _rule(self, view: View, read: Read) -> Callable[[Scores, PartView], Mask]:
        if self.compat != "datacomp":
            cut = view.cut(read, share(view.n_rows, self.fraction))
            return lambda scores, rows: cut.keeps(scores, lambda: rows.uids)
        n = int(view.n_rows * self.fraction)
        if n >= view.n_rows:
            return lambda scores, _: ~np.isnan(scores)
        lowest = view.nth_highest(read, n)
        return lambda scores, _: np.asarray(scores >= lowest)


@dataclass(frozen=True, kw_only=True)
class Threshold(ByScore):
    """Scores from `minimum` up and to `maximum`, both included, in the scores' own float type."""

    name = "threshold"
    summary = "Keep scores from a minimum, or up to a maximum."

    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise UsageError("threshold needs a minimum, a maximum, or both")
        limits = [limit for limit in (self.minimum, self.maximum) if limit is not None]
        if not np.isfinite(limits).all() or limits != sorted(limits):
            raise UsageError(
                "threshold needs finite limits, the minimum not above the maximum, got "
                f"minimum={self.minimum}, maximum={self.maximum}"
            )

    def rules(self) -> tuple[str, ...]:
        """The limits."""
        limits = [f">= {self.minimum}"] if self.minimum is not None else []
        limits += [f"<= {self.maximum}"] if self.maximum is not None else []
        return (
            f"Score: {self.column}.",
            f"Keeps scores {' and '.join(limits)}, in the column's own float type.",
        )

    def score(self) -> Expression | None:
        """The expression, unless it may also be too high."""
        return self.column if self.maximum is None else None

    def select(self, view: View) -> Iterator[Selection]:
        """Compare."""
        read = self.column.open(view)
        for rows in view.parts():
            scores = read(rows)
            reasons = {"no_score": np.isnan(scores)}
            if self.minimum is not None:
                reasons["below_cut"] = ~threshold(scores, self.minimum)
            if self.maximum is not None:
                reasons["above_cut"] = ~threshold(-scores, -self.maximum)
            yield keep_unless(rows, reasons)


@dataclass(frozen=True, kw_only=True)
class Band(ByScore):
    """The top `to` of the rows without the top `start` of them."""

    name = "band"
    summary = "Keep a band of a score: the top fraction without the very top."

    start: float
    to: float

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.to <= 1:
            raise UsageError(
                f"band needs 0 <= start <= to <= 1, got start={self.start}, to={self.to}"
            )

    def rules(self) -> tuple[str, ...]:
        """The band."""
        return (
            f"Score: {self.column}.",
            f"Keeps the floor(N * {self.to}) highest scores of N rows without the floor(N * "
            f"{self.start}) highest; ties go to the lower uid.",
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Cut twice."""
        read = self.column.open(view)
        upper = view.cut(read, share(view.n_rows, self.start))
        lower = view.cut(read, share(view.n_rows, self.to))
        for rows in view.parts():
            scores, uids = read(rows), partial(getattr, rows, "uids")
            over, below = upper.keeps(scores, uids), ~lower.keeps(scores, uids)
            reasons = {"no_score": np.isnan(scores), "above_band": over, "below_band": below}
            yield keep_unless(rows, reasons)
