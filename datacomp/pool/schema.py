"""The metadata of a pool: DataComp's columns, as an Arrow schema that says what each one holds."""

from typing import Any

import pyarrow as pa

TEXT = "text"
UID = "uid"


def _field(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, metadata={"meaning": meaning})


SCHEMA: pa.Schema = pa.schema(
    [
        _field(UID, pa.string(), "128-bit identity of the row, 32 lower-case hex characters"),
        _field("url", pa.string(), "where the picture was found"),
        _field(TEXT, pa.string(), "the caption (alt-text); null where there was none"),
        _field("original_width", pa.int64(), "pixels, before the picture was resized for a shard"),
        _field("original_height", pa.int64(), "pixels, before the picture was resized for a shard"),
        _field(
            "clip_b32_similarity_score", pa.float32(), "cosine, CLIP ViT-B/32; null or NaN: none"
        ),
        _field(
            "clip_l14_similarity_score", pa.float32(), "cosine, CLIP ViT-L/14; null or NaN: none"
        ),
        _field(
            "face_bboxes", pa.list_(pa.list_(pa.float64())), "faces as x0, y0, x1, y1 in 0 to 1"
        ),
        _field("sha256", pa.string(), "of the picture's original bytes, 64 hex characters"),
    ]
)
"""Opening a pool demands `uid` alone; any other column is demanded by whoever reads it."""

SCORE_COLUMNS = ("clip_b32_similarity_score", "clip_l14_similarity_score")

FEATURE_KEYS = ("b32_img", "b32_txt", "l14_img", "l14_txt")
"""Arrays of a part's `.npz`: one row per metadata row, not normalised, float16."""


def type_name(kind: Any) -> str:
    """A column's type in words that do not depend on the writer: `string`, `list<double>`."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list<{type_name(kind.value_type)}>"
    return "string" if pa.types.is_large_string(kind) else str(kind)
