"""Soft and hard cap sampling: rows drawn by the softmax of their scores, repeats held down.

Soft Cap Sampling (FLYT, arXiv 2503.08805): each draw of a row lowers its score by `alpha`, so that
the odds of another are multiplied by e^-alpha. By rounds, as in the paper: `batch` different rows
by successive sampling, then the penalty. Or by clocks: with rounds of one draw, a row whose score
is s and that was drawn k times waits Exp(1) * e^-(s - alpha k) for its next draw, whatever the
others do; the draws are the earliest of all. Hard cap sampling is that with alpha 0 and an end.

Every number comes from uid, seed, and round or copy: neither the order of rows nor their parts
decide. Rows of one uid have the same numbers. A row without a score (NaN, -inf, or below what
floats can tell apart, -1e12) is never drawn.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.subset.cuts import CANDIDATES, Chunk, Scores
from datacomp.subset.selectors import uid_draws

Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Copies = npt.NDArray[np.uint32]
Scan = Callable[[], Iterable[Chunk]]

MOST_ALPHA = 1e9
"""As good as infinity, and still far from the end of floats."""

NO_CAP = 2**62
_MOST_SCORE = 1e12
_WIDTH, _LEVELS = 0.01, 65_536
_WINDOW = (-0.5, 0.25)  # around the expected log time of the last draw
_FINEST = 2.0**-36  # of the log time: 65,536 times finer is about where floats end


def soft_cap(scan: Scan, draws: int, alpha: float, batch: int, seed: int) -> Iterator[Copies]:
    """How often each row is drawn, part after part: rounds of `batch` different rows.

    Gumbel-top-k in every round, which is successive sampling without replacement. `scan` is walked
    twice; memory holds 20 bytes a row. `UsageError` if a round needs more rows than have a score.
    """
    _demand(draws, alpha)
    if batch < 1:
        raise UsageError(f"batch is 1 or more, got {batch}")
    from datacomp.subset import soft_cap_kernels as kernels

    spread = _spread(scan)
    if min(batch, draws) > spread.n_rows:
        raise UsageError(
            f"each round draws {min(batch, draws):,} different rows, but only {spread.n_rows:,} "
            "have a score. Give a smaller batch"
        )
    levels, keys = np.empty(spread.n_all), np.empty(spread.n_all, np.uint64)
    ends = [0]
    for some_levels, some_keys in _rows(scan, seed):
        part = slice(ends[-1], ends[-1] + len(some_keys))
        levels[part], keys[part] = some_levels, some_keys
        ends.append(part.stop)
    copies = np.zeros(spread.n_all, np.uint32)
    until = spread.log_time(min(batch, draws), MOST_ALPHA, 1)
    room = (np.empty(0, np.int64), np.empty(0))
    for number, first in enumerate(range(0, draws, batch)):
        n, step = min(batch, draws - first), 0.25
        while (found := kernels.early(levels, keys, number, until, *room)) < n:
            until, step = until + step, 2 * step
        if found > len(room[0]):
            room = (np.empty(found + found // 4, np.int64), np.empty(found + found // 4))
            kernels.early(levels, keys, number, until, *room)
        rows, last = _earliest(room[0][:found], room[1][:found], keys, n)
        copies[rows] += np.uint32(1)
        levels[rows] -= alpha
        until = last + 4 / n**0.5 + 0.01
    yield from np.split(copies, ends[1:-1])


def soft_cap_clocks(scan: Scan, draws: int, alpha: float, seed: int) -> Iterator[Copies]:
    """As `soft_cap` with a batch of one, by clocks; `scan` is walked four times or little more.

    Bounded memory: that of one part and a few MB.
    """
    _demand(draws, alpha)
    return _earliest_arrivals(_Clocks(scan, alpha, NO_CAP, seed), _spread(scan), draws)


def hard_cap(scan: Scan, draws: int, max_repeats: int, seed: int) -> Iterator[Copies]:
    """As `soft_cap_clocks` without a penalty; a row drawn `max_repeats` times is passed over.

    `UsageError` if the rows with a score do not add up to `draws`.
    """
    _demand(draws, 0.0)
    if max_repeats < 1:
        raise UsageError(f"max_repeats is 1 or more, got {max_repeats}")
    spread = _spread(scan)
    if draws > spread.n_rows * max_repeats:
        raise UsageError(
            f"{draws:,} draws are impossible: {spread.n_rows:,} rows have a score, and each is "
            f"drawn at most {max_repeats:,} times. Give fewer draws or more repeats"
        )
    return _earliest_arrivals(_Clocks(scan, 0.0, min(max_repeats, NO_CAP), seed), spread, draws)


def most_expected(lead: Floats, alpha: float, cap: int) -> Floats:
    """An upper bound on the mean number of copies of a row, given x = its score + the log time.

    The least of: log(1 + (e^alpha - 1) e^x) / alpha, the mean field (Jensen's inequality on
    E[e^(alpha n)] = 1 + (e^alpha - 1) e^x); the sum over k from 0 of min(1, e^(x - alpha k)), as no
    copy comes before the end of its own wait; and `cap`.
    """
    if alpha == 0:
        return np.minimum(np.exp(np.minimum(lead, 700.0)), cap)
    mean_field = np.logaddexp(0.0, lead + alpha + np.log(-np.expm1(-alpha))) / alpha
    surely = np.floor(np.maximum(lead, -alpha) / alpha) + 1
    chain = surely + np.exp(lead - alpha * surely) / -np.expm1(-alpha)
    return np.asarray(np.minimum(np.minimum(mean_field, chain), cap))


@dataclass(frozen=True)
class _Spread:
    """How scores are distributed: upper edges of bins, rows in each; and rows of any score."""

    edges: Floats
    rows: Counts
    n_all: int

    @property
    def n_rows(self) -> int:
        """Rows with a score that can be drawn."""
        return int(self.rows.sum())

    def log_time(self, draws: int, alpha: float, cap: int) -> float:
        """A log time before which no more than `draws` arrivals are expected, to 0.01."""

        def expected(time: float) -> float:
            return float(self.rows @ most_expected(self.edges + time, alpha, cap))

        low = -float(self.edges.max()) - 50.0
        size = 1.0
        while expected(low + size) < draws:
            size *= 2
        high = low + size
        while high - low > _WIDTH and low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if expected(middle) >= draws else (middle, high)
        return low


def _spread(scan: Scan) -> _Spread:
    top, rows, n_all = float("-inf"), np.zeros(_LEVELS, np.int64), 0
    for scores, _ in scan():
        n_all += len(scores)
        places = np.floor(_drawable(scores) / _WIDTH)
        places = places[places > -np.inf]
        if not len(places):
            continue
        if (highest := float(places.max())) > top:
            shift = int(min(highest - top, _LEVELS - 1)) if rows.any() else 0
            rows, below = np.roll(rows, shift), rows[_LEVELS - shift :].sum()
            rows[:shift] = 0
            rows[-1] += below
            top = highest
        rows += np.bincount(np.minimum(top - places, _LEVELS - 1).astype(np.int64), None, _LEVELS)
    taken = np.flatnonzero(rows)
    if not len(taken):
        raise UsageError("no row has a score, so that none can be drawn")
    return _Spread(np.asarray((top + 1 - taken) * _WIDTH, np.float64), rows[taken], n_all)


@dataclass(frozen=True)
class _Clocks:
    """All rows' arrivals."""

    scan: Scan
    alpha: float
    most: int
    seed: int

    def count(self, window: "_Window") -> tuple[int, Counts]:
        """Arrivals before the window, and in each of its bins."""
        from datacomp.subset import soft_cap_kernels as kernels

        before, counts = 0, np.zeros(kernels.BINS, np.int64)
        for scores, keys in _rows(self.scan, self.seed):
            given = (self.alpha, self.most, window.low, window.scale, counts)
            before += kernels.count_arrivals(scores, keys, *given)
        return before, counts

    def before(self, window: "_Window", room: int) -> Iterator[tuple[Copies, Counts, Floats, Keys]]:
        """By part: each row's arrivals before the window's chosen bin; rows, times, keys in it."""
        from datacomp.subset import soft_cap_kernels as kernels

        rows, times = np.empty(room, np.int64), np.empty(room)
        for scores, keys in _rows(self.scan, self.seed):
            copies = np.zeros(len(scores), np.uint32)
            given = (self.alpha, self.most, window.low, window.scale, window.chosen)
            n = kernels.arrivals_before(scores, keys, *given, copies, rows, times)
            yield copies, rows[:n].copy(), times[:n].copy(), keys[rows[:n]]


