"""Masked phrases: what alt-texts and captions say of any picture is taken out of both.

The list is the one in force in SIEVE's code (arXiv 2310.02110, "medium phrases masked"); a longer
one there is not used. Removed one after another, whatever their case. Whole words are removed and
white space is tidied; `compat="sieve"` removes as the original does, inside of words too
("photograph" becomes "graph") and leaving white space as it falls.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

PHRASES = (
    "an image of",
    "a photo of",
    "stock photo",
    "photo stock",
    "a photo",
    "an image",
    "image",
    "photo",
)
Compat = Literal["sieve"] | None


def mask_phrases(text: str, phrases: Sequence[str], compat: Compat) -> str:
    """`text` without the phrases; may be empty."""
    for phrase in phrases:
        text = _pattern(phrase, compat).sub("", text)
    return text if compat else " ".join(text.split())


@cache
def _pattern(phrase: str, compat: Compat) -> re.Pattern[str]:
    escaped = re.escape(phrase)
    return re.compile(escaped if compat else rf"(?<!\w){escaped}(?!\w)", re.IGNORECASE)
