"""Ranks and metrics of retrieval and association, as pure functions of arrays.

Retrieval: a hit at k means that at least one right answer is among the first k. Association
(WinoGAViL): pick as many pictures as belong to the cue, score the picks by Jaccard index.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.evaluation.uncertainty import bootstrap, mean
from datacomp.reports import Metric

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

RECALL_AT = (1, 5, 10)
_CHUNK_ROWS = 1024
# The candidate numbers of WinoGAViL and the ranges that its paper joins.
_MANY = 2**31
_SIZES = {
    "5": (5, 5),
    "6": (6, 6),
    "10": (10, 10),
    "12": (12, 12),
    "5-6": (0, 6),
    "10-12": (10, _MANY),
}


def ranks(
    images: FloatArray, texts: FloatArray, image_of_text: IntArray
) -> tuple[IntArray, IntArray]:
    """Ranks of each text's picture among the pictures (m,), of each picture's best text (n,).

    `images` (n, d) and `texts` (m, d) are unit rows; `image_of_text` (m,) names the picture of
    each text, and every picture has at least one.
    """
    right = image_of_text[:, None] == np.arange(len(images))[None, :]
    return _best_ranks(texts, images, right), _best_ranks(images, texts, right.T)


def retrieval(
    text_ranks: IntArray, image_ranks: IntArray, image_of_text: IntArray
) -> dict[str, Metric]:
    """Recall at 1, 5 and 10 of pictures by text and texts by picture, and the mean at 1.

    Takes what `ranks` gives. Image retrieval averages over texts, text retrieval over pictures.
    Standard errors are by bootstrap over pictures, whose texts belong together.
    """
    n = len(image_ranks)
    per_image = np.bincount(image_of_text, minlength=n)
    metrics = {}
    for k in RECALL_AT:
        found = np.bincount(image_of_text, weights=text_ranks < k, minlength=n)
        image_way = _ratio(found, per_image)
        text_way = _ratio((image_ranks < k).astype(float), np.ones(n))
        metrics[f"image_retrieval_recall@{k}"] = image_way
        metrics[f"text_retrieval_recall@{k}"] = text_way
        if k == 1:
            metrics["mean_recall@1"] = _mean_recall(found, per_image, image_ranks < 1)
    return {name: metrics[name] for name in sorted(metrics, key=_reading_order)}


def cue_prompt(cue: str) -> str:
    """DataComp's prompt for WinoGAViL: an article by the first letter, the cue in lower case."""
    word = cue.lower()
    return ("An " if word[:1] in tuple("aeiou") else "A ") + word


def picked(scores: npt.NDArray[Any], k: int) -> IntArray:
    """Indices of the k highest of `scores` (n,); of equals the last, as in the original."""
    return np.argsort(scores, kind="stable")[len(scores) - k :]


def jaccard(a: Sequence[int] | IntArray, b: Sequence[int] | IntArray) -> float:
    """Size of the intersection over size of the union of two index sets, not both empty."""
    left, right = {int(i) for i in a}, {int(i) for i in b}
    return len(left & right) / len(left | right)


def association(scores: npt.NDArray[Any], n_candidates: IntArray) -> dict[str, Metric]:
    """Mean Jaccard index over instances, and over those of each number of candidates.

    `scores` (n,) are the instances' Jaccard indices, `n_candidates` (n,) their sizes.
    """
    names = ["avg_jaccard_score", *(f"jaccard_score_{name}" for name in _SIZES)]
    return {name: mean(scores[of_size(name, n_candidates)]) for name in names}


def of_size(metric: str, n_candidates: IntArray) -> npt.NDArray[np.bool_]:
    """Which instances (n,) a metric of `association` is the mean of."""
    low, high = _SIZES.get(metric.removeprefix("jaccard_score_"), (0, _MANY))
    return np.asarray((n_candidates >= low) & (n_candidates <= high))


def _best_ranks(queries: FloatArray, gallery: FloatArray, right: npt.NDArray[np.bool_]) -> IntArray:
    """Rank of each query's best right answer in the gallery; ties go to the lower index."""
    found = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        scores = queries[rows] @ gallery.T
        masked = np.where(right[rows], scores, -np.inf)
        first = masked.argmax(axis=1)[:, None]
        best = np.take_along_axis(masked, first, axis=1)
        earlier = np.arange(len(gallery))[None, :] < first
        found[rows] = ((scores > best) | ((scores == best) & earlier)).sum(axis=1)
    return found


def _ratio(hits: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> Metric:
    """sum(hits) / sum(sizes) over pictures (n,), with its bootstrap over pictures."""
    value = float(hits.sum() / sizes.sum())
    stderr = bootstrap(np.ones(len(hits)), lambda drawn: (drawn @ hits) / (drawn @ sizes))
    return Metric(value=value, stderr=stderr, n=int(sizes.sum()))


def _mean_recall(
    found: npt.NDArray[Any], per_image: npt.NDArray[Any], text_hit: npt.NDArray[np.bool_]
) -> Metric:
    def both(drawn: IntArray) -> npt.NDArray[Any]:
        image_way = (drawn @ found) / (drawn @ per_image)
        text_way = (drawn @ text_hit) / drawn.sum(axis=1)
        return np.asarray((image_way + text_way) / 2)

    ones = np.ones(len(found), np.int64)
    return Metric(value=float(both(ones[None])[0]), stderr=bootstrap(ones, both))


def _reading_order(name: str) -> tuple[bool, int]:
    return name == "mean_recall@1", int(name.split("@")[1])
