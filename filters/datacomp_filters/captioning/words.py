"""The small captioner's vocabulary: the words of the captions that it learns from."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
MOST_WORDS = 4_000
LENGTH = 16
"""Tokens of a caption, start and end included; what is longer loses its end."""

_WORD = re.compile(r"[^\W_]+|[^\w\s]")


def split_words(caption: str) -> list[str]:
    """Lower-cased words and punctuation marks."""
    return _WORD.findall(caption.lower())


def make_vocabulary(captions: Iterable[str]) -> tuple[str, ...]:
    """The special tokens, then the most frequent words, ties in alphabetical order."""
    counts = Counter(word for caption in captions for word in split_words(caption))
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return (*SPECIAL, *ordered[: MOST_WORDS - len(SPECIAL)])


def to_tokens(captions: Sequence[str], vocabulary: Sequence[str]) -> npt.NDArray[np.int64]:
    """(n, LENGTH) int64: start, words, end, padding."""
    number = {word: place for place, word in enumerate(vocabulary)}
    tokens = np.full((len(captions), LENGTH), PAD, np.int64)
    for row, caption in enumerate(captions):
        words = [number.get(word, UNKNOWN) for word in split_words(caption)][: LENGTH - 2]
        tokens[row, : len(words) + 2] = [START, *words, END]
    return tokens
