"""What FLYT's training reads: the pool's stored embeddings, and those of a labelled set.

A batch is drawn with replacement by seed and number of the step alone (the paper draws shards with
replacement and shuffles), from rows in the order of their uids' draws: neither the order of parts
nor their cut decides.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from datacomp.errors import FilterError
from datacomp.filtering import PartView, View
from datacomp.pool.samples import SampleIndex
from datacomp.subset.cuts import Cut, Scores, find_cut
from datacomp.subset.selectors import uid_draws
from datacomp.training.counter import random_u64
from datacomp_filters.embeddings import Raw, unit_rows
from datacomp_filters.flyt.step import Pairs
from datacomp_filters.trusted import LABEL, read_column, read_features

Rows = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]

# Streams of random numbers of one seed.
UPSTREAM, IMAGES, CLASSES = 1, 2, 3
# So that the sample is not the one that the filter `random` draws with the same seed.
_SAMPLE_SEED = 0x464C5954


@dataclass(frozen=True)
class PoolRows:
    """Rows of the pool in memory: embeddings as stored (n, d), and scores (n, k) for M-FLYT.

    The scorer reads the scores if there are any, else both embeddings side by side. `order` lists
    the rows in the order in which they are numbered; `samples`, the places of their pictures, are
    -1 where they were not looked for.
    """

    images: Raw
    texts: Raw
    scores: Matrix | None
    samples: Rows
    order: Rows
    batch: int
    seed: int

    def pairs(self, step: int, first: int, last: int) -> Pairs:
        """Rows `first` to `last` (exclusive) of the batch of this step."""
        rows = self.drawn(step, first, last)
        images, texts = torch.from_numpy(self.images[rows]), torch.from_numpy(self.texts[rows])
        return Pairs(images, texts, self.inputs(rows))

    def drawn(self, step: int, first: int, last: int) -> Rows:
        """Which rows these are."""
        return self.order[drawn(self.seed, UPSTREAM, step, self.batch, first, last, len(self))]

    def inputs(self, rows: Rows) -> Tensor:
        """What the scorer reads of these rows."""
        if self.scores is not None:
            return torch.from_numpy(self.scores[rows])
        both = (torch.from_numpy(one[rows]) for one in (self.images, self.texts))
        return torch.cat(list(both), 1)

    def __len__(self) -> int:
        return len(self.order)


@dataclass(frozen=True)
class LabelledRows:
    """A labelled set in memory: images (m, d) with labels, and texts (t, d) sorted by class.

    The texts of class c are rows `starts[c]` to `starts[c + 1]` (exclusive); of each class, one is
    drawn for every step. They are the set's captions: where those fill the task's templates with
    the class's name, that is the paper's one random template.
    """

    images_of_rows: Matrix
    labels: Rows
    texts: Matrix
    starts: Rows
    batch: int
    seed: int

    @property
    def widths(self) -> tuple[int, int]:
        """Dimensions of images and texts."""
        return self.images_of_rows.shape[1], self.texts.shape[1]

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.starts) - 1

    def images(self, step: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Images and labels `first` to `last` (exclusive) of the batch of this step."""
        n = len(self.labels)
        rows = drawn(self.seed, IMAGES, step, self.batch, first, last, n)
        return torch.from_numpy(self.images_of_rows[rows]), torch.from_numpy(self.labels[rows])

    def classes(self, step: int, first: int, last: int) -> Tensor:
        """One text for each of the classes `first` to `last` (exclusive), drawn for this step."""
        counts = self._counts[first:last]
        rows = drawn(self.seed, CLASSES, step, self.n_classes, first, last, counts)
        return torch.from_numpy(self.texts[self.starts[first:last] + rows])

    @cached_property
    def _counts(self) -> Rows:
        return np.diff(self.starts)


