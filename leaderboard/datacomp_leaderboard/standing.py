"""How far ranks can be trusted: rank intervals and tiers from test noise and seed noise; pure.

A row's noise joins two parts in quadrature. Test noise, as its average states it: shared by its
seeds, which answer the same items. Seed noise: a standard deviation over seeds divided by the root
of their number. Two or three seeds hardly tell a deviation, so that of all rows is pooled; a row's
own counts beside it, as much as its seeds say. Where few seeds of all stand behind it, it is
widened as Student's t has it. Test noise of different rows is taken as independent. They answer the
same items, so that their difference is less noisy than that: intervals are rather too wide.

Two rows are told apart one by one, by the difference of their averages over its noise. Drawing all
rows anew and ranking each draw gives the same probabilities for pairs, but as intervals of ranks
it fails: what was seen scatters already, and is scattered once more.

By simulation (boards of 2, 10 and 50 rows; noise known, or one to three seeds a row with seed noise
as large as test noise, alike in all rows or four times larger in half of them; neighbours from 0 to
2 standard errors apart, and where all are equal the true rank is drawn): intervals hold the true
rank of 94.7% to 100% of all rows; those of ranked draws, of 77% to 100%. Only the row that happens
to be first among truly equal ones is worse off: 85% to 90% among 10 and 63% to 73% among 50 (47%
with ranked draws), but 90% and more where neighbours are a tenth of a standard error apart. Two
equal rows alone are put into different tiers in 10% of boards (7% with few seeds). In a larger
board a tier is cut off below its luckiest row, so that two equal rows fall apart more often: where
all are equal in 25% to 33% of boards of 10 and 37% to 52% of 50.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datacomp_leaderboard.entries import Z95, Row, Spread
from datacomp_leaderboard.ranking import RankedRow

# one-sided 95% of a normal distribution
_Z_TIER = 1.644854
# In a row's variance over seeds, that of all rows counts as much as this many further seeds.
_PRIOR = 4
# 97.5% quantiles of Student's t for 1, 2, 3, 4 degrees of freedom
_STUDENT = (12.7062, 4.3027, 3.1824, 2.7764)
# A row that is so many standard errors below the best is never the first in a thousand draws.
_HOPELESS = 6.0
_MAX_DRAWN = 2000
_BLOCK = 256

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Standing:
    """Where a row stands among those that compete.

    With 95% its rank is from `rank_low` to `rank_high`; None without a rank. Tiers count from 1;
    a new one begins where the first row of the tier above is better with 95% probability.
    `p_first` is the probability that the row is the best of those that have a rank; None where
    there is no rank, or the noise is not known.
    """

    rank_low: int | None
    rank_high: int | None
    tier: int
    p_first: float | None


@dataclass(frozen=True)
class Standings:
    """The standing of every row that competes with a number, by row id, in order of merit.

    `seed_sd` is the pooled standard deviation over seeds, None where no row has two; `words` says
    what the noise is made of.
    """

    of: Mapping[str, Standing]
    seed_sd: float | None
    words: str


@dataclass(frozen=True)
class _Pooled:
    """The variance over seeds of all rows, and its degrees of freedom."""

    variance: float
    freedom: int


def standings(ranked: Sequence[RankedRow], *, draws: int = 1000, seed: int = 0) -> Standings:
    """The standings of rows in order of merit, as `ranking.rank` gives them.

    An interval contains its rank: only rows that are better, or worse, beyond noise (two-sided
    95%) bound it. A row that competes without a rank has a tier, and bounds nobody's interval. A
    row without known noise is told apart from none. The draws are for `p_first` alone, and seeded
    by what is drawn; at most the best 2,000 rows take part.
    """
    pooled = _pooled([r.row for r in ranked])
    competing = [(r, r.row.average) for r in ranked if r.row.competes and r.row.average is not None]
    means = np.array([average.mean for _, average in competing], np.float64)
    variances = np.array([_variance(average, pooled) for _, average in competing], np.float64)
    has_rank = np.array([r.rank is not None for r, _ in competing], bool)
    better, worse = _told_apart(means[has_rank], variances[has_rank])
    first = _p_first(means[has_rank], variances[has_rank], draws, seed)
    placed = zip((better + 1).tolist(), (len(worse) - worse).tolist(), first, strict=True)
    nowhere = (None, None, None)
    of = {}
    for (r, _), tier in zip(competing, _tiers(means, variances), strict=True):
        low, high, p_first = nowhere if r.rank is None else next(placed)
        of[r.row.id] = Standing(low, high, tier, p_first)
    sd = None if pooled is None else math.sqrt(pooled.variance)
    return Standings(of, sd, _words([average for _, average in competing], pooled))


def _pooled(rows: Sequence[Row]) -> _Pooled | None:
    found = [(len(a.values) - 1, a.sd) for row in rows if (a := row.average) and a.sd is not None]
    freedom = sum(n for n, _ in found)
    if not freedom:
        return None
    return _Pooled(math.fsum(n * sd * sd for n, sd in found) / freedom, freedom)


def _variance(average: Spread, pooled: _Pooled | None) -> float:
    """Of a row's mean; NaN where its test noise is not known."""
    test, n = average.test_noise, len(average.values)
    if test is None:
        return math.nan
    if pooled is None:
        return test * test
    prior, own = min(_PRIOR, pooled.freedom), n - 1
    sd = average.sd or 0.0
    seeds = (prior * pooled.variance + own * sd * sd) / (prior + own)
    # Satterthwaite's degrees of freedom of that mean of two variances
    freedom = min((prior + own) ** 2 / (prior**2 / pooled.freedom + own), pooled.freedom)
    return test * test + seeds / n * (student_quantile(freedom) / Z95) ** 2


