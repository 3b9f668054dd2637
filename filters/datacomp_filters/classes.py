"""The classes that captions may name and images resemble: their names and their vectors.

A class is a name: of a file of names (see names.py), or a label of a labelled pool, the target. Its
vector is the mean of the normalised features of the target's rows with that label, normalised; or a
row of a file of embeddings, one for each name of the file of names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import Asset
from datacomp.filtering.assets import FoundAsset
from datacomp_filters.arrays import read_matrix
from datacomp_filters.names import read_names
from datacomp_filters.trusted import LABEL, pool_assets, read_column, read_features

IMAGES, TEXTS = "l14_img", "l14_txt"
"""Arrays of a pool's npz files: CLIP L/14's features of images and of captions."""

Vectors = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Classes:
    """Where classes come from; `target` and the rest are paths. See the module."""

    names: str | None
    target: str | None
    embeddings: str | None = None
    like: Literal["text", "images"] = "text"
    """Whether vectors are of the target's captions or of its images."""

    def demand(self, filter_name: str, parameter: str, vectors: bool) -> None:
        """`UsageError` unless there are names, and vectors if they are needed."""
        if self.names is None and self.target is None:
            raise UsageError(f"{filter_name} needs {parameter}=FILE or target=POOL")
        if self.embeddings is not None and self.names is None:
            raise UsageError(f"embeddings has a row for each name of {parameter}=FILE; give both")
        if vectors and self.embeddings is None and self.target is None:
            raise UsageError(
                f"{filter_name} compares images here: it needs target=POOL, or embeddings=FILE.npy"
            )

    def name_assets(self) -> tuple[Asset, ...]:
        """What the names come from."""
        if self.names is not None:
            return (FoundAsset("names", Path(self.names).expanduser()),)
        return pool_assets(_given(self.target))

    def vector_assets(self) -> tuple[Asset, ...]:
        """What names and vectors come from."""
        names = self.name_assets() if self.names is not None else ()
        if self.embeddings is not None:
            return (*names, FoundAsset("embeddings", Path(self.embeddings).expanduser()))
        return (*names, *pool_assets(_given(self.target)))

    def in_order(self) -> tuple[str, ...]:
        """The names: as the file has them, or the target's labels in alphabetical order."""
        if self.names is not None:
            return tuple(read_names(Path(self.names).expanduser(), "names"))
        labels = set(_labels(_given(self.target))) - {None, ""}
        if not labels:
            raise FilterError(f"pool {self.target} has no label in its column {LABEL!r}")
        return tuple(sorted(label for label in labels if label is not None))

    def vectors(self) -> Vectors:
        """One a class, (n, d), of length 1; `FilterError` if a class has none."""
        names = self.in_order()
        if self.embeddings is not None:
            given = read_matrix(Path(self.embeddings).expanduser())
            if len(given) != len(names):
                raise FilterError(
                    f"{self.embeddings} has {len(given):,} rows, but {self.names} has "
                    f"{len(names):,} names; expected one for each, in their order"
                )
            found = normalised(given)
        else:
            found = self._means(names, _given(self.target))
        if len(without := np.flatnonzero(np.isnan(found).any(1))):
            remedy = "leave them out of the file of names" if self.names else "take their label off"
            raise FilterError(
                f"{len(without):,} of {len(names):,} classes have no vector in "
                f"{self.embeddings or self.target}, such as {names[without[0]]!r}; {remedy}"
            )
        return found

    def _means(self, names: Sequence[str], target: str) -> Vectors:
        features = normalised(read_features(target, IMAGES if self.like == "images" else TEXTS))
        number = {name: i for i, name in enumerate(names)}
        of = np.array([number.get(label or "", -1) for label in _labels(target)], np.int64)
        usable = (of >= 0) & np.isfinite(features).all(1)
        sums = np.zeros((len(names), features.shape[1]))
        np.add.at(sums, of[usable], features[usable])
        return normalised(sums)


def normalised(rows: npt.NDArray[np.floating]) -> Vectors:
    """Rows of length 1, in float64; NaN where a row is zero or not finite."""
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > 0)
    unit: Vectors = np.divide(wide, length, out=np.full_like(wide, np.nan), where=usable)
    return unit


def similarities(images: npt.NDArray[np.floating], vectors: Vectors) -> npt.NDArray[np.float32]:
    """Cosines (n images, n classes), NaN where either side has none.

    Summed in float64 and rounded to 24 bits after the point, which hides in which order and in
    which blocks they were summed. `FilterError` if the widths differ.
    """
    _demand_width(images, vectors)
    return _rounded(normalised(images) @ vectors.T)


def similarity_of_pairs(
    images: npt.NDArray[np.floating], vectors: Vectors
) -> npt.NDArray[np.float32]:
    """Cosines of each image with the class vector beside it, (n,); else as `similarities`."""
    _demand_width(images, vectors)
    return _rounded(np.einsum("ij,ij->i", normalised(images), vectors))


def image_rows(batch: pa.RecordBatch) -> npt.NDArray[np.floating]:
    """The image features of a batch, (n, d)."""
    values = batch.column(IMAGES).flatten().to_numpy(zero_copy_only=False)
    rows: npt.NDArray[np.floating] = values.reshape(batch.num_rows, -1)
    return rows


def _rounded(cosines: Vectors) -> npt.NDArray[np.float32]:
    fine = np.rint(cosines * 2.0**24) * 2.0**-24
    return fine.astype(np.float32)


def _demand_width(images: npt.NDArray[np.floating], vectors: Vectors) -> None:
    if images.shape[1] != vectors.shape[1]:
        raise FilterError(
            f"the pool's features {IMAGES} have {images.shape[1]} dimensions, those of the classes "
            f"{vectors.shape[1]}; they must come from the same model"
        )


def _given(target: str | None) -> str:
    if target is None:
        raise UsageError("a target=POOL is needed")
    return target


def _labels(target: str) -> list[str | None]:
    try:
        column = read_column(target, LABEL)
    except FilterError as error:
        raise FilterError(f"{error}: the name of each row's class, which a target has") from error
    labels: list[str | None] = column.cast(pa.string()).to_pylist()
    return labels
