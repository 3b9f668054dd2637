"""The classes of every row, by its caption and by its image: columns that select nothing.

`names`, `target` and `embeddings` of every step are those of classes.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from datacomp.errors import FilterError
from datacomp.filtering import Asset, RowFunction, RowStep, View, runtime_field
from datacomp.filtering.contract import Bench, Host, PoolStep
from datacomp_filters.classes import (
    IMAGES,
    Classes,
    image_rows,
    normalised,
    similarities,
    similarity_of_pairs,
)
from datacomp_filters.lists import Grouping, blocks, flat, lists
from datacomp_filters.per_class import TopPerClass
from datacomp_filters.substrings import Entries, plain_words
from datacomp_filters.trusted import pool_assets, read_features

NAMED, NAMED_SIMILARITY, NEAREST = "named_classes", "named_similarity", "nearest_class"
NEAR, NEAR_SIMILARITY = "near_classes", "near_similarity"
TARGET_SIMILARITY = "target_similarity"

_TARGETS = 1024

_CLASSES = pa.list_(pa.int32())
_SIMILARITIES = pa.list_(pa.float32())


@dataclass(frozen=True, kw_only=True)
class NamedClasses(RowStep):
    """The classes whose names stand in each caption, each once; null for no caption.

    Compared word by word in lower case, a name's words in its order and side by side; words are
    runs of letters, digits and accents. Classes whose names have equal words are named together.
    """

    name = "named_classes"
    rows_per_second = 400_000.0

    names: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def outputs(self) -> pa.Schema:
        """A list of places in the list of classes."""
        return pa.schema([(NAMED, _CLASSES)])

    def assets(self) -> tuple[Asset, ...]:
        """What the names come from."""
        return Classes(self.names, self.target).name_assets()

    def open(self, host: Host) -> RowFunction:
        """Make the table of names."""
        words = plain_words(pa.array(Classes(self.names, self.target).in_order())).to_pylist()
        groups: dict[str, list[int]] = {}
        for number, name in enumerate(words):
            if name:
                groups.setdefault(name, []).append(number)
        table, grouping = Entries(list(groups)), Grouping.of(list(groups.values()))

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            captions = batch.column("text")
            found = table.find(plain_words(captions))
            row, key = flat(found)
            which, classes = grouping.expand(key)
            counts = np.bincount(row[which], minlength=len(captions)).astype(np.int32)
            missing = np.asarray(captions.is_null())
            return pa.record_batch([lists(counts, pa.array(classes), missing)], names=[NAMED])

        return compute


@dataclass(frozen=True, kw_only=True)
class NamedSimilarity(RowStep):
    """Cosines of each image with the classes that its caption names, in the order of these.

    Null where the image has no vector.
    """

    name = "named_similarity"
    features = (IMAGES,)
    rows_per_second = 50_000.0

    like: Literal["text", "images"]
    names: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)
    embeddings: str | None = runtime_field(default=None)

    def inputs(self) -> tuple[NamedClasses]:
        """The classes in the caption."""
        return (NamedClasses(names=self.names, target=self.target),)

    def outputs(self) -> pa.Schema:
        """Cosines."""
        return pa.schema([(NAMED_SIMILARITY, _SIMILARITIES)])

    def assets(self) -> tuple[Asset, ...]:
        """What names and vectors come from."""
        return self._classes.vector_assets()

    @property
    def _classes(self) -> Classes:
        return Classes(self.names, self.target, self.embeddings, self.like)

    def open(self, host: Host) -> RowFunction:
        """Read the vectors."""
        vectors = self._classes.vectors()

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images, named = image_rows(batch), batch.column(NAMED)
            row, of = flat(named)
            cosines = np.empty(len(of), np.float32)
            for start, stop in blocks(len(of), vectors.shape[1]):
                pairs = slice(start, stop)
                cosines[pairs] = similarity_of_pairs(images[row[pairs]], vectors[of[pairs]])
            counts = named.value_lengths().fill_null(0).to_numpy().astype(np.int32)
            values = pa.array(cosines, mask=np.isnan(cosines))
            return pa.record_batch(
                [lists(counts, values, np.asarray(named.is_null()))], names=[NAMED_SIMILARITY]
            )

        return compute


@dataclass(frozen=True, kw_only=True)
class NearestClass(RowStep):
    """The class whose vector is nearest to each image, by cosine; of equal ones the first.

    Null for an image without a vector.
    """

    name = "nearest_class"
    features = (IMAGES,)
    rows_per_second = 10_000.0

    like: Literal["text", "images"]
    names: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)
    embeddings: str | None = runtime_field(default=None)

    def outputs(self) -> pa.Schema:
        """A place in the list of classes."""
        return pa.schema([(NEAREST, pa.int32())])

    def assets(self) -> tuple[Asset, ...]:
        """What names and vectors come from."""
        return self._classes.vector_assets()

    @property
    def _classes(self) -> Classes:
        return Classes(self.names, self.target, self.embeddings, self.like)

    def open(self, host: Host) -> RowFunction:
        """Read the vectors."""
        vectors = self._classes.vectors()

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images = image_rows(batch)
            nearest = np.zeros(len(images), np.int32)
            missing = np.zeros(len(images), bool)
            for start, stop in blocks(len(images), len(vectors)):
                near = similarities(images[start:stop], vectors)
                nearest[start:stop], missing[start:stop] = near.argmax(1), np.isnan(near[:, 0])
            return pa.record_batch([pa.array(nearest, mask=missing)], names=[NEAREST])

        return compute


@dataclass(frozen=True, kw_only=True)
class ClassNeighbours(PoolStep):
    """The classes to which each image is among the `per_class` most similar of the pool; cosines.

    Exact: of equal cosines the lower uid comes first. Holds 36 bytes for each of `per_class` rows
    of each class. Empty lists for the others, null for an image without a vector.
    """

    name = "class_neighbours"
    features = (IMAGES,)
    rows_per_second = 20_000.0

    per_class: int
    like: Literal["text", "images"]
    names: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)
    embeddings: str | None = runtime_field(default=None)

    def outputs(self) -> pa.Schema:
        """Places in the list of classes, and cosines."""
        return pa.schema([(NEAR, _CLASSES), (NEAR_SIMILARITY, _SIMILARITIES)])

    def assets(self) -> tuple[Asset, ...]:
        """What names and vectors come from."""
        return self._classes.vector_assets()

    @property
    def _classes(self) -> Classes:
        return Classes(self.names, self.target, self.embeddings, self.like)

    def compute(self, view: View, bench: Bench) -> Iterator[pa.RecordBatch]:
        """Hold the best of each class, then write them where they stand."""
        vectors = self._classes.vectors()
        top, first, unseen = TopPerClass(len(vectors), self.per_class), 0, []
        for rows in view.parts():
            images = rows.feature(IMAGES)
            unseen.append(np.asarray(np.isnan(normalised(images)).any(1)))
            for start, stop in blocks(len(images), len(vectors)):
                near = similarities(images[start:stop], vectors)
                row, of = np.nonzero(near >= top.lowest)
                places = first + start + row
                top.add(of, near[row, of], rows.uids[start + row], places)
            first += rows.n_rows
            bench.tell(f"{first:,} of {view.n_rows:,} rows compared with {len(vectors):,} classes")
        best = top.best()
        order = np.argsort(best.place, kind="stable")
        first = 0
        for missing in unseen:
            stop = first + len(missing)
            some = order[slice(*np.searchsorted(best.place[order], (first, stop)))]
            counts = np.bincount(best.place[some] - first, minlength=len(missing))
            columns = [pa.array(best.of[some].astype(np.int32)), pa.array(best.score[some])]
            yield pa.record_batch(
                [lists(counts.astype(np.int32), values, missing) for values in columns],
                names=self.outputs().names,
            )
            first = stop


@dataclass(frozen=True, kw_only=True)
class TargetSimilarity(RowStep):
    """The cosine of each image with the target's image that is nearest to it; null for none."""

    name = "target_similarity"
    features = (IMAGES,)
    rows_per_second = 5_000.0

    target: str = runtime_field(default="")

    def outputs(self) -> pa.Schema:
        """A cosine."""
        return pa.schema([(TARGET_SIMILARITY, pa.float32())])

    def assets(self) -> tuple[Asset, ...]:
        """The target."""
        return pool_assets(self.target)

    def open(self, host: Host) -> RowFunction:
        """Read the target's features."""
        target = normalised(read_features(self.target, IMAGES))
        target = target[np.isfinite(target).all(1)]
        if not len(target):
            raise FilterError(f"no image feature {IMAGES} of {self.target} has a direction")

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images = image_rows(batch)
            nearest = np.full(len(images), -np.inf, np.float32)
            for first in range(0, len(target), _TARGETS):
                some = target[first : first + _TARGETS]
                for start, stop in blocks(len(images), len(some)):
                    near = similarities(images[start:stop], some).max(1)
                    np.maximum(nearest[start:stop], near, out=nearest[start:stop])
            nothing = ~np.isfinite(nearest)
            return pa.record_batch([pa.array(nearest, mask=nothing)], names=[TARGET_SIMILARITY])

        return compute