def student_quantile(freedom: float) -> float:
    """The 97.5% quantile of Student's t, within 1%; Abramowitz and Stegun 26.7.5 beyond 3.

    From 1 degree of freedom on; between the tabled ones the logarithm is interpolated.
    """
    if freedom < len(_STUDENT):
        below = int(freedom)
        low, high = _STUDENT[below - 1], _STUDENT[below]
        return float(low * (high / low) ** (freedom - below))
    z = Z95
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / freedom**i for i, term in enumerate(terms))


def _told_apart(means: Floats, variances: Floats) -> tuple[Counts, Counts]:
    """How many rows are better, and worse, than each beyond noise; `means` from high to low."""
    better, worse = np.zeros(len(means), np.int64), np.zeros(len(means), np.int64)
    known = np.flatnonzero(np.isfinite(variances))
    means, variances = means[known], variances[known]
    for start in range(0, len(known), _BLOCK):
        here = slice(start, start + _BLOCK)
        mean, variance = means[here, None], variances[here, None]
        # what is farther than this from the whole block is told apart whatever its noise
        far = Z95 * math.sqrt(variance.max() + variances.max()) * (1 + 1e-9)
        low = np.searchsorted(-means, -mean.max() - far, "left")
        high = np.searchsorted(-means, -mean.min() + far, "right")
        ahead = means[None, low:high] - mean
        noise = variances[None, low:high] + variance
        apart = (ahead * ahead >= Z95 * Z95 * noise) & (ahead != 0)
        better[known[here]] = low + (apart & (ahead > 0)).sum(axis=1)
        worse[known[here]] = len(known) - high + (apart & (ahead < 0)).sum(axis=1)
    return better, worse


def _tiers(means: Floats, variances: Floats) -> list[int]:
    tiers: list[int] = []
    first = (math.inf, math.nan)
    for mean, variance in zip(means.tolist(), variances.tolist(), strict=True):
        ahead = first[0] - mean
        begins = not tiers or (
            ahead > 0 and ahead * ahead >= _Z_TIER * _Z_TIER * (first[1] + variance)
        )
        if begins:
            first = (mean, variance)
        tiers.append((tiers[-1] if tiers else 0) + begins)
    return tiers


def _p_first(means: Floats, variances: Floats, draws: int, seed: int) -> list[float | None]:
    known = np.flatnonzero(np.isfinite(variances))[:_MAX_DRAWN]
    chances: list[float | None] = [None] * len(means)
    if not len(known):
        return chances
    best = known[0]
    behind = means[best] - means[known]
    drawn = known[behind <= _HOPELESS * np.sqrt(variances[best] + variances[known])]
    content = means[drawn].tobytes() + variances[drawn].tobytes() + str((draws, seed)).encode()
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:8], "little"))
    noise = rng.standard_normal((draws, len(drawn))) * np.sqrt(variances[drawn])
    firsts = np.bincount((means[drawn] + noise).argmax(axis=1), minlength=len(drawn)) / draws
    for i in np.flatnonzero(np.isfinite(variances)):
        chances[i] = 0.0
    for i, chance in zip(drawn.tolist(), firsts.tolist(), strict=True):
        chances[i] = chance
    return chances


def _words(averages: Sequence[Spread], pooled: _Pooled | None) -> str:
    unknown = sum(average.test_noise is None for average in averages)
    words = "Noise is from the tests' finite size"
    if pooled is None:
        words += " alone: no method has a second training seed."
    else:
        words += (
            f" and from training seeds, whose standard deviation here is "
            f"{math.sqrt(pooled.variance):.4f} (all methods pooled, "
            f"{pooled.freedom} degree{'' if pooled.freedom == 1 else 's'} of freedom)."
        )
    words += " The tests' part is taken as independent between methods, which is cautious."
    if unknown:
        words += (
            f" {unknown} without known noise {'is' if unknown == 1 else 'are'} never told apart."
        )
    return words
