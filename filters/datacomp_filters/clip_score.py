"""Keep pairs by the similarity of image and caption that the pool carries in a column.

DataComp's baseline (Table 3, "CLIP score"; the paper's cut for L/14 30% is 0.243, Table 16). The
default keeps exactly the fraction asked for; `compat="datacomp"` repeats the original, which keeps
one row more, and all ties.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View
from datacomp.filtering.scores import PoolColumn
from datacomp.filtering.selectors import Threshold, TopFraction

ARCHITECTURES = {"b32": "clip_b32_similarity_score", "l14": "clip_l14_similarity_score"}


@dataclass(frozen=True, kw_only=True)
class ClipScore(Filter):
    """The highest fraction of scores, or all that reach a threshold: exactly one of the two."""

    name = "clip_score"
    summary = "Keep pairs by image-text similarity: the top fraction, or from a threshold up."
    example = "fraction=0.3"

    fraction: float | None = None
    threshold: float | None = None
    arch: Literal["b32", "l14"] | None = None
    column: str | None = None
    compat: Literal["datacomp"] | None = None

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.threshold is None):
            raise UsageError("clip_score needs exactly one of fraction and threshold")
        if self.fraction is not None and not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise UsageError(f"threshold is a finite number, got {self.threshold}")
        if self.arch is not None and self.column is not None:
            raise UsageError("arch names a column; give arch or column, not both")

    def columns(self) -> tuple[str, ...]:
        """The one score column; L/14's unless told otherwise."""
        return (self.column or ARCHITECTURES[self.arch or "l14"],)

    def rules(self) -> tuple[str, ...]:
        """Which cut is in force."""
        return (
            *self._selector().rules(),
            "A row without a score (null, NaN) counts in N and is never kept.",
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> TopFraction | Threshold:
        column = PoolColumn(*self.columns())
        if self.fraction is None:
            return Threshold(column=column, minimum=self.threshold)
        return TopFraction(column=column, fraction=self.fraction, compat=self.compat)