@dataclass(frozen=True)
class _Window:
    """Log times from `low` on, in bins of 1 / `scale`; `chosen` is the one of the last draw."""

    low: float
    scale: float
    chosen: int = -1


def _earliest_arrivals(clocks: _Clocks, spread: _Spread, draws: int) -> Iterator[Copies]:
    window, before, inside = _last_draw(clocks, spread, draws)
    found = [(rows, times, keys) for _, rows, times, keys in clocks.before(window, inside)]
    parts = np.repeat(np.arange(len(found)), [len(rows) for rows, _, _ in found])
    rows, times, keys = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    kept = np.lexsort((keys, times))[: draws - before]
    for number, (copies, *_) in enumerate(clocks.before(window, inside)):
        of_part = rows[kept[parts[kept] == number]]
        yield copies + np.bincount(of_part, minlength=len(copies)).astype(np.uint32)


def _last_draw(clocks: _Clocks, spread: _Spread, draws: int) -> tuple[_Window, int, int]:
    """The bin in which the last draw arrives; arrivals before the bin, and in it."""
    from datacomp.subset.soft_cap_kernels import BINS

    about = spread.log_time(draws, clocks.alpha, clocks.most)
    low, high = about + _WINDOW[0], about + _WINDOW[1]
    while True:
        window = _Window(low, BINS / (high - low))
        before, counts = clocks.count(window)
        up_to = before + np.cumsum(counts)
        if draws <= before:
            low, high = low - 2 * (high - low), low
        elif draws > up_to[-1]:
            low, high = high, high + 2 * (high - low)
        else:
            chosen = int(np.searchsorted(up_to, draws))
            inside = int(counts[chosen])
            if inside <= CANDIDATES or 1 / window.scale < _FINEST * max(1.0, abs(low)):
                before = int(up_to[chosen]) - inside
                return replace(window, chosen=chosen), before, inside
            low, high = (low + (chosen + edge) / window.scale for edge in (0, 1))


