"""The rows that filters are tried on: ordinary ones, and odd ones of every type.

Deterministic, small, made here; where a filter reads columns that DataComp's pools do not have,
the first rows of a pool that has them stand in.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import UsageError
from datacomp.filtering.conformance.toy_pictures import ordinary_jpeg
from datacomp.pool import Pool, open_pool
from datacomp.pool.samples import decode_image
from datacomp.pool.schema import SCHEMA, UID

if TYPE_CHECKING:
    from PIL.Image import Image

N_ROWS = 30
FEATURE_DIMS = {"b32_img": 512, "b32_txt": 512, "l14_img": 768, "l14_txt": 768}
MEGABYTE = 2**20

_THINGS = (
    "a golden retriever on the beach",
    "Goldfish in a round bowl",
    "portrait of an old man with a violin",
    "IMG_2041.jpg",
    "Fahrrad vor einem roten Haus",
    "red sports car, side view",
    "un chat noir dort sur le canapé",
    "Stock photo of a wooden kitchen table and four chairs",
    "image of tiger swallowtail butterfly on a daisy",
    "東京タワーの夜景",
)
_CAPTIONS = (
    "",
    " ",
    "\n",
    "two\nlines\r\nof a\tcaption",
    "word " * (MEGABYTE // 5),
    "x" * MEGABYTE,
    "\u0000 nul \u0000",
    "\ufeffa byte order mark, \u2028 a line separator",
    "e\u0301 a\u0308 \u202eright to left\u202c \u200b",
    "\U0001f469\u200d\U0001f52c\U0001f3fd \U0010ffff \ud7ff \uffff",
    "İSTANBUL ﬁ ß",
    "'\"\\ {} %s $x <b>&amp;</b>; DROP",
    "NaN",
)
_FLOATS = (0.0, -0.0, -1.0, 1e-30, 3e38, -3e38, float("nan"), float("inf"), float("-inf"))
_INTEGERS = (0, 1, -1, 2**31 - 1, 2**53, -(2**53))


@dataclass(frozen=True)
class ToyRows:
    """Rows with all that a filter may declare; `images` are encoded, None for a missing picture."""

    table: pa.Table
    features: Mapping[str, npt.NDArray[Any]]
    images: tuple[bytes | None, ...]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.table.num_rows)

    def take(self, rows: Sequence[int]) -> "ToyRows":
        """These rows, in this order."""
        places = np.array(rows, np.int64)
        features = {key: array[places] for key, array in self.features.items()}
        images = tuple(self.images[row] for row in rows)
        return ToyRows(self.table.take(pa.array(places)), features, images)

    def only(self, columns: Iterable[str], features: Iterable[str]) -> "ToyRows":
        """The same rows with their uids, and no other column or feature than these."""
        table = self.table.select(list(dict.fromkeys([UID, *columns])))
        return replace(self, table=table, features={key: self.features[key] for key in features})

    def with_column(self, name: str, values: pa.Array) -> "ToyRows":
        """The same rows with one column replaced."""
        place = self.table.schema.get_field_index(name)
        table = self.table.set_column(place, self.table.schema.field(name), values)
        return replace(self, table=table)

    def batch(self, columns: Iterable[str], features: Iterable[str]) -> pa.RecordBatch:
        """What the engine hands to a step that declares these; the uid if it declares nothing."""
        arrays = {name: self.table.column(name).combine_chunks() for name in columns}
        for key in features:
            array = self.features[key]
            flat = pa.array(array.reshape(-1))
            arrays[key] = pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
        return pa.record_batch(arrays or {UID: self.table.column(UID).combine_chunks()})

    def pictures(self) -> "list[Image | None]":
        """The pictures as the engine decodes them."""
        return [None if data is None else _decoded(data) for data in self.images]


def ordinary_rows(columns: Sequence[str], features: Sequence[str], source: str | None) -> ToyRows:
    """`N_ROWS` rows of DataComp's columns; those of the pool `source` where it has them.

    `UsageError` naming the column if neither knows one that is asked for.
    """
    table = pa.table(
        {field.name: pa.array(_ordinary(field.name), field.type) for field in SCHEMA},
        schema=SCHEMA.remove_metadata(),
    )
    arrays = {key: _features(key, dim) for key, dim in FEATURE_DIMS.items()}
    if source is not None:
        table, arrays = _with_real(table, arrays, columns, features, open_pool(source))
    unknown = [name for name in columns if name not in table.column_names]
    unknown += [key for key in features if key not in arrays]
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} is no column or feature of DataComp's pools"
            f"{f', nor of {source}' if source else ''}, so there are no rows to try the filter "
            "on. Name a pool that has it with --pool"
        )
    return ToyRows(table, arrays, tuple(ordinary_jpeg(row) for row in range(table.num_rows)))


def odd_values(kind: Any) -> list[Any]:
    """Values of a column type that filters trip over, null among them."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [None, *_CAPTIONS]
    if pa.types.is_floating(kind):
        return [None, *_FLOATS]
    if pa.types.is_integer(kind):
        high = 2 ** (kind.bit_width - (1 if pa.types.is_signed_integer(kind) else 0)) - 1
        low = -high - 1 if pa.types.is_signed_integer(kind) else 0
        return [None, *(value for value in _INTEGERS if low <= value <= high)]
    if pa.types.is_boolean(kind):
        return [None, True, False]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [None, [], *([value] for value in odd_values(kind.value_type))]
    return [None]


