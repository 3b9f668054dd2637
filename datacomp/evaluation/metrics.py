"""Metrics of classification, as pure functions of arrays; names and rules are DataComp's.

`predictions`, `targets` and `ranks` are integer arrays (n,); a rank is the number of classes
that score higher than the right one, so 0 is a hit at 1. Every function returns a `Metric`
with its standard error (see `uncertainty`).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.evaluation.uncertainty import bootstrap, share
from datacomp.reports import Metric

IntArray = npt.NDArray[np.int64]


def target_ranks(logits: npt.NDArray[Any], targets: IntArray) -> IntArray:
    """Rank of the right class in each row of `logits` (n, classes); ties go to the lower index.

    Class names that occur twice give exact ties, so the rule matters (ImageNet has such).
    """
    at_target = logits[np.arange(len(targets)), targets][:, None]
    earlier = np.arange(logits.shape[1])[None, :] < targets[:, None]
    ahead = (logits > at_target) | ((logits == at_target) & earlier)
    return np.asarray(ahead.sum(axis=1), np.int64)


def top_k_accuracy(ranks: IntArray, k: int, n_classes: int) -> Metric:
    """Share of pictures whose right class is among the first k; undefined below k classes."""
    if n_classes < k:
        return Metric(value=None, n=len(ranks))
    return share(int((ranks < k).sum()), len(ranks))


def mean_per_class_recall(predictions: IntArray, targets: IntArray) -> Metric:
    """Mean over the classes that occur in `targets` of the share found (balanced accuracy)."""
    classes, index = np.unique(targets, return_inverse=True)
    hits = np.bincount(index, weights=predictions == targets)
    totals = np.bincount(index)
    counts = np.concatenate([hits, totals - hits]).astype(np.int64)

    def recall(drawn: IntArray) -> npt.NDArray[Any]:
        found, missed = drawn[:, : len(classes)], drawn[:, len(classes) :]
        return mean_over_present(found, found + missed)

    return Metric(value=float(recall(counts[None])[0]), stderr=bootstrap(counts, recall))


def macro_f1(predictions: IntArray, targets: IntArray) -> Metric:
    """Mean F1 over the classes that occur in `targets`; predictions of others count as misses."""
    pairs, counts = np.unique(np.stack([targets, predictions]), axis=1, return_counts=True)
    present = np.unique(targets)
    actual = np.searchsorted(present, pairs[0])
    guessed = np.searchsorted(present, pairs[1]).clip(max=len(present) - 1)
    guessed = np.where(present[guessed] == pairs[1], guessed, len(present))
    hit = np.where(pairs[0] == pairs[1], actual, len(present))

    def f1(drawn: IntArray) -> npt.NDArray[Any]:
        sizes, guesses, found = (
            sum_by(drawn, labels, len(present) + 1)[:, :-1] for labels in (actual, guessed, hit)
        )
        return f1_over_present(sizes, guesses, found)

    return Metric(value=float(f1(counts[None])[0]), stderr=bootstrap(counts, f1))


def group_accuracies(correct: npt.NDArray[np.bool_], groups: IntArray, n: int) -> list[Metric]:
    """Accuracy within each of the groups 0..n-1; undefined where a group has no picture."""
    sizes = np.bincount(groups, minlength=n)
    hits = np.bincount(groups, weights=correct, minlength=n)
    return [share(int(h), int(size)) for h, size in zip(hits, sizes, strict=True)]


def worst_group_accuracy(correct: npt.NDArray[np.bool_], groups: IntArray) -> Metric:
    """The lowest accuracy among the groups that have pictures.

    The minimum of noisy accuracies lies below the lowest true one; the standard error is of
    the minimum as measured, by bootstrap.
    """
    present, index = np.unique(groups, return_inverse=True)
    hits = np.bincount(index, weights=correct)
    counts = np.concatenate([hits, np.bincount(index) - hits]).astype(np.int64)

    def worst(drawn: IntArray) -> npt.NDArray[Any]:
        found, missed = drawn[:, : len(present)], drawn[:, len(present) :]
        return lowest(found, found + missed)

    return Metric(value=float(worst(counts[None])[0]), stderr=bootstrap(counts, worst))


def mean_over_present(hits: IntArray, sizes: IntArray) -> npt.NDArray[Any]:
    """Mean of hits / sizes (b, k) over the columns with a size, per row."""
    recalls = hits / np.maximum(sizes, 1)
    return np.asarray(recalls.sum(axis=1) / (sizes > 0).sum(axis=1))


def f1_over_present(sizes: IntArray, guesses: IntArray, found: IntArray) -> npt.NDArray[Any]:
    """Mean F1 over the classes (b, k) that have pictures, per row: sizes, guesses, right ones."""
    scores = 2 * found / np.maximum(sizes + guesses, 1)
    here = sizes > 0
    return np.asarray(np.where(here, scores, 0).sum(axis=1) / here.sum(axis=1))


def lowest(hits: IntArray, sizes: IntArray) -> npt.NDArray[Any]:
    """The lowest hits / sizes (b, k) among the columns with a size, per row."""
    accuracy = np.where(sizes > 0, hits / np.maximum(sizes, 1), np.inf)
    return np.asarray(accuracy.min(axis=1))


def sum_by(values: IntArray, labels: IntArray, n: int) -> IntArray:
    """Sum the columns of `values` (b, k) that share a label in 0..n-1, to (b, n)."""
    if (np.diff(labels) < 0).any():
        order = np.argsort(labels, kind="stable")
        values, labels = values[:, order], labels[order]
    used, starts = np.unique(labels, return_index=True)
    sums = np.zeros((len(values), n), np.int64)
    sums[:, used] = np.add.reduceat(values, starts, axis=1)
    return sums
