"""Keep pairs by the similarity of image and caption that the pool carries in a column.

DataComp's baseline (Table 3, "CLIP score"; the paper's cut for L/14 30% is 0.243, Table 16). The
default keeps exactly the fraction asked for; `compat="datacomp"` repeats the original, which keeps
one row more, and all ties.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View, keep_unless
from datacomp.subset import selectors

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
        (column,) = self.columns()
        if self.fraction is None:
            cut = (
                f"Keeps {column} >= {self.threshold}, in the column's own float type (as DataComp)."
            )
        elif self.compat is None:
            cut = (
                f"Keeps exactly the floor(N * {self.fraction}) highest {column} of N rows; ties "
                "go to the lower uid. DataComp keeps n+1 rows and all ties: compat=datacomp."
            )
        else:
            cut = (
                f"compat=datacomp: keeps {column} >= its (n+1)-th highest, n = "
                f"int(N * {self.fraction}), all ties included. One deviation: fraction 1 keeps "
                "every scored row, where the original stops with an error."
            )
        return (cut, "A row without a score (null, NaN) counts in N and is never kept.")

    def select(self, view: View) -> Selection:
        """Cut."""
        scores = view.scores(*self.columns())
        kept = self._kept(scores, view)
        return keep_unless(view.uids, {"no_score": np.isnan(scores), "below_cut": ~kept})

    def _kept(self, scores: selectors.Scores, view: View) -> selectors.Mask:
        if self.threshold is not None:
            return selectors.threshold(scores, self.threshold)
        assert self.fraction is not None, "one of the two is given"
        if self.compat == "datacomp":
            return selectors.top_fraction_datacomp(scores, self.fraction)
        return selectors.top_fraction(scores, view.uids, self.fraction)
