"""The paired bootstrap: how far two models' difference depends on the pictures at hand.

Both models answered the same pictures, so pictures are drawn anew for both at once: what is hard
for both cancels. The units drawn are the pictures of a task (for retrieval a picture with its
texts, for association an instance); groups and classes keep their pictures, however many are drawn.

What a metric takes from a unit is a few numbers, the same for many units. So it is not the units
that are drawn, but, from a multinomial, how often each joint outcome of both models occurs:
50,000 pictures with two yes-or-no answers each are four numbers a resample.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.evaluation import metrics
from datacomp.evaluation.outcomes import Outcomes, widened
from datacomp.evaluation.ranking import of_size
from datacomp.reports import TaskSpec

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Statistic = Callable[[FloatArray, IntArray], FloatArray]

RESAMPLES = 2000
LEVEL = 0.95
# Counts that are held at a time; 32 MB.
_HELD = 2**22
# Units an outcome from which on a multinomial is faster than drawing units one by one.
_FEW = 8


@dataclass(frozen=True)
class Units:
    """What the main metric takes from each unit, and the metric of any number of such units.

    `rows` (n, f) float64; `statistic` maps rows (k, f) and how often each occurs (r, k) to (r,).
    """

    rows: FloatArray
    statistic: Statistic

    @property
    def value(self) -> float:
        """The metric itself."""
        return float(self.statistic(self.rows, np.ones((1, len(self.rows)), np.int64))[0])


def units_of(spec: TaskSpec, outcomes: Outcomes) -> Units | None:
    """The units of a task's main metric; None if there is none, or it is no metric of this list."""
    found = widened(outcomes)
    name = spec.main_metric or ""
    if spec.kind == "retrieval":
        return _retrieval(name, found)
    if spec.kind == "association":
        chosen = of_size(name, found["candidates"])
        return Units(found["scores"][chosen, None], _mean)
    for grouping in spec.groupings:
        if name in grouping.minima:
            groups = found["metadata"][:, spec.metadata.index(grouping.field)]
            rows = _columns(groups, found["ranks"] < grouping.top)
            return Units(rows[groups < grouping.minima[name]], _worst)
    if name in ("mean_per_class_recall", "recall-macro_all"):
        return Units(_columns(found["targets"], found["predicted"] == found["targets"]), _recall)
    if name == "F1-macro_all":
        return Units(_columns(found["targets"], found["predicted"]), _f1)
    top = {"acc1": 1, "acc_avg": 1, "acc5": 5, "acc_top5_avg": 5}.get(name)
    return None if top is None else Units(_columns(found["ranks"] < top), _mean)


def differences(a: Units, b: Units, seed: int, resamples: int = RESAMPLES) -> FloatArray:
    """The metric of `a` less that of `b` in each resample of their common units, (resamples,)."""
    joint = np.hstack([a.rows, b.rows])
    rows, counts = np.unique(joint, axis=0, return_counts=True)
    left, right = rows[:, : a.rows.shape[1]], rows[:, a.rows.shape[1] :]
    rng = np.random.default_rng(seed)
    at_once = max(1, _HELD // len(rows))
    found = []
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        drawn = _drawn(rng, counts, size)
        found.append(a.statistic(left, drawn) - b.statistic(right, drawn))
    return np.concatenate(found)


def _drawn(rng: np.random.Generator, counts: IntArray, size: int) -> IntArray:
    """How often each outcome occurs among as many units drawn anew, (size, k)."""
    n, k = int(counts.sum()), len(counts)
    if n > _FEW * k:
        return np.asarray(rng.multinomial(n, counts / n, size=size))
    outcome = np.repeat(np.arange(k), counts)
    found = np.empty((size, k), np.int64)
    for row in found:
        row[:] = np.bincount(outcome[rng.integers(0, n, n)], minlength=k)
    return found


@dataclass(frozen=True)
class Spread:
    """What resampled differences say: one standard error, the interval, the two-sided p-value."""

    stderr: float
    interval: tuple[float, float]
    p: float


def spread(drawn: FloatArray) -> Spread:
    """Percentile interval at `LEVEL`, and the p-value that crosses 1 - LEVEL where it does."""
    tail = (1 - LEVEL) / 2
    low = np.quantile(drawn, tail, method="lower")
    high = np.quantile(drawn, 1 - tail, method="higher")
    fewer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Spread(
        stderr=float(np.std(drawn, ddof=1)),
        interval=(float(low), float(high)),
        p=min(1.0, 2 * (fewer + 1) / (len(drawn) + 1)),
    )


def seed_of(key: str) -> int:
    """The seed of a task: fixed, another one for every task, so that tasks are independent."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")


def _retrieval(name: str, found: Outcomes) -> Units:
    way, k = name.split("_")[0], int(name.split("@")[1])
    owners = found["image_of_text"]
    n = len(found["image_ranks"])
    per_image = np.bincount(owners, minlength=n)
    own = np.bincount(owners, weights=found["text_ranks"] < k, minlength=n)
    rows = _columns(own, per_image, found["image_ranks"] < k)
    return Units(rows, {"image": _image_way, "text": _text_way, "mean": _both_ways}[way])


def _columns(*columns: npt.NDArray[Any]) -> FloatArray:
    return np.stack(columns, axis=1).astype(np.float64)


def _mean(rows: FloatArray, drawn: IntArray) -> FloatArray:
    return np.asarray((drawn @ rows[:, 0]) / drawn.sum(axis=1))


def _recall(rows: FloatArray, drawn: IntArray) -> FloatArray:
    return metrics.mean_over_present(*_hits_and_sizes(rows, drawn))


def _worst(rows: FloatArray, drawn: IntArray) -> FloatArray:
    return metrics.lowest(*_hits_and_sizes(rows, drawn))


def _hits_and_sizes(rows: FloatArray, drawn: IntArray) -> tuple[Any, Any]:
    labels, hit = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
    n = int(labels.max()) + 1
    return metrics.sum_by(drawn * hit, labels, n), metrics.sum_by(drawn, labels, n)


def _f1(rows: FloatArray, drawn: IntArray) -> FloatArray:
    targets, predicted = rows.astype(np.int64).T
    n = int(rows.max()) + 1
    hit = (targets == predicted).astype(np.int64)
    return metrics.f1_over_present(
        metrics.sum_by(drawn, targets, n),
        metrics.sum_by(drawn, predicted, n),
        metrics.sum_by(drawn * hit, targets, n),
    )


def _image_way(rows: FloatArray, drawn: IntArray) -> FloatArray:
    return np.asarray((drawn @ rows[:, 0]) / (drawn @ rows[:, 1]))


def _text_way(rows: FloatArray, drawn: IntArray) -> FloatArray:
    return _mean(rows[:, 2:], drawn)


def _both_ways(rows: FloatArray, drawn: IntArray) -> FloatArray:
    return np.asarray((_image_way(rows, drawn) + _text_way(rows, drawn)) / 2)
