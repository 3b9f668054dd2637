"""Which sample stands at which position of a run that reads tars in sequence: `sequential-lanes/1`.

Every epoch lays the tars of a source one behind the other, in the order of a permutation keyed by
seed and epoch, and begins somewhere in that ring. The n samples are cut into L lanes of n // L,
which are read side by side, each from front to back; position p of the source's part of the run is
the (p // L)-th of lane p % L. So a batch takes about `ROWS` samples from every lane, and the last
n % L samples of the ring are left out, others in every epoch.

Within a lane, `WINDOW` neighbours are permuted: they are cut into `STRATA` pieces and taken from
these in turn, from each at random, so that neighbours rarely meet in a batch. Windows of
different lanes begin at different steps, so that reading is even over steps. All of it is a
function of seed, batch size and the tars' counts: any position is found by arithmetic, whoever
asks.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from datacomp.training.counter import permute, random_u64

VERSION = "sequential-lanes/1"
ROWS, WINDOW, STRATA = 4, 64, 4
# Streams of a source's seed; permutations of tars take one stream an epoch from EPOCHS on.
WITHIN, BEGIN, PIECES, EPOCHS = 0, 1, 2, 16
_EPOCHS_KEPT = 4

Longs = npt.NDArray[np.int64]
Lane = TypeVar("Lane", int, Longs)


class WindowKey(NamedTuple):
    """Which window of a source: its number in the lane's part of an epoch."""

    lane: int
    epoch: int
    number: int


@dataclass(frozen=True, eq=False)
class Window:
    """Samples that follow each other in a lane: the k-th is row `rows[k]` of tar `shards[k]`.

    `order[s]` is which of them is taken s-th.
    """

    shards: Longs
    rows: Longs
    order: Longs

    def pieces(self) -> list[tuple[int, int, int]]:
        """(tar, first row, row behind the last) of each run of neighbours, in the lane's order."""
        breaks = (np.diff(self.shards) != 0) | (np.diff(self.rows) != 1)
        bounds = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(self.rows)]
        return [
            (int(self.shards[a]), int(self.rows[a]), int(self.rows[b - 1]) + 1)
            for a, b in pairwise(bounds)
        ]


@dataclass(frozen=True)
class _Ring:
    """The tars in the order of an epoch, the samples up to and with each, and where it begins."""

    shards: Longs
    ends: Longs
    begin: int


class LaneOrder:
    """The order of a source whose tars hold `counts` samples, of which batches take `share` each.

    `seed` is the source's own, see `source_seed`. Raises `ValueError` if there are no samples.
    """

    def __init__(self, counts: npt.ArrayLike, share: int, seed: int) -> None:
        self._counts = np.asarray(counts, np.int64)
        self._seed = seed
        self._rings: dict[int, _Ring] = {}
        self.n = int(self._counts.sum())
        if self.n == 0:
            raise ValueError("a source without samples has no order")
        self.lanes = max(1, min(share // ROWS, self.n))
        self.length = self.n // self.lanes

    def locate(self, positions: Longs) -> tuple[Longs, Longs]:
        """(k, 3) numbers of `WindowKey`s, and (k,) places in the windows' orders."""
        lane, along = positions % self.lanes, positions // self.lanes
        epoch, at = along // self.length, along % self.length
        shift = self._shift(lane)
        number = (at + shift) // WINDOW
        place = at - np.maximum(number * WINDOW - shift, 0)
        return np.stack([lane, epoch, number], axis=1), place

    def window(self, key: WindowKey) -> Window:
        """The samples of a window, and their order."""
        lane, epoch, number = key
        shift = self._shift(lane)
        first = max(number * WINDOW - shift, 0)
        size = min((number + 1) * WINDOW - shift, self.length) - first
        start = lane * self.length + first
        ring = self._ring(epoch)
        places = (ring.begin + start + np.arange(size)) % self.n
        which = np.searchsorted(ring.ends, places, "right")
        shards = ring.shards[which]
        rows = places - (ring.ends[which] - self._counts[shards])
        counter = epoch * self.n + start
        return Window(shards, rows, _stratified(size, self._seed, counter))

    def sample(self, number: int) -> tuple[int, int]:
        """Tar and row of the sample of this number, the tars in the order of their names."""
        ends = np.cumsum(self._counts)
        shard = int(np.searchsorted(ends, number, "right"))
        return shard, number - int(ends[shard] - self._counts[shard])

    def _shift(self, lane: Lane) -> Lane:
        """What of a lane's first window is cut off, so that lanes do not change windows at once."""
        return lane * (WINDOW // ROWS) // self.lanes * ROWS

    def _ring(self, epoch: int) -> _Ring:
        if epoch not in self._rings:
            n = len(self._counts)
            shards = np.empty(n, np.int64)
            shards[permute(np.arange(n), n, self._seed, EPOCHS + epoch)] = np.arange(n)
            begin = int(random_u64(self._seed, BEGIN, epoch) % np.uint64(self.n))
            if len(self._rings) == _EPOCHS_KEPT:
                self._rings.pop(next(iter(self._rings)))
            self._rings[epoch] = _Ring(shards, np.cumsum(self._counts[shards]), begin)
        return self._rings[epoch]


def source_seed(seed: int, source: int) -> int:
    """The seed of a run's source of this number."""
    # Stream 2 of a run's seed; 0 and 1 are crops and replacements (`sampler`).
    return int(random_u64(seed, 2, source))


def _stratified(size: int, seed: int, counter: int) -> Longs:
    """An order of 0..size-1 that takes from `STRATA` pieces in turn, from each at random."""
    numbers = np.arange(size)
    keys = random_u64(seed, WITHIN, counter + numbers)
    piece = numbers * STRATA // size
    by_piece = np.lexsort((keys, piece))
    begins = np.searchsorted(piece, np.arange(STRATA))
    turn = numbers - begins[piece]
    after = random_u64(seed, PIECES, counter * STRATA + np.arange(STRATA))[piece]
    order: Longs = by_piece[np.lexsort((after, turn))]
    return order
