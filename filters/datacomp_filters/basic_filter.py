"""Keep English captions of some length with images of some size (DataComp, "Basic filtering").

The original's rules exactly: fastText says `en` (top label, no minimal confidence), more than two
words, more than five characters, shorter side at least 200, longer side at most three times that;
`compat="datacomp"` pins its numbers. The one deviation is the model: the original uses lid.176.bin
(131 MB), the default here is its quantised form lid.176.ftz, which may judge a few captions
otherwise; give `language_model`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datacomp.filtering import (
    Filter,
    PartView,
    RowStep,
    Selection,
    View,
    keep_unless,
    runtime_field,
)
from datacomp_filters.captions import equals, has_fewer_characters, has_fewer_words, is_null
from datacomp_filters.language import LANGUAGE, FastTextLanguage, model_name
from datacomp_filters.paths import anchor_paths
from datacomp_filters.pinned import refuse_other_values


@dataclass(frozen=True, kw_only=True)
class BasicFilter(Filter):
    """Language, caption length and image size; the defaults are the paper's numbers."""

    name = "basic_filter"
    summary = "Keep English captions of 3 words or more with images of some size."
    reference = "arXiv 2304.14108"

    language: str = "en"
    min_words: int = 3
    min_chars: int = 6
    min_side: int = 200
    max_aspect: float = 3.0
    compat: Literal["datacomp"] | None = None
    language_model: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        refuse_other_values(self)

    def columns(self) -> tuple[str, ...]:
        """The caption, and the image's size before download resized it."""
        return ("text", "original_width", "original_height")

    def steps(self) -> tuple[RowStep, ...]:
        """The language is what costs."""
        return (FastTextLanguage(model=self.language_model),)

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        return (
            "null_caption: there is no caption.",
            f"not_english: fastText's first label is not {self.language!r}; model "
            f"{model_name(self.language_model)}.",
            f"few_words: fewer than {self.min_words} words between Unicode white space.",
            f"few_chars: fewer than {self.min_chars} characters, white space counted.",
            f"small: the shorter side is below {self.min_side} pixels, or unknown.",
            f"aspect: longer side / shorter side is above {self.max_aspect}.",
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Judge part by part."""
        return map(self._judge, view.parts())

    def _judge(self, rows: PartView) -> Selection:
        captions = rows.column("text")
        width, height = rows.scores("original_width"), rows.scores("original_height")
        shorter, longer = np.minimum(width, height), np.maximum(width, height)
        return keep_unless(
            rows,
            {
                "null_caption": is_null(captions),
                "not_english": ~equals(rows.column(LANGUAGE), self.language),
                "few_words": has_fewer_words(captions, self.min_words),
                "few_chars": has_fewer_characters(captions, self.min_chars),
                "small": ~(shorter >= self.min_side),
                "aspect": ~(longer <= self.max_aspect * shorter),
            },
        )
