"""A run's batches from tars that are read in sequence: windows of lanes in memory, ahead of use.

A window is fetched by one read, or one for each tar that it touches, when the first of its samples
is a few batches away, and forgotten when its lane has gone on. So a batch needs as many bytes as it
holds, evenly, and memory holds `sequential.WINDOW // sequential.ROWS` batches of compressed
samples, shared by all processes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from datacomp.pool import Sample
from datacomp.subset import UidArray
from datacomp.training.data import FIRST_BATCHES, MAX_REPLACEMENTS, OnError, first_sound
from datacomp.training.decoding import (
    PREFETCHED_BATCHES,
    Batch,
    Decoders,
    Filling,
    ahead,
    thread_pool,
)
from datacomp.training.mixture import Mixture, Row, mix
from datacomp.training.recipe import Recipe
from datacomp.training.sampler import replacement_at
from datacomp.training.sequential import VERSION, Window, WindowKey
from datacomp.training.sources import WeightedSource
from datacomp.training.tars import Source, uid_text
from datacomp.training.transform import crop_numbers

# Batches whose windows are fetched before those that are decoded ahead.
READ_AHEAD = 2
# A store answers late and many at once; a disk answers soon.
READERS_REMOTE, READERS_LOCAL = 16, 2
# Of windows in memory, a process. Windows that are too large for it are read sample by sample.
WINDOW_BYTES = 8 * 2**30


@dataclass(frozen=True)
class SequentialData:
    """Sources by weight, in the order `sequential-lanes/1`; see `RunData`."""

    sources: tuple[WeightedSource, ...]
    dead_links: int = 0
    on_error: OnError = OnError.STOP
    broken: dict[str, str] = field(default_factory=dict)
    sampler: ClassVar[str] = VERSION

    def mixture(self, recipe: Recipe, seed: int) -> Mixture:
        """Which sample stands in which row of which batch."""
        counts = [each.source.counts for each in self.sources]
        weights = [each.weight for each in self.sources]
        return mix(counts, weights, recipe.global_batch_size, recipe.steps, seed)

    def batches(
        self, recipe: Recipe, seed: int, start: int, threads: int, part: tuple[int, int] = (0, 1)
    ) -> Iterator[Batch]:
        """The batches of steps `start` to the recipe's last; threads read and decode ahead.

        Of each only the rows of `part`, (number, of how many): those of one process.
        """
        size, (number, parts) = recipe.global_batch_size, part
        first, last = size * number // parts, size * (number + 1) // parts
        mixture = self.mixture(recipe, seed)
        read = _Reader(self, mixture, recipe, seed)
        with (
            thread_pool(self._readers(), "read") as readers,
            thread_pool(threads, "decode") as pool,
        ):
            windows = _Windows(self.sources, mixture, readers, parts)
            decoders = Decoders(pool, threads)

            def plan(step: int) -> tuple[int, list[_Place]]:
                rows = mixture.rows(step, first, last)
                return step * size + first, [windows.place(row) for row in rows]

            def fill(plan: tuple[int, list[_Place]]) -> Filling:
                begin, places = plan
                positions = np.arange(begin, begin + len(places), dtype=np.int64)
                numbers = crop_numbers(positions, seed)

                def row(i: int) -> tuple[npt.NDArray[np.uint8], str]:
                    return read(begin + i, places[i], numbers[i])

                return decoders.fill(len(places), recipe.image_size, row)

            plans = ahead(map(plan, range(start, recipe.steps)), READ_AHEAD)
            for filling in ahead(map(fill, plans), PREFETCHED_BATCHES):
                yield filling.wait()

    def first_batches(self, recipe: Recipe, seed: int) -> tuple[str, ...]:
        """Hex sha256 of the uids (16 bytes each, in order) of each of the run's first batches."""
        mixture, size = self.mixture(recipe, seed), recipe.global_batch_size
        steps = range(min(FIRST_BATCHES, recipe.steps))
        rows = [mixture.rows(step, 0, size) for step in steps]
        keys = sorted({(row.source, row.key) for batch in rows for row in batch})

        windows = [mixture.orders[source].window(key) for source, key in keys]

        def uids(key: tuple[int, WindowKey], window: Window) -> UidArray:
            source = self.sources[key[0]].source
            pieces = [source.places(*piece)[0] for piece in window.pieces()]
            return np.concatenate(pieces)[window.order]

        with thread_pool(self._readers(), "read") as readers:
            found = dict(zip(keys, readers.map(uids, keys, windows), strict=True))
        return tuple(
            hashlib.sha256(
                b"".join(found[row.source, row.key][row.place].tobytes() for row in batch)
            ).hexdigest()
            for batch in rows
        )

    def _readers(self) -> int:
        remote = any(each.source.folder.local is None for each in self.sources)
        return READERS_REMOTE if remote else READERS_LOCAL


