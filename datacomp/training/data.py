"""A subset's samples as batches of a run: read by uid through the pool's tar index, decode, crop.

What the subset names and the pool lacks is told apart: a uid that the metadata knows but no shard
holds is a dead link, counted and left out; a uid that the metadata does not know is an error. A
broken picture or caption stops the run naming shard and sample, or, if asked, is replaced by a
random other entry and counted.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from datacomp.errors import ForeignSubsetError, PoolError, TrainingError
from datacomp.pool import Pool, Sample, SampleIndex
from datacomp.subset import Subset, format_uids, minus
from datacomp.training.decoding import (
    PREFETCHED_BATCHES,
    Batch,
    Decoders,
    Filling,
    ahead,
    thread_pool,
)
from datacomp.training.recipe import Recipe
from datacomp.training.sampler import VERSION, entries_at, replacement_at
from datacomp.training.transform import crop_numbers, train_pixels

# A subset of which so many draws in a row are broken is not worth training on.
MAX_REPLACEMENTS = 100
# So many tell one subset, order or seed from another; a verifier makes them again in seconds.
FIRST_BATCHES = 8


class OnError(StrEnum):
    """What a broken sample does to a run."""

    STOP = "stop"
    SKIP = "skip"


class RunData(Protocol):
    """What the loop asks of data, however they are read.

    `sampler` is the version of their order. `dead_links` counts entries without a sample, `broken`
    fills with the samples that were replaced, and why.
    """

    @property
    def sampler(self) -> str: ...

    @property
    def dead_links(self) -> int: ...

    @property
    def broken(self) -> dict[str, str]: ...

    def batches(
        self, recipe: Recipe, seed: int, start: int, threads: int, part: tuple[int, int] = (0, 1)
    ) -> Iterator[Batch]:
        """The batches of steps `start` to the recipe's last; threads read ahead.

        Of each only the rows of `part`, (number, of how many): those of one process.
        """
        ...

    def first_batches(self, recipe: Recipe, seed: int) -> tuple[str, ...]:
        """Hex sha256 of the uids (16 bytes each, in order) of each of the run's first batches."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """The entries of a subset that the pool's shards hold, in the subset's sorted order.

    `entries` are positions in the sample index, a uid as often as the subset has it; `dead_links`
    counts the subset's entries without a sample; `broken` tells, for each sample that was
    replaced, where it is and what is wrong with it.
    """

    index: SampleIndex
    entries: npt.NDArray[np.int64]
    dead_links: int
    on_error: OnError = OnError.STOP
    broken: dict[str, str] = field(default_factory=dict)
    sampler: ClassVar[str] = VERSION

    def batches(
        self, recipe: Recipe, seed: int, start: int, threads: int, part: tuple[int, int] = (0, 1)
    ) -> Iterator[Batch]:
        """The batches of steps `start` to the recipe's last; threads read ahead.

        Of each only the rows of `part`, (number, of how many): those of one process.
        """
        size, (number, parts) = recipe.global_batch_size, part
        first, last = size * number // parts, size * (number + 1) // parts
        read = _Reader(self, recipe, seed)
        with thread_pool(threads, "decode") as pool:
            decoders = Decoders(pool, threads)

            def fill(step: int) -> Filling:
                positions = np.arange(step * size + first, step * size + last, dtype=np.int64)
                numbers = crop_numbers(positions, seed)
                entries = entries_at(positions, len(self.entries), seed)

                def row(i: int) -> tuple[npt.NDArray[np.uint8], str]:
                    return read(int(positions[i]), int(entries[i]), numbers[i])

                return decoders.fill(last - first, recipe.image_size, row)

            for filling in ahead(map(fill, range(start, recipe.steps)), PREFETCHED_BATCHES):
                yield filling.wait()

    def first_batches(self, recipe: Recipe, seed: int) -> tuple[str, ...]:
        """Hex sha256 of the uids (16 bytes each, in order) of each of the run's first batches."""
        hashes = []
        for step in range(min(FIRST_BATCHES, recipe.steps)):
            size = recipe.global_batch_size
            positions = np.arange(step * size, (step + 1) * size, dtype=np.int64)
            entries = self.entries[entries_at(positions, len(self.entries), seed)]
            hashes.append(hashlib.sha256(self.index.uids[entries].tobytes()).hexdigest())
        return tuple(hashes)


@dataclass(frozen=True)
class _Reader:
    data: TrainingData
    recipe: Recipe
    seed: int

    def __call__(
        self, position: int, entry: int, numbers: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.uint8], str]:
        samples = self._samples(int(position), entry)
        return first_sound(samples, self.recipe, numbers, self.data.on_error, self.data.broken)

    def _samples(self, position: int, entry: int) -> Iterator[Sample]:
        """The one of this position, then those that may take its place."""
        n = len(self.data.entries)
        yield self.data.index.read(int(self.data.entries[entry]))
        for attempt in range(MAX_REPLACEMENTS):
            other = replacement_at(position, attempt, n, self.seed)
            yield self.data.index.read(int(self.data.entries[other]))


def first_sound(
    samples: Iterator[Sample],
    recipe: Recipe,
    numbers: npt.NDArray[np.float64],
    on_error: OnError,
    broken: dict[str, str],
) -> tuple[npt.NDArray[np.uint8], str]:
    """Crop by `numbers` and caption of the first sample that is sound; `broken` gets the others.

    Raises `TrainingError` at the first broken one unless `on_error` is SKIP, and at the last.
    """
    for sample in islice(samples, MAX_REPLACEMENTS):
        try:
            if sample.caption is None:
                raise PoolError(
                    f"{sample.shard}: sample {sample.key!r} (uid {sample.uid}) has no caption. "
                    "Leave the uid out of the subset."
                )
            image = sample.decode()
        except PoolError as error:
            if on_error is OnError.STOP:
                raise TrainingError(f"{error} Or pass --on-error skip.") from error
            broken[sample.uid] = str(error)
            continue
        return train_pixels(image, recipe.image_size, recipe.crop_scale, numbers), sample.caption
    raise TrainingError(
        f"{MAX_REPLACEMENTS} samples drawn in a row are broken, the last one {sample.uid} in "
        f"{sample.shard}. Run: datacomp pool index --verify-images"
    )


def whole_pool(pool: Pool) -> Subset:
    """Every uid of the metadata, as often as it stands there: what no filter selects."""
    return Subset.from_uids(np.concatenate([pool.uids(part) for part in pool.parts]))


def open_data(pool: Pool, subset: Subset, on_error: OnError = OnError.STOP) -> TrainingData:
    """The entries of `subset` in the pool; `ForeignSubsetError` if a uid is not of this pool."""
    index = pool.samples()
    found = index.locate(subset.uids)
    absent = subset.uids[found < 0]
    if len(absent):
        foreign = minus(Subset.from_uids(absent), whole_pool(pool))
        if foreign.n:
            raise ForeignSubsetError(
                f"{foreign.n:,} of the subset's {subset.n:,} entries are not in the pool "
                f"{pool.url}, the first one {format_uids(foreign.uids[:1])[0]}. Use the pool that "
                "the subset was selected from (its id is in the subset's .lock.json)."
            )
    entries = found[found >= 0]
    if not len(entries):
        raise ForeignSubsetError(
            f"none of the subset's {subset.n:,} entries has a sample in {pool.url}"
        )
    return TrainingData(index, entries, dead_links=len(absent), on_error=on_error)