def odd_features(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Feature rows that filters trip over: zero, NaN, infinite, largest, tiny."""
    kind = np.finfo(array.dtype)
    odd = np.zeros((5, array.shape[1]), array.dtype)
    for row, value in enumerate((0.0, np.nan, np.inf, kind.max, kind.smallest_subnormal)):
        odd[row] = value
    return odd


def _ordinary(name: str) -> list[Any]:
    made: dict[str, Callable[[int], Any]] = {
        UID: lambda row: hashlib.sha256(f"toy row {row}".encode()).hexdigest()[:32],
        "url": lambda row: f"https://img{row % 3}.example.org/{row}.jpg",
        "text": lambda row: f"{_THINGS[row % len(_THINGS)]}{f', no. {row}' if row % 4 else ''}",
        "original_width": lambda row: 120 + 97 * row % 900,
        "original_height": lambda row: 100 + 61 * row % 700,
        "clip_b32_similarity_score": lambda row: 0.15 + (row * 7 % N_ROWS) / 200,
        "clip_l14_similarity_score": lambda row: 0.12 + (row * 11 % N_ROWS) / 150,
        "face_bboxes": lambda row: [[0.1, 0.1, 0.4, 0.5]] * (row % 3),
        "sha256": lambda row: hashlib.sha256(f"picture {row}".encode()).hexdigest(),
    }
    return [made[name](row) for row in range(N_ROWS)]


def _features(key: str, dim: int) -> npt.NDArray[Any]:
    seed = int.from_bytes(key.encode(), "little") % 2**32
    return np.random.default_rng(seed).normal(size=(N_ROWS, dim)).astype(np.float16)


def _with_real(
    table: pa.Table,
    arrays: dict[str, npt.NDArray[Any]],
    columns: Sequence[str],
    features: Sequence[str],
    pool: Pool,
) -> tuple[pa.Table, dict[str, npt.NDArray[Any]]]:
    """Put the first rows of a pool's first part where the filter reads; the uids stay ours."""
    part = next((part for part in pool.parts if part.n_rows >= N_ROWS), None)
    if part is None:
        raise UsageError(f"pool {pool.url} has no part of {N_ROWS} rows or more to try a filter on")
    names = [name for name in columns if name in part.columns and name != UID]
    for name in names:
        column = pool.read(part, [name]).column(0).slice(0, N_ROWS)
        place = table.schema.get_field_index(name)
        field = pa.field(name, column.type)
        table = (
            table.append_column(field, column)
            if place < 0
            else table.set_column(place, field, column)
        )
    if part.has_features:
        arrays = arrays | {key: pool.features(part, key)[:N_ROWS] for key in features}
    return table, arrays


def _decoded(data: bytes) -> "Image | None":
    try:
        return decode_image(data)
    except ValueError:
        return None
