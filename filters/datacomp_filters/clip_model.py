"""Embeddings of pictures and captions by a CLIP of the participant's own, and their similarity.

Embeddings are stored once, as the model gives them, and whatever is made of them (`clip_score`,
`tmars`, `el2n`) is arithmetic afterwards. Their columns are fixed_size_list<float16>, not
normalised, like the features of a pool: how many dimensions there are stands in the model's
configuration, so that it is known without loading the model, and a wrong width is an error where
it arises. The columns are named by the model's content, so that one step can read several models.
"""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL.Image import Image

from datacomp.files import sha256_json
from datacomp.filtering import (
    Asset,
    Host,
    ImageFunction,
    ImageStep,
    RowFunction,
    RowStep,
    runtime_field,
)
from datacomp_filters.clip_source import ClipSource, Vectors, find_clip

SIMILARITY = "clip_similarity"


@dataclass(frozen=True, kw_only=True)
class ClipEmbedding(ImageStep):
    """The image's and the caption's vector; null without a picture, or where not finite.

    The caption's is null too if the caption is. `model` is as clip_source.py tells; a finished
    run's vectors are those of `datacomp.training.encoder`, rounded to float16.
    """

    name = "clip_embedding"
    device = "either"
    tolerance = 2e-3
    rows_per_second = 300.0

    model: str = runtime_field(default=MISSING)

    @cached_property
    def source(self) -> ClipSource:
        """The model, not loaded."""
        return find_clip(self.model)

    @cached_property
    def image(self) -> str:
        """Name of the image's column."""
        return f"clip_image_{self._fingerprint}"

    @cached_property
    def text(self) -> str:
        """Name of the caption's column."""
        return f"clip_text_{self._fingerprint}"

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def outputs(self) -> pa.Schema:
        """Two vectors."""
        kind = pa.list_(pa.float16(), self.source.embed_dim)
        return pa.schema([(self.image, kind), (self.text, kind)])

    def assets(self) -> tuple[Asset, ...]:
        """The model's."""
        return self.source.assets()

    def open(self, host: Host) -> ImageFunction:
        """Load the model."""
        clip, schema = self.source.load(host.device), self.outputs()
        width = self.source.embed_dim

        def compute(batch: pa.RecordBatch, images: Sequence[Image | None]) -> pa.RecordBatch:
            captions = batch.column("text").to_pylist()
            pictured = [row for row, image in enumerate(images) if image is not None]
            captioned = [row for row in pictured if captions[row] is not None]
            seen = [image for image in images if image is not None]
            read = [captions[row] for row in captioned]
            return pa.record_batch(
                [
                    _to_column(clip.encode_image(seen) if seen else None, pictured, batch, width),
                    _to_column(clip.encode_text(read) if read else None, captioned, batch, width),
                ],
                schema=schema,
            )

        return compute

    @cached_property
    def _fingerprint(self) -> str:
        return sha256_json([asset.sha256() for asset in self.assets()])[:8]


@dataclass(frozen=True, kw_only=True)
class ClipSimilarity(RowStep):
    """The cosine of image and caption (float32) by a model's stored embeddings.

    Null without a picture or a caption, or where an embedding is not finite or zero.
    """

    name = "clip_similarity"
    tolerance = 2e-3
    rows_per_second = 100_000.0

    model: str = runtime_field(default=MISSING)

    def inputs(self) -> tuple[ClipEmbedding, ...]:
        """The embeddings."""
        return (ClipEmbedding(model=self.model),)

    def outputs(self) -> pa.Schema:
        """The cosine."""
        return pa.schema([(SIMILARITY, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Nothing to load."""
        (embedding,), schema = self.inputs(), self.outputs()

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images = vectors(batch.column(embedding.image))
            texts = vectors(batch.column(embedding.text))
            return pa.record_batch([scores_column(cosines(images, texts))], schema=schema)

        return compute


def vectors(column: Any) -> Vectors:
    """A column of embeddings, an array or chunks of it, as (n, d) float32, NaN rows for null."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    found = np.full((len(column), column.type.list_size), np.nan, np.float32)
    there = np.asarray(column.is_valid())
    # Flattening leaves out the rows that are null.
    values = column.flatten().to_numpy(zero_copy_only=False)
    found[there] = values.reshape(-1, column.type.list_size)
    return found


def normalised(rows: Vectors) -> Vectors:
    """Rows of unit length, float32; NaN rows where there is no direction."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float32))
    lengths[lengths == 0] = np.nan
    unit: Vectors = rows / lengths[:, None]
    return unit


def cosines(one: Vectors, other: Vectors) -> npt.NDArray[np.float32]:
    """The cosine of each pair of rows, float32; NaN where either has no direction."""
    products: Vectors = np.einsum("nd,nd->n", normalised(one), normalised(other), dtype=np.float32)
    return products


def scores_column(scores: npt.NDArray[np.float32]) -> pa.Array:
    """float32, null for NaN."""
    return pa.array(scores, pa.float32(), mask=np.isnan(scores))


def _to_column(
    found: Vectors | None, rows: Sequence[int], batch: pa.RecordBatch, width: int
) -> pa.Array:
    """Vectors of some of a batch's rows as a column, null for the others and for what overflows."""
    full = np.zeros((batch.num_rows, width), np.float16)
    missing = np.ones(batch.num_rows, np.bool_)
    if found is not None:
        with np.errstate(over="ignore"):
            full[list(rows)] = found
        missing[list(rows)] = False
        missing |= ~np.isfinite(full).all(axis=1)
        full[missing] = 0
    flat = pa.array(full.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, width, mask=pa.array(missing))
