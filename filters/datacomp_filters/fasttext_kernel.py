"""fastText's first label, compiled: the same sums in the same order, without its objects.

A caption is judged as `predict` judges it (Dictionary::getLine, computeSubwords; FastText's mean of
rows; HierarchicalSoftmaxLoss::dfs). Only exp and log may differ from fastText's in the last bit: a
caption whose best two labels are as near as that is `DOUBTFUL`, and fastText itself is to be asked.
Importing this loads numba; the first call on a machine compiles.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.compiled import compiled
from datacomp_filters.fasttext_model import Model

DOUBTFUL, NO_LABEL = -2, -1
_MARGIN = 1e-3
_OFFSET, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_END = np.frombuffer(b"</s>", np.uint8)
_LABEL = np.frombuffer(b"__label__", np.uint8)

Labels = npt.NDArray[np.int32]


class Classifier:
    """A model ready to judge captions; holds a hash table of its words."""

    def __init__(self, model: Model) -> None:
        self.model = model
        n = len(model.starts) - 1
        self._table = np.full(1 << max(4, (2 * n).bit_length()), -1, np.int32)
        _fill(self._table, model.words, model.starts)

    def __call__(
        self, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int32], out: Labels
    ) -> None:
        """Into `out` the label of each UTF-8 text of `data` between `offsets` (one more).

        An index into the model's labels, `DOUBTFUL` or `NO_LABEL`. Newlines count as spaces.
        """
        model = self.model
        _judge(
            data,
            offsets,
            out,
            self._table,
            model.words,
            model.starts,
            model.ngrams,
            model.rows,
            model.output,
            model.left,
            model.right,
            model.shortest,
            model.longest,
        )


@compiled
def _mix(h: Any, byte: Any) -> Any:
    """FNV-1a over signed bytes, as fastText's."""
    signed = np.uint32(byte) if byte < 128 else np.uint32(byte) | np.uint32(0xFFFFFF00)
    return np.uint32((h ^ signed) * _PRIME)


@compiled
def _equal(a: Any, start: int, stop: int, b: Any, at: int, end: int) -> bool:
    n, i = stop - start, 0
    while i < n and n == end - at and a[start + i] == b[at + i]:
        i += 1
    return i == n == end - at


@compiled
def _find(table: Any, words: Any, starts: Any, data: Any, start: int, stop: int) -> Any:
    """The slot of a word in the table: its own, or a free one."""
    h = _OFFSET
    for i in range(start, stop):
        h = _mix(h, data[i])
    slot = np.int64(h) & (len(table) - 1)
    while table[slot] >= 0:
        word = table[slot]
        if _equal(data, start, stop, words, starts[word], starts[word + 1]):
            break
        slot = (slot + 1) & (len(table) - 1)
    return slot


@compiled
def _fill(table: Any, words: Any, starts: Any) -> None:
    for word in range(len(starts) - 1):
        table[_find(table, words, starts, words, starts[word], starts[word + 1])] = word


@compiled
def _is_space(c: int) -> bool:
    return c == 32 or c == 10 or c == 13 or c == 9 or c == 11 or c == 12 or c == 0


@compiled
def _add(hidden: Any, row: Any) -> None:
    for k in range(len(hidden)):
        hidden[k] += row[k]


@compiled
def _add_ngrams(
    hidden: Any, data: Any, start: int, stop: int, n_words: int, ngrams: Any, rows: Any,
    shortest: int, longest: int,
) -> int:  # fmt: skip
    """Add the rows of the n-grams of `<word>`; how many they are."""
    added = 0
    length = stop - start + 2
    for i in range(length):
        first = 60 if i == 0 else (62 if i == length - 1 else data[start + i - 1])
        if first & 0xC0 == 0x80:
            continue
        h, j, n = _OFFSET, i, 1
        while j < length and n <= longest:
            h = _mix(h, 60 if j == 0 else (62 if j == length - 1 else data[start + j - 1]))
            j += 1
            while j < length - 1 and data[start + j - 1] & 0xC0 == 0x80:
                h = _mix(h, data[start + j - 1])
                j += 1
            if n >= shortest and not (n == 1 and (i == 0 or j == length)):
                place = ngrams[np.int64(h) % len(ngrams)]
                if place >= 0:
                    _add(hidden, rows[n_words + place])
                    added += 1
            n += 1
    return added


@compiled
def _best(hidden: Any, output: Any, left: Any, right: Any, nodes: Any, scores: Any) -> int:
    """The label with the highest score in the tree, if it is clearly above the second."""
    n = len(left) + 1
    first, second, label = np.float32(-np.inf), np.float32(-np.inf), -1
    nodes[0], scores[0], depth = 2 * n - 2, np.float32(0.0), 1
    while depth:
        depth -= 1
        node, score = nodes[depth], scores[depth]
        if score < second:
            continue
        if node < n:
            if score > first:
                first, second, label = score, first, node
            elif score > second:
                second = score
            continue
        product = np.float32(0.0)
        for k in range(len(hidden)):
            product += output[node - n, k] * hidden[k]
        f = np.float32(1.0 / np.float64(np.float32(1.0) + np.float32(math.exp(-product))))
        on_left = score + np.float32(math.log(np.float64(np.float32(1.0 - np.float64(f))) + 1e-5))
        on_right = score + np.float32(math.log(np.float64(f) + 1e-5))
        likely, other = (right, left) if on_right > on_left else (left, right)
        nodes[depth], scores[depth] = other[node - n], min(on_left, on_right)
        nodes[depth + 1], scores[depth + 1] = likely[node - n], max(on_left, on_right)
        depth += 2
    return label if first - second > _MARGIN else DOUBTFUL


@compiled
def _judge(
    data: Any, offsets: Any, out: Any, table: Any, words: Any, starts: Any, ngrams: Any, rows: Any,
    output: Any, left: Any, right: Any, shortest: int, longest: int,
) -> None:  # fmt: skip
    n_words = len(starts) - 1
    hidden = np.empty(rows.shape[1], np.float32)
    nodes, scores = np.empty(len(left) + 2, np.int64), np.empty(len(left) + 2, np.float32)
    end = table[_find(table, words, starts, _END, 0, len(_END))]
    for text in range(len(out)):
        hidden[:] = 0
        added, at, stop = 0, offsets[text], offsets[text + 1]
        while at < stop:
            if _is_space(data[at]):
                at += 1
                continue
            start = at
            while at < stop and not _is_space(data[at]):
                at += 1
            if _equal(data, start, at, _END, 0, len(_END)):
                break
            word = table[_find(table, words, starts, data, start, at)]
            if word >= 0:
                _add(hidden, rows[word])
                added += 1
            elif at - start >= len(_LABEL) and _equal(
                data, start, start + len(_LABEL), _LABEL, 0, len(_LABEL)
            ):
                continue
            added += _add_ngrams(hidden, data, start, at, n_words, ngrams, rows, shortest, longest)
        if end >= 0:
            _add(hidden, rows[end])
            added += 1
        if added == 0:
            out[text] = NO_LABEL
            continue
        share = np.float32(1.0 / added)
        for k in range(len(hidden)):
            hidden[k] *= share
        out[text] = _best(hidden, output, left, right, nodes, scores)