def _earliest(rows: Counts, times: Floats, keys: Keys, n: int) -> tuple[Counts, float]:
    """The `n` earliest of some rows, ties to the lower key; and the last one's time."""
    last = float(np.partition(times, n - 1)[n - 1])
    before, ties = rows[times < last], rows[times == last]
    ties = ties[np.argsort(keys[ties])][: n - len(before)]
    return np.concatenate([before, ties]), last


def _rows(scan: Scan, seed: int) -> Iterator[tuple[Floats, Keys]]:
    for scores, uids in scan():
        yield _drawable(scores), uid_draws(uids(), seed)


def _drawable(scores: Scores) -> Floats:
    """Scores in float64, -inf where a row is never drawn."""
    wide = scores.astype(np.float64)
    wide[~(wide >= -_MOST_SCORE)] = -np.inf
    if (highest := wide.max(initial=-np.inf)) > _MOST_SCORE:
        raise UsageError(
            f"a score is {highest:g}; rows are drawn in proportion to e^score, expected at most "
            f"{_MOST_SCORE:g}"
        )
    return wide


def _demand(draws: int, alpha: float) -> None:
    if draws < 1:
        raise UsageError(f"draws is 1 or more, got {draws}")
    if not 0 <= alpha <= MOST_ALPHA:
        raise UsageError(f"alpha is between 0 and {MOST_ALPHA:g}, got {alpha}")
