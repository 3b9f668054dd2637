"""A fastText classifier's file as arrays: what the compiled reading of captions needs.

The format is fastText 0.9.2's own (FastText::loadModel, Dictionary::load, QuantMatrix::load):
version 12, dense or quantised input, dense output, hierarchical softmax, no word n-grams, which is
what lid.176.bin and lid.176.ftz are.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_MAGIC, _VERSION, _SOFTMAX_TREE, _SUPERVISED = 793_712_314, 12, 1, 3
_CODES = 256
_LABEL = "__label__"
_INT, _LONG = np.dtype("<i4"), np.dtype("<i8")

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


class Unsupported(Exception):
    """A model of another kind or version, which only fastText itself can run."""


@dataclass(frozen=True)
class Model:
    """Arrays of a classifier.

    `rows` are the input vectors, of words first, then of n-grams; `output` those of the tree's
    inner nodes. `words` are UTF-8, one after the other, cut by `starts`. `ngrams` gives the place
    of a hashed n-gram after the words' rows, -1 for one that was pruned. `left` and `right` are the
    children of an inner node: another one (`n_labels` and up) or a label.
    """

    rows: Floats
    output: Floats
    words: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ngrams: Ints
    left: Ints
    right: Ints
    labels: tuple[str, ...]
    shortest: int
    longest: int


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, dtype: "np.dtype[np.generic]", n: int) -> npt.NDArray[np.generic]:
        found = np.frombuffer(self.data, dtype, n, self.at)
        self.at += found.nbytes
        return found

    def one(self, dtype: "np.dtype[np.generic]" = _INT) -> int:
        return int(self.take(dtype, 1)[0])

    def flag(self) -> bool:
        return bool(self.one(np.dtype("u1")))

    def word(self) -> bytes:
        end = self.data.index(b"\0", self.at)
        found, self.at = self.data[self.at : end], end + 1
        return found


def read_model(path: Path) -> Model:
    """Read a model; `Unsupported` if it is of another kind."""
    reader = _Reader(path.read_bytes())
    try:
        return _model(reader)
    except (ValueError, IndexError) as error:
        raise Unsupported(str(error)) from error


def _model(reader: _Reader) -> Model:
    if (reader.one(), reader.one()) != (_MAGIC, _VERSION):
        raise Unsupported("another version")
    (dim, _, _, _, _, word_ngrams, loss, kind, buckets, shortest, longest, _) = (
        reader.one() for _ in range(12)
    )
    reader.take(np.dtype("<f8"), 1)
    if (loss, kind, word_ngrams) != (_SOFTMAX_TREE, _SUPERVISED, 1) or longest < 1:
        raise Unsupported("another kind of classifier")
    size, n_words, n_labels = reader.one(), reader.one(), reader.one()
    reader.take(_LONG, 1)
    n_pruned = reader.one(_LONG)
    entries = []
    for _ in range(size):
        entries.append((reader.word(), reader.one(_LONG)))
        reader.flag()
    words, labels = [word for word, _ in entries[:n_words]], entries[n_words:]
    ngrams = _places(reader, n_pruned, buckets)
    rows = _quantised(reader) if reader.flag() else _dense(reader)
    if reader.flag():
        raise Unsupported("a quantised output")
    output = _dense(reader)
    if rows.shape[1] != dim or len(labels) != n_labels or output.shape != (n_labels, dim):
        raise Unsupported("arrays of unexpected shapes")
    rows.flags.writeable = output.flags.writeable = False  # one type for the compiler
    left, right = _tree([count for _, count in labels])
    lengths = [0, *(len(word) for word in words)]
    return Model(
        rows=rows,
        output=output,
        words=np.frombuffer(b"".join(words), np.uint8),
        starts=np.cumsum(lengths, dtype=np.int64),
        ngrams=ngrams,
        left=left,
        right=right,
        labels=tuple(word.decode().removeprefix(_LABEL) for word, _ in labels),
        shortest=shortest,
        longest=longest,
    )


def _places(reader: _Reader, n_pruned: int, buckets: int) -> Ints:
    if n_pruned < 0:
        return np.arange(buckets, dtype=np.int32)
    pairs = np.asarray(reader.take(_INT, 2 * n_pruned), np.int32).reshape(-1, 2)
    places = np.full(buckets, -1, np.int32)
    places[pairs[:, 0]] = pairs[:, 1]
    return places


def _dense(reader: _Reader) -> Floats:
    m, n = reader.one(_LONG), reader.one(_LONG)
    return np.asarray(reader.take(np.dtype("<f4"), m * n), np.float32).reshape(m, n)


def _quantised(reader: _Reader) -> Floats:
    """Rows as fastText adds them: norm times centroid, in float32."""
    has_norms = reader.flag()
    m, n = reader.one(_LONG), reader.one(_LONG)
    codes = reader.take(np.dtype("u1"), reader.one()).reshape(m, -1)
    rows = _decoded(reader, codes, n)
    if has_norms:
        norm_codes = reader.take(np.dtype("u1"), m).reshape(m, 1)
        rows = rows * _decoded(reader, norm_codes, 1)
    return rows


def _decoded(reader: _Reader, codes: npt.NDArray[np.generic], n: int) -> Floats:
    """A product quantiser's centroids, put together by the codes of every row."""
    dim, parts, width, last = (reader.one() for _ in range(4))
    if (dim, parts) != (n, codes.shape[1]) or (parts - 1) * width + last != dim:
        raise Unsupported("a quantiser of unexpected shape")
    flat = np.asarray(reader.take(np.dtype("<f4"), dim * _CODES), np.float32)
    pieces = []
    for part in range(parts):
        wide = last if part == parts - 1 else width
        start = part * _CODES * width
        table = flat[start : start + _CODES * wide].reshape(_CODES, wide)
        pieces.append(table[np.asarray(codes[:, part], np.intp)])
    return np.concatenate(pieces, axis=1)


def _tree(counts: list[int]) -> tuple[Ints, Ints]:
    """The Huffman tree of the labels' counts (HierarchicalSoftmaxLoss::buildTree)."""
    n = len(counts)
    weight = [*counts, *([10**15] * (n - 1))]
    left, right = np.empty(n - 1, np.int32), np.empty(n - 1, np.int32)
    leaf, node = n - 1, n
    for inner in range(n, 2 * n - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and weight[leaf] < weight[node]:
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(node)
                node += 1
        left[inner - n], right[inner - n] = pair
        weight[inner] = weight[pair[0]] + weight[pair[1]]
    return left, right
