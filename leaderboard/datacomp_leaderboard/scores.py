"""Task values of many rows as arrays: averages under any weights, for all rows at once; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datacomp_leaderboard.entries import Row, Spread

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """What the training seeds of `rows` scored.

    `values` and `stderrs` are float64 of shape (seeds, tasks), NaN where there is no number; seed
    i belongs to row `owners[i]`, and the seeds of a row follow each other.
    """

    rows: tuple[Row, ...]
    tasks: tuple[str, ...]
    owners: NDArray[np.int64]
    values: Floats
    stderrs: Floats


def scores_of(rows: Iterable[Row], tasks: Sequence[str]) -> Scores:
    """The scores of `rows` in `tasks`; NaN for a task that an entry does not have."""
    rows = tuple(rows)
    entries = [entry for row in rows for entry in row.counted]
    owners = np.repeat(np.arange(len(rows)), [len(row.counted) for row in rows])
    shape = (len(entries), len(tasks))
    values = _array((map(e.tasks.values_by_task.get, tasks) for e in entries), shape)
    stderrs = _array((map(e.tasks.stderrs_by_task.get, tasks) for e in entries), shape)
    return Scores(rows, tuple(tasks), owners, values, stderrs)


def _array(lines: Iterable[Iterable[float | None]], shape: tuple[int, int]) -> Floats:
    # None becomes NaN
    return np.array(list(chain.from_iterable(lines)), np.float64).reshape(shape)


def weight_vector(scores: Scores, weights: Mapping[str, float]) -> Floats:
    """The weights in the order of the scores' tasks, 0 for what is not weighed; their sum is 1.

    All zeros if nothing is weighed.
    """
    vector = np.array([weights.get(task, 0.0) for task in scores.tasks], np.float64)
    total = vector.sum()
    return vector / total if total > 0 else vector


def spreads(scores: Scores, weights: Mapping[str, float]) -> list[Spread | None]:
    """The weighted average of each row over its seeds, as `entries.spread` would have it.

    None for a row without seeds, or in which a task that is weighed has no number.
    """
    vector = weight_vector(scores, weights)
    weighed = vector > 0
    if not weighed.any() or not len(scores.owners):
        return [None] * len(scores.rows)
    vector, of = vector[weighed], scores.owners
    # sums run along each row by itself, so that equal rows get equal averages to the last bit
    averages = np.ascontiguousarray(scores.values[:, weighed] * vector).sum(axis=1)
    noises = np.sqrt(np.ascontiguousarray((scores.stderrs[:, weighed] * vector) ** 2).sum(axis=1))
    n = np.bincount(of, minlength=len(scores.rows))
    some = np.maximum(n, 1)
    means = np.bincount(of, averages, len(n)) / some
    squares = np.bincount(of, (averages - means[of]) ** 2, len(n))
    sds = np.sqrt(squares / np.maximum(n - 1, 1))
    known = np.isfinite(noises)
    n_known = np.bincount(of, known, len(n))
    tests = np.bincount(of, np.where(known, noises, 0.0), len(n)) / np.maximum(n_known, 1)
    stderrs = np.hypot(tests, sds / np.sqrt(some))
    ends = np.cumsum(n)
    columns = (n, n_known, means, stderrs, sds, ends)
    seeds = averages.tolist()
    return [_spread(seeds, *line) for line in zip(*(c.tolist() for c in columns), strict=True)]


def _spread(
    seeds: Sequence[float], n: int, n_known: float, mean: float, stderr: float, sd: float, end: int
) -> Spread | None:
    if n == 0 or mean != mean:
        return None
    return Spread(
        mean,
        stderr if n_known else None,
        sd if n > 1 else None,
        tuple(seeds[end - n : end]),
    )


def task_means(scores: Scores) -> Floats:
    """The mean over seeds of each row in each task, (rows, tasks); NaN where a seed has none."""
    n = np.bincount(scores.owners, minlength=len(scores.rows))
    means = np.full((len(n), len(scores.tasks)), np.nan)
    if len(scores.owners):
        starts = (np.cumsum(n) - n)[n > 0]
        means[n > 0] = np.add.reduceat(scores.values, starts) / n[n > 0, None]
    return means


def with_averages(rows: Iterable[Row], averages: Iterable[Spread | None]) -> tuple[Row, ...]:
    """The same rows with other averages."""
    return tuple(_changed(r, "average", a) for r, a in zip(rows, averages, strict=True))


def with_robust(rows: Iterable[Row], averages: Iterable[Spread | None]) -> tuple[Row, ...]:
    """The same rows with their averages under the robust rule."""
    return tuple(_changed(r, "robust", a) for r, a in zip(rows, averages, strict=True))


def _changed(row: Row, name: str, value: Any) -> Row:
    # as dataclasses.replace, ten times as fast: every view with own weights changes all rows
    changed = object.__new__(Row)
    changed.__dict__.update(row.__dict__, **{name: value})
    return changed