class _Loaded:
    """A window's samples: their bytes, or only where they lie if they are too large to keep."""

    def __init__(self, source: Source, window: Window, allowance: int) -> None:
        self._source, self._shards = source, window.shards
        pieces = [(piece, *source.places(*piece)) for piece in window.pieces()]
        self._uids = np.concatenate([uids for _, uids, _ in pieces])
        self._offsets = np.concatenate([offsets[:-1] for *_, offsets in pieces])
        self._sizes = np.concatenate([np.diff(offsets) for *_, offsets in pieces])
        self._spans: list[memoryview] | None = None
        if int(self._sizes.sum()) <= allowance:
            self._spans = []
            for (shard, _, _), _, offsets in pieces:
                begin, end = int(offsets[0]), int(offsets[-1])
                data = memoryview(source.read(shard, begin, end - begin))
                bounds = (offsets - begin).tolist()
                self._spans += [data[a:b] for a, b in pairwise(bounds)]

    def sample(self, number: int) -> Sample:
        """The sample of this number in the lane's order."""
        shard, offset = int(self._shards[number]), int(self._offsets[number])
        if self._spans is None:
            span: bytes | memoryview = self._source.read(shard, offset, int(self._sizes[number]))
        else:
            span = self._spans[number]
        return self._source.sample(shard, uid_text(self._uids, number), offset, span)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a row's sample comes from: a window that is being fetched, and its number in it."""

    source: int
    loaded: "Future[_Loaded]"
    number: int


class _Windows:
    """The window that every lane is in; the ones before live as long as a row needs them."""

    def __init__(
        self,
        sources: Sequence[WeightedSource],
        mixture: Mixture,
        readers: ThreadPoolExecutor,
        parts: int,
    ) -> None:
        self._sources, self._mixture, self._readers = sources, mixture, readers
        lanes = sum(-(-order.lanes // parts) for order in mixture.orders)
        self._allowance = WINDOW_BYTES // lanes
        self._held: dict[tuple[int, int], tuple[WindowKey, Window, Future[_Loaded]]] = {}

    def place(self, row: Row) -> _Place:
        """The place of a row; a window that is not held yet begins to be fetched."""
        lane = row.source, row.key.lane
        held = self._held.get(lane)
        if held is None or held[0] != row.key:
            window = self._mixture.orders[row.source].window(row.key)
            source = self._sources[row.source].source
            fetched = self._readers.submit(_Loaded, source, window, self._allowance)
            held = self._held[lane] = row.key, window, fetched
        return _Place(row.source, held[2], int(held[1].order[row.place]))


@dataclass(frozen=True)
class _Reader:
    data: SequentialData
    mixture: Mixture
    recipe: Recipe
    seed: int

    def __call__(
        self, position: int, place: _Place, numbers: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.uint8], str]:
        samples = self._samples(int(position), place)
        return first_sound(samples, self.recipe, numbers, self.data.on_error, self.data.broken)

    def _samples(self, position: int, place: _Place) -> Iterator[Sample]:
        """The one of this position, then any of the same source that may take its place."""
        yield place.loaded.result().sample(place.number)
        source, order = self.data.sources[place.source].source, self.mixture.orders[place.source]
        for attempt in range(MAX_REPLACEMENTS):
            tar, row = order.sample(replacement_at(position, attempt, order.n, self.seed))
            uids, offsets = source.places(tar, row, row + 1)
            begin, end = offsets.tolist()
            span = source.read(tar, begin, end - begin)
            yield source.sample(tar, uid_text(uids, 0), begin, span)
