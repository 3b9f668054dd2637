"""Standard errors: binomial where a value is a share of pictures, else a bootstrap over them.

The bootstrap draws counts from a multinomial instead of drawing pictures one by one: a metric
that depends only on how often each outcome occurred needs no more. The seed is fixed, so the
same outcomes always give the same standard error.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.reports import Metric

RESAMPLES = 400
SEED = 0


def share(hits: int, n: int) -> Metric:
    """`hits` of `n` as a metric, with its binomial standard error; undefined if n is 0."""
    if n == 0:
        return Metric(value=None, n=0)
    value = hits / n
    return Metric(value=value, stderr=math.sqrt(value * (1 - value) / n), n=n)


def mean(values: npt.NDArray[Any]) -> Metric:
    """Mean of independent values (n,) with its standard error, where n allows them."""
    n = len(values)
    return Metric(
        value=float(values.mean()) if n else None,
        stderr=float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else None,
    )


def bootstrap(
    counts: npt.NDArray[Any], statistic: Callable[[npt.NDArray[np.int64]], npt.NDArray[Any]]
) -> float:
    """Standard error of `statistic` when the outcomes are drawn anew, `counts.sum()` of them.

    `counts` (k,) says how often each of k outcomes occurred; `statistic` maps drawn counts
    (resamples, k) to values (resamples,).
    """
    total = int(counts.sum())
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(total, counts / total, size=RESAMPLES)
    return float(np.std(statistic(drawn), ddof=1))
