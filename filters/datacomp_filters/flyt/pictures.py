"""What a whole CLIP as FLYT's reference sees: pictures and captions, read through tar indexes.

Pictures are prepared as for evaluation; the paper's random crops are left out. The scorer reads the
same rows' stored embeddings or scores.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datacomp.errors import FilterError, PoolError
from datacomp.pool import open_pool
from datacomp.pool.samples import Sample, SampleIndex
from datacomp_filters.clip_source import Clip
from datacomp_filters.flyt.data import (
    CLASSES,
    IMAGES,
    PoolRows,
    Rows,
    drawn,
    read_labels,
)
from datacomp_filters.flyt.step import Pairs
from datacomp_filters.trusted import LABEL, read_column

DECODERS = 8
_ATTEMPTS, _BROKEN = 16, 4  # a stream of random numbers, beside those of data.py


@dataclass(frozen=True)
class PicturePairs:
    """The pool as endless batches of pixels and tokens; `rows` hold what the scorer reads.

    A row whose picture cannot be decoded gives its place in a batch to another, drawn like it.
    """

    rows: PoolRows
    pictures: SampleIndex
    clip: Clip

    def pairs(self, step: int, first: int, last: int) -> Pairs:
        """Rows `first` to `last` (exclusive) of the batch of this step."""
        rows = self.rows.drawn(step, first, last)
        places = np.arange(step * self.rows.batch + first, step * self.rows.batch + last)
        read = in_threads(self._read, rows.tolist(), places.tolist())
        used = np.array([row for row, _, _ in read], np.int64)
        texts = self.clip.tokenizer([caption for _, _, caption in read])
        return Pairs(torch.stack([pixels for _, pixels, _ in read]), texts, self.rows.inputs(used))

    def _read(self, row: int, place: int) -> tuple[int, Tensor, str]:
        for attempt in range(_ATTEMPTS):
            sample = self.pictures.read(int(self.rows.samples[row]))
            try:
                return row, self.clip.pixels(sample.decode()), sample.caption or ""
            except PoolError:
                rows, seed = self.rows, self.rows.seed
                numbers = (seed, _BROKEN, place, _ATTEMPTS, attempt, attempt + 1, len(rows))
                row = int(rows.order[drawn(*numbers)[0]])
        raise _all_broken(sample)


@dataclass(frozen=True)
class LabelledPictures:
    """A labelled set as endless batches: pictures of rows with a label, captions by class.

    The captions of class c are `starts[c]` to `starts[c + 1]` (exclusive).
    """

    pictures: SampleIndex
    samples: Rows
    labels: Rows
    captions: Sequence[str]
    starts: Rows
    clip: Clip
    batch: int
    seed: int

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.starts) - 1

    def images(self, step: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Pixels and labels `first` to `last` (exclusive) of the batch of this step."""
        n = len(self.labels)
        rows = drawn(self.seed, IMAGES, step, self.batch, first, last, n)
        pixels = in_threads(self._pixels, rows.tolist())
        return torch.stack(pixels), torch.from_numpy(self.labels[rows])

    def classes(self, step: int, first: int, last: int) -> Tensor:
        """One caption for each of the classes `first` to `last` (exclusive), as tokens."""
        counts = self._counts[first:last]
        rows = drawn(self.seed, CLASSES, step, self.n_classes, first, last, counts)
        chosen = (self.starts[first:last] + rows).tolist()
        tokens: Tensor = self.clip.tokenizer([self.captions[row] for row in chosen])
        return tokens

    def _pixels(self, row: int) -> Tensor:
        pixels: Tensor = self.clip.pixels(self.pictures.read(int(self.samples[row])).decode())
        return pixels

    @cached_property
    def _counts(self) -> Rows:
        return np.diff(self.starts)


def read_labelled_pictures(
    path: str, clip: Clip, batch: int, seed: int, tell: Callable[[str], None]
) -> LabelledPictures:
    """A labelled set with pictures; rows without label or picture are left out, and told.

    `FilterError` if fewer than two classes have a picture.
    """
    pool = open_pool(path)
    pictures = pool.samples()
    places = pictures.locate(np.concatenate([pool.uids(part) for part in pool.parts]))
    names, labels = read_labels(path)
    usable = (places >= 0) & (names[labels] != "")
    tell(f"{len(labels):,} labelled images; {np.count_nonzero(~usable):,} lack label or picture")
    seen = np.unique(labels[usable])
    if len(seen) < 2:
        raise FilterError(
            f"{path} has {len(seen)} classes with pictures in its column {LABEL!r}; expected 2 up"
        )
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    numbers = np.searchsorted(seen, labels[rows])
    captions = read_column(path, "text").to_pylist()
    return LabelledPictures(
        pictures=pictures,
        samples=places[rows],
        labels=numbers.astype(np.int64),
        captions=[captions[row] or "" for row in rows.tolist()],
        starts=np.searchsorted(numbers, np.arange(len(seen) + 1)).astype(np.int64),
        clip=clip,
        batch=batch,
        seed=seed,
    )


def in_threads(read: Callable[..., Any], *lists: Sequence[Any]) -> list[Any]:
    """`read` of all, in order, some at a time."""
    with ThreadPoolExecutor(DECODERS) as threads:
        return list(threads.map(read, *lists))


def _all_broken(sample: Sample) -> FilterError:
    return FilterError(
        f"{_ATTEMPTS} pictures drawn in a row are broken, the last one {sample.uid} in "
        f"{sample.shard}. Run: datacomp pool index --verify-images"
    )
