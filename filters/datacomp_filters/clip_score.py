"""Keep pairs by how well image and caption fit, by a column of the pool or a CLIP of one's own.

DataComp's baseline (Table 3, "CLIP score"; the paper's cut for L/14 30% is 0.243, Table 16). The
default keeps exactly the fraction asked for; `compat="datacomp"` repeats the original, which keeps
one row more, and all ties.

With `model` it is a data filtering network (DFN, arXiv 2309.17425): a CLIP trained on few pairs
that are known to be good ranks the pool; the paper keeps the top 15%. Departures: the paper trains
ViT-B/32 from OpenAI's weights, tunes it on COCO, Flickr30k and ImageNet and averages checkpoints;
`datacomp train` starts a scale's recipe from its own initial weights, and does neither. Vectors are
rounded to float16 before the cosine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View, runtime_field
from datacomp.filtering.contract import Step
from datacomp.filtering.scores import Expression, PoolColumn, Produced
from datacomp.filtering.selectors import Threshold, TopFraction
from datacomp.filtering.tree import describe
from datacomp_filters.clip_model import SIMILARITY, ClipSimilarity
from datacomp_filters.clip_source import anchor_model

ARCHITECTURES = {"b32": "clip_b32_similarity_score", "l14": "clip_l14_similarity_score"}


@dataclass(frozen=True, kw_only=True)
class ClipScore(Filter):
    """The highest fraction of scores, or all that reach a threshold: exactly one of the two.

    `arch` and `column` name a column of the pool; `model`, a CLIP as clip_source.py tells, scores
    the pictures themselves.
    """

    name = "clip_score"
    summary = "Keep pairs by image-text similarity: the top fraction, or from a threshold up."
    reference = "arXiv 2304.14108; with model: DFN, arXiv 2309.17425"
    example = "fraction=0.3"

    fraction: float | None = None
    threshold: float | None = None
    arch: Literal["b32", "l14"] | None = None
    column: str | None = None
    compat: Literal["datacomp"] | None = None
    model: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_model(self)
        if (self.fraction is None) == (self.threshold is None):
            raise UsageError("clip_score needs exactly one of fraction and threshold")
        if self.fraction is not None and not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise UsageError(f"threshold is a finite number, got {self.threshold}")
        if sum(source is not None for source in (self.arch, self.column, self.model)) > 1:
            raise UsageError("arch, column and model each say what scores; give one of them")

    def columns(self) -> tuple[str, ...]:
        """The one score column, L/14's unless told otherwise; none with a model."""
        return self.score().columns()

    def steps(self) -> tuple[Step, ...]:
        """The similarity by the model, if there is one."""
        return self.score().steps()

    def score(self) -> Expression:
        """The similarity."""
        if self.model is None:
            return PoolColumn(self.column or ARCHITECTURES[self.arch or "l14"])
        return Produced(describe(self), ClipSimilarity(model=self.model), SIMILARITY)

    def rules(self) -> tuple[str, ...]:
        """Which cut is in force, and by which model."""
        model = (f"Model: {self.model}.",) if self.model else ()
        return (
            *self._selector().rules(),
            *model,
            "A row without a score (null, NaN) counts in N and is never kept.",
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> TopFraction | Threshold:
        column = self.score()
        if self.fraction is None:
            return Threshold(column=column, minimum=self.threshold)
        return TopFraction(column=column, fraction=self.fraction, compat=self.compat)
