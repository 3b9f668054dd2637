"""Rules for free text that strangers will read: one form, no trickery, a length limit."""

import unicodedata
from collections.abc import Iterator

# Marks that reorder or hide neighbouring text. U+200D (joiner) stays allowed: emoji need it.
_REFUSED_FORMATS = frozenset(
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2066\u2067\u2068\u2069\ufeff"
)
# Composing takes the square of the length of a run of marks: seconds for a page of them. What is
# longer than any text here may be, composed or not, stays as it is and is refused for its length.
_LONGEST = 12_000
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})


def clean(text: str) -> str:
    """`text` in Unicode's composed form (NFC) without surrounding white space.

    As it is if it is longer than any text may be: `problems` refuses it.
    """
    return unicodedata.normalize("NFC", text).strip() if len(text) <= _LONGEST else text


def problems(text: str, *, limit: int, multiline: bool = False) -> Iterator[str]:
    """Every reason why `text` (already clean) is refused, as a clause: "is empty"."""
    if not text:
        yield "is empty"
    if len(text) > limit:
        yield f"has {len(text):,} characters, at most {limit:,} are allowed"
    bad = sorted({char for char in text if _is_refused(char, multiline)})
    if bad:
        shown = ", ".join(f"U+{ord(char):04X}" for char in bad[:5])
        yield f"holds control or direction characters, which are not allowed: {shown}"


def _is_refused(char: str, multiline: bool) -> bool:
    if multiline and char in "\n\t":
        return False
    return char in _REFUSED_FORMATS or unicodedata.category(char) in _REFUSED_CATEGORIES


def printable(text: str) -> str:
    """`text` with a mark in the place of each character that could mislead or steer a terminal."""
    return "".join("\ufffd" if _is_refused(char, multiline=True) else char for char in text)
