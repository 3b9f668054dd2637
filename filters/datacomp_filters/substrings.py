"""Which of very many entries stand in a caption: as whole words, in every caption of a batch.

An entry stands in a text if `f" {entry} " in text`, where the text has a space at either end. All
that can decide that is where the spaces are: an entry is a sequence of the words between them (an
empty word where two spaces meet), found by walking a trie of words from every word of the text.
Exact for any bytes, and as fast with half a million entries as with ten.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datacomp_filters.lists import lists

_NO_TEXTS = np.zeros(1, np.int64)
_NOT_IN_WORDS = r"[^\p{L}\p{N}\p{M}]+"


class Entries:
    """Finds entries in captions; an entry's number is its place in the given order.

    `marks` are single characters (ASCII) that are words of their own in captions, `spaces` those
    that stand between words. Of equal entries the first is found.
    """

    def __init__(self, entries: Sequence[str], marks: str = "", spaces: str = " ") -> None:
        from datacomp_filters.substrings_kernel import insert

        encoded = [entry.encode("utf-8", "surrogatepass") for entry in entries]
        text = np.frombuffer(b"".join(encoded) or b" ", np.uint8)
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(entry) for entry in encoded], out=offsets[1:])
        most = int(np.count_nonzero(text == ord(" "))) + len(encoded) + 1
        slots = 1 << (2 * most).bit_length()
        tables = (
            np.full(slots, -1, np.int32),
            np.zeros(most, np.int64),
            np.zeros(most, np.int64),
            np.full(most, -1, np.int32),
            np.full(slots, -1, np.int32),
            np.full(most, -1, np.int32),
            np.full(most, -1, np.int32),
            np.zeros(most, bool),
            np.full(most, -1, np.int32),
        )
        insert(text, offsets, *tables)
        self._tables = (text, *tables)
        self._kind = np.zeros(256, np.uint8)
        self._kind[list(spaces.encode("ascii"))] = 1
        self._kind[list(marks.encode("ascii"))] = 2
        self.n = len(encoded)

    def find(self, captions: pa.Array) -> pa.ListArray:
        """The numbers (int32) of the entries in each caption, every one once; null for null."""
        from datacomp_filters.substrings_kernel import Trie, search

        strings = captions.cast(pa.large_string())
        missing = np.asarray(strings.is_null())
        text, offsets = _buffers(strings)
        longest = int(np.diff(offsets).max(initial=0))
        counts = np.zeros(len(strings), np.int32)
        found = search(
            text,
            offsets,
            missing,
            self._kind,
            Trie(*self._tables),
            np.full(self.n, -1, np.int32),
            np.empty(2 * longest + 1, np.int32),
            counts,
        )
        return lists(counts, pa.array(found), missing)


def plain_words(captions: pa.Array) -> pa.Array:
    """Captions in lower case, one space between words; a word is of letters, digits and accents."""
    lower = pc.utf8_lower(captions.cast(pa.large_string()))
    return pc.utf8_trim(pc.replace_substring_regex(lower, _NOT_IN_WORDS, " "), " ")


def _buffers(strings: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes of large strings, and where each begins and the last ends."""
    n, (_, offsets, data) = len(strings), strings.buffers()
    text = np.frombuffer(data if data is not None and data.size else b" ", np.uint8)
    places = np.frombuffer(offsets, np.int64, n + 1, 8 * strings.offset) if n else _NO_TEXTS[:]
    # Arrow's buffers may be writable or not: to the compiler these are two kinds of arrays.
    text.flags.writeable = places.flags.writeable = False
    return text, places