def read_pool(
    view: View,
    keys: Sequence[str],
    most: int,
    batch: int,
    seed: int,
    tell: Callable[[str], None],
    scores: Sequence[Callable[[PartView], Scores]] = (),
    samples: SampleIndex | None = None,
) -> PoolRows:
    """The pool's rows whose embeddings `keys` (image, text) both have a direction.

    With `samples`, only those that have a picture.

    Of more than `most` rows, `most` are looked at, drawn by uid and seed. `scores` read the columns
    of M-FLYT. Tells how many rows there are; `FilterError` if none is usable, unless the pool is
    empty.
    """
    n_most = min(most, view.n_rows)
    cut = _cut(view, n_most, seed)
    images = texts = np.empty((0, 0), np.float16)
    matrix = np.empty((n_most, len(scores)), np.float32) if scores else None
    places, draws, n, n_looked = np.full(n_most, -1), np.empty(n_most, np.uint64), 0, 0
    for rows in view.parts():
        own = ~uid_draws(rows.uids, seed ^ _SAMPLE_SEED)
        looked = np.flatnonzero(cut.keeps(own, partial(getattr, rows, "uids")))
        n_looked += len(looked)
        if not len(looked):
            continue
        image, text = (rows.feature(key)[looked] for key in keys)
        if not n:
            images, texts = (np.empty((n_most, one.shape[1]), one.dtype) for one in (image, text))
        usable = unit_rows(image)[1] & unit_rows(text)[1]
        if samples is not None:
            found_places = samples.locate(rows.uids[looked])
            usable &= found_places >= 0
            places[n : n + np.count_nonzero(usable)] = found_places[usable]
        chosen = np.flatnonzero(usable)
        place = slice(n, n + len(chosen))
        for key, held, found in zip(keys, (images, texts), (image, text), strict=True):
            _demand_same_width(held, found, key, rows.part.name)
            held[place] = found[chosen]
        draws[place] = own[looked[chosen]]
        for number, read in enumerate(scores):
            assert matrix is not None
            matrix[place, number] = read(rows)[looked[chosen]]
        n = place.stop
    if not n and view.n_rows:
        raise FilterError(f"no row of {view.pool.url} has usable embeddings {' and '.join(keys)}")
    sampled = f" of {view.n_rows:,}, drawn by uid" if n_looked < view.n_rows else ""
    tell(
        f"{n_looked:,} rows{sampled}; {n_looked - n:,} without usable embeddings"
        f"{' or a picture' if samples else ''} are left out"
    )
    order = np.argsort(draws[:n], kind="stable")
    held_scores = None if matrix is None else matrix[:n]
    return PoolRows(images[:n], texts[:n], held_scores, places[:n], order, batch, seed)


def read_labelled(
    path: str, keys: Sequence[str], batch: int, seed: int, tell: Callable[[str], None]
) -> LabelledRows:
    """A labelled set: its images with a label, and the texts of each class.

    Classes are the labels in sorted order. Rows without label or direction are left out, and told;
    `FilterError` if there are fewer than two classes, or a class has no text.
    """
    column = read_column(path, LABEL).cast(pa.string())
    names, labels = np.unique(
        column.fill_null("").to_numpy(zero_copy_only=False).astype(str), return_inverse=True
    )
    labelled = np.asarray(column.is_valid()) & (names[labels] != "")
    images, texts = (read_features(path, key) for key in keys)
    has_image, has_text = (unit_rows(rows)[1] & labelled for rows in (images, texts))
    tell(
        f"{len(labels):,} labelled images; {np.count_nonzero(~has_image):,} without label or "
        "usable embeddings are left out"
    )
    seen = np.flatnonzero(np.bincount(labels[labelled], minlength=len(names)))
    if len(seen) < 2:
        raise FilterError(f"{path} has {len(seen)} classes in its column {LABEL!r}; expected 2 up")
    numbers = np.searchsorted(seen, labels)
    by_class = np.flatnonzero(has_text)
    by_class = by_class[np.argsort(numbers[by_class], kind="stable")]
    counts = np.bincount(numbers[by_class], minlength=len(seen))
    if not counts.all():
        lacking = str(names[seen[np.argmin(counts)]])
        raise FilterError(f"no row of class {lacking!r} of {path} has a usable {keys[1]}")
    if not has_image.any():
        raise FilterError(f"no labelled row of {path} has a usable {keys[0]}")
    return LabelledRows(
        images_of_rows=images[has_image],
        labels=numbers[has_image].astype(np.int64),
        texts=texts[by_class],
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        batch=batch,
        seed=seed,
    )


def read_labels(path: str) -> tuple[npt.NDArray[np.str_], Rows]:
    """The different labels, sorted, "" for none, and which one each row has."""
    column = read_column(path, LABEL).cast(pa.string()).fill_null("")
    names, labels = np.unique(np.array(column.to_pylist(), str), return_inverse=True)
    return names, labels.astype(np.int64)


def drawn(
    seed: int, stream: int, step: int, size: int, first: int, last: int, n: int | Rows
) -> Rows:
    """For places `first` to `last` of a step's batch of `size`, numbers below `n`."""
    counters = np.arange(step * size + first, step * size + last, dtype=np.int64)
    below = np.asarray(n, np.uint64)
    return (random_u64(seed, stream, counters) % below).astype(np.int64)


def _cut(view: View, most: int, seed: int) -> Cut:
    def scan() -> Iterator[tuple[Scores, Callable[[], npt.NDArray[np.void]]]]:
        for rows in view.parts():
            yield ~uid_draws(rows.uids, seed ^ _SAMPLE_SEED), partial(getattr, rows, "uids")

    return find_cut(scan, most)


def _demand_same_width(held: Raw, found: Raw, key: str, part: str) -> None:
    if found.shape[1] != held.shape[1]:
        raise FilterError(
            f"part {part} has {key} of {found.shape[1]} dimensions, those before it of "
            f"{held.shape[1]}"
        )
