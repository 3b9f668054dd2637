"""Pure rules about captions; masks are bool, one per caption, and True means the rule holds.

Captions are Arrow strings of any layout: plain, large, a view, a dictionary; or of the type null,
which is what a file without rows may have. A null caption has no words and no characters.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]

# What fastText's reader takes for white space: dictionary.cc, Dictionary::readWord.
_FASTTEXT_WORD = "[^ \\n\\r\\t\\v\\f\\x00]+"


def is_null(captions: pa.ChunkedArray) -> Mask:
    """Whether there is no caption."""
    return to_mask(pc.is_null(captions))


def has_fewer_words(captions: pa.ChunkedArray, n: int) -> Mask:
    """Whether `len(text.split()) < n`: Arrow and Python agree on what white space is."""
    trimmed = pc.utf8_trim_whitespace(_plain(captions))
    pieces = pc.list_value_length(pc.utf8_split_whitespace(trimmed, max_splits=n))
    words = pc.if_else(pc.equal(pc.utf8_length(trimmed), 0), 0, pieces)
    return ~to_mask(pc.greater_equal(words, n))


def has_fewer_fasttext_tokens(captions: pa.ChunkedArray, n: int) -> Mask:
    """Whether `len(fasttext.tokenize(text)) < n`, as fastText 0.9.2 counts.

    Words stand between ASCII white space or NUL, and every newline is a token of its own, `</s>`.
    """
    plain = _plain(captions)
    words = pc.count_substring_regex(plain, _FASTTEXT_WORD)
    tokens = pc.add(words, pc.count_substring(plain, "\n"))
    return ~to_mask(pc.greater_equal(tokens, n))


def has_fewer_characters(captions: pa.ChunkedArray, n: int) -> Mask:
    """Whether there are fewer than `n` code points, white space counted."""
    return ~to_mask(pc.greater_equal(pc.utf8_length(_plain(captions)), n))


def _plain(captions: pa.ChunkedArray) -> pa.ChunkedArray:
    """As strings that Arrow's text functions take."""
    if pa.types.is_string(captions.type) or pa.types.is_large_string(captions.type):
        return captions
    return captions.cast(pa.large_string())


def equals(column: pa.ChunkedArray, value: str) -> Mask:
    """Whether the column has this value; null has none."""
    return to_mask(pc.equal(column, value))


def to_mask(array: Any) -> Mask:
    """Arrow booleans as numpy; null is False."""
    return np.asarray(pc.fill_null(array, False))
