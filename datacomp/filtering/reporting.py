"""How well filters tell clean rows from the noise that a pool's builder planted.

For every filter that ranks rows: the AUROC of clean rows against each kind of noise, that is, how
often a clean row scores above a noisy one (ties count half; 0.5 is blind, below it the filter
prefers the noise). `overall` is clean against all rows whose caption is not theirs, or not English.
Rows of the kinds in `TRUE_KINDS` have a true caption: those besides clean have their own columns
and are on neither side of `overall`. Rows without a score rank last, and are counted.

At one kept fraction for all, the share of the kept rows whose caption is true. A filter that ranks
nothing is judged by how often it keeps each row, at the fraction that it keeps.

This reads the truth, as no filter may.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import PoolError
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import Executor
from datacomp.filtering.plan import rows_to_pass
from datacomp.filtering.run import scored
from datacomp.pool import Pool
from datacomp.pool.indexing import StartProgress, silent
from datacomp.subset import UidArray, parse_uids
from datacomp.subset.selectors import share

CLEAN = "clean"
TRUE_KINDS = (CLEAN, "bad_geometry", "near_duplicate")
"""Kinds whose caption says what the picture shows."""

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Truth:
    """The kind of every row, in the pool's order."""

    uids: UidArray
    kinds: npt.NDArray[np.str_]

    @property
    def noise(self) -> tuple[str, ...]:
        """The kinds besides clean: those of the false captions first."""
        found = set(self.kinds.tolist()) - {CLEAN}
        return tuple(sorted(found, key=lambda kind: (kind in TRUE_KINDS, kind)))

    @property
    def true(self) -> Mask:
        """Rows whose caption is true."""
        return np.isin(self.kinds, TRUE_KINDS)


@dataclass(frozen=True)
class Found:
    """What the report says of one filter; AUROCs are None where a side has no rows.

    `kept` are the entries at the fraction that all are cut at, or, of a filter that ranks nothing,
    those that it keeps. `true_share` of them have a true caption; None where nothing is kept.
    """

    name: str
    ranks: bool
    overall: float | None
    against: Mapping[str, float | None]
    kept: int
    kept_share: float
    true_share: float | None
    unscored: int


@dataclass(frozen=True)
class Report:
    """All filters, the best `overall` first, and what was planted."""

    pool: str
    pool_id: str | None
    fraction: float
    rows: Mapping[str, int]
    true_share: float
    filters: tuple[Found, ...]

    def to_json(self) -> dict[str, Any]:
        """What `datacomp filter report --json` prints."""
        return {**asdict(self), "true_kinds": list(TRUE_KINDS)}


def report(
    filters: Mapping[str, Filter],
    pool: Pool,
    store_dir: Path,
    fraction: float = 0.3,
    executor: Executor | None = None,
    progress: StartProgress = silent,
) -> Report:
    """Compute what the store lacks, and compare the filters with the truth.

    `PoolError` for a pool that records no truth. Holds a column of scores in memory at a time.
    """
    share(pool.n_rows, fraction)  # refuses an impossible fraction before the work
    truth = read_truth(pool)
    found = []
    for name, chosen in filters.items():
        expression = chosen.score()
        with (
            progress(name, rows_to_pass(chosen, pool), unit="row reads") as bar,
            scored(chosen, pool, store_dir, executor, bar) as view,
        ):
            if expression is None:
                times = np.concatenate([np.empty(0), *(one.times for one in chosen.select(view))])
                found.append(judge_kept(name, times, truth))
            else:
                read = expression.open(view)
                scores = np.concatenate([np.empty(0), *(read(rows) for rows in view.parts())])
                found.append(judge_scores(name, scores, truth, fraction))
    found.sort(key=lambda one: -1.0 if one.overall is None else one.overall, reverse=True)
    kinds, counts = np.unique(truth.kinds, return_counts=True)
    return Report(
        pool=pool.url,
        pool_id=pool.manifest.pool_id if pool.manifest else None,
        fraction=fraction,
        rows={str(kind): int(n) for kind, n in zip(kinds, counts, strict=True)},
        true_share=float(truth.true.mean()),
        filters=tuple(found),
    )


def read_truth(pool: Pool) -> Truth:
    """The truth of a pool, row by row; `PoolError` if there is none or it is of other rows."""
    table = pool.truth()
    truth = Truth(parse_uids(table["uid"]), np.array(table["truth_kind"].to_pylist(), str))
    if not np.array_equal(truth.uids, np.concatenate([pool.uids(part) for part in pool.parts])):
        raise PoolError(f"the truth of pool {pool.url} is not of its rows, in their order")
    if CLEAN not in truth.kinds:
        raise PoolError(f"pool {pool.url} has no row of the kind {CLEAN!r} to compare noise with")
    return truth


def judge_scores(name: str, scores: Numbers, truth: Truth, fraction: float) -> Found:
    """What ranking by `scores` (n_rows, higher is better, NaN for none) achieves.

    Kept are the floor(n * fraction) highest, ties to the lower uid, and never a row without score.
    """
    order = np.lexsort((truth.uids["f1"], truth.uids["f0"], -scores))
    without = np.isnan(scores)
    top = order[: share(len(scores), fraction)]
    times = np.zeros(len(scores))
    times[top[~without[top]]] = 1
    return _found(name, scores, times, truth, ranks=True, unscored=int(without.sum()))


def judge_kept(name: str, times: Numbers, truth: Truth) -> Found:
    """What keeping each row so many `times` achieves."""
    return _found(name, times, times, truth, ranks=False, unscored=0)


def auroc(above: Numbers, below: Numbers) -> float | None:
    """The share of pairs in which `above` scores higher, ties half; None if a side is empty.

    The rank statistic of Mann and Whitney (1947), exact in integers. A NaN is below all numbers and
    ties with NaN.
    """
    if not len(above) or not len(below):
        return None
    numbers = np.concatenate([above, below])
    values, codes = np.unique(numbers, return_inverse=True)
    codes[np.isnan(numbers)] = -1
    size = len(values) + 1
    high = np.bincount(codes[: len(above)] + 1, minlength=size)
    low = np.bincount(codes[len(above) :] + 1, minlength=size)
    twice = int(high @ (2 * (np.cumsum(low) - low) + low))
    return twice / (2 * len(above) * len(below))


def _found(
    name: str,
    scores: Numbers,
    times: Numbers,
    truth: Truth,
    *,
    ranks: bool,
    unscored: int,
) -> Found:
    clean, kept = scores[truth.kinds == CLEAN], int(times.sum())
    return Found(
        name=name,
        ranks=ranks,
        overall=auroc(clean, scores[~truth.true]),
        against={kind: auroc(clean, scores[truth.kinds == kind]) for kind in truth.noise},
        kept=kept,
        kept_share=kept / len(times),
        true_share=int(times[truth.true].sum()) / kept if kept else None,
        unscored=unscored,
    )
