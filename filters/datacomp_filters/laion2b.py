"""Keep what LAION-2B's rule would keep: English by CLD3, CLIP B/32 score from 0.28 up.

DataComp's reproduction of LAION-2B (Table 3, "LAION-2B").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datacomp.filtering import Filter, PartView, RowStep, Selection, View, keep_unless
from datacomp.subset import selectors
from datacomp_filters.captions import equals, is_null
from datacomp_filters.cld3 import CLD3_LANGUAGE, Cld3Language
from datacomp_filters.pinned import refuse_other_values

SCORE = "clip_b32_similarity_score"


@dataclass(frozen=True, kw_only=True)
class Laion2B(Filter):
    """Language and score; the defaults are the original's."""

    name = "laion2b"
    summary = "Keep English captions (by CLD3) with a CLIP B/32 score from 0.28 up."
    reference = "arXiv 2304.14108"

    language: str = "en"
    threshold: float = 0.28
    compat: Literal["datacomp"] | None = None

    def __post_init__(self) -> None:
        refuse_other_values(self)

    def columns(self) -> tuple[str, ...]:
        """The caption, and the score that the pool carries."""
        return ("text", SCORE)

    def steps(self) -> tuple[RowStep, ...]:
        """The language is what costs."""
        return (Cld3Language(),)

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        return (
            "null_caption: there is no caption.",
            f"not_english: CLD3's answer is not {self.language!r}; package cld3-py, where the "
            "original has gcld3 3.0.13: other build, same answers wherever both were asked.",
            "no_score: the score is null or NaN.",
            f"below_cut: {SCORE} is below {self.threshold}, in the column's own float type "
            "(as DataComp).",
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Judge part by part."""
        return map(self._judge, view.parts())

    def _judge(self, rows: PartView) -> Selection:
        scores = rows.scores(SCORE)
        return keep_unless(
            rows,
            {
                "null_caption": is_null(rows.column("text")),
                "not_english": ~equals(rows.column(CLD3_LANGUAGE), self.language),
                "no_score": np.isnan(scores),
                "below_cut": ~selectors.threshold(scores, self.threshold),
            },
        )
