"""Keep English captions of some length with images of some size (DataComp, "Basic filtering").

The original's rules exactly: fastText says `en` (top label, no minimal confidence), more than two
words, more than five characters, shorter side at least 200, longer side at most three times that.
The one deviation is the model: the original uses lid.176.bin (126 MB), the default here is its
quantised form lid.176.ftz, which may judge a few captions otherwise; give `language_model`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datacomp.filtering import (
    Filter,
    PartView,
    RowStep,
    Selection,
    View,
    keep_unless,
    runtime_field,
)
from datacomp_filters.language import LANGUAGE, FastTextLanguage

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class BasicFilter(Filter):
    """Language, caption length and image size; the defaults are the paper's numbers."""

    name = "basic_filter"
    summary = "Keep English captions of 3 words or more with images of some size."

    language: str = "en"
    min_words: int = 3
    min_chars: int = 6
    min_side: int = 200
    max_aspect: float = 3.0
    language_model: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """The caption, and the image's size before download resized it."""
        return ("text", "original_width", "original_height")

    def steps(self) -> tuple[RowStep, ...]:
        """The language is what costs."""
        return (FastTextLanguage(model=self.language_model),)

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        model = self.language_model or "lid.176.ftz (the original uses lid.176.bin)"
        return (
            "null_caption: there is no caption.",
            f"not_english: fastText's first label is not {self.language!r}; model {model}.",
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
                "null_caption": _mask(pc.is_null(captions)),
                "not_english": ~_mask(pc.equal(rows.column(LANGUAGE), self.language)),
                "few_words": _has_fewer_words(captions, self.min_words),
                "few_chars": ~_mask(pc.greater_equal(pc.utf8_length(captions), self.min_chars)),
                "small": ~(shorter >= self.min_side),
                "aspect": ~(longer <= self.max_aspect * shorter),
            },
        )


def _has_fewer_words(captions: pa.ChunkedArray, n: int) -> Mask:
    """Whether `len(text.split()) < n`: Arrow and Python agree on what white space is."""
    trimmed = pc.utf8_trim_whitespace(captions)
    pieces = pc.list_value_length(pc.utf8_split_whitespace(trimmed, max_splits=n))
    words = pc.if_else(pc.equal(pc.utf8_length(trimmed), 0), 0, pieces)
    return ~_mask(pc.greater_equal(words, n))


def _mask(array: Any) -> Mask:
    """Booleans as numpy; null is False."""
    return np.asarray(pc.fill_null(array, False))
