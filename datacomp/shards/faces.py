"""Faces: where they are, and samples in which they are made unrecognisable.

The original's recipe: a picture with faces is decoded, blurred around each box, and encoded as
webp in place of what it was; a picture without faces stays as it is, byte for byte.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from datacomp.errors import PoolError, require
from datacomp.pool import Pool
from datacomp.pool.samples import search_uids
from datacomp.pool.shard_index import IMAGE_SUFFIXES
from datacomp.shards.options import FaceOptions
from datacomp.shards.sample import Piece
from datacomp.subset import UidArray, format_uids

COLUMN = "face_bboxes"
Boxes = list[list[float]]


class FaceError(Exception):
    """A sample whose faces cannot be dealt with, and why."""


def find_faces(pool: Pool, uids: UidArray) -> dict[str, Any]:
    """Boxes by hexadecimal uid, as the metadata has them: uids without faces are left out.

    `uids` are sorted and different; one that no metadata file has is None. Holds all faces of the
    subset in memory. `PoolError` if a metadata file lacks the column.
    """
    faces: dict[str, Any] = {}
    seen = np.zeros(len(uids), bool)
    for part in pool.parts:
        if COLUMN not in part.columns:
            raise PoolError(
                f"{pool.folder.full(pool.path(part))} has no column {COLUMN!r}, so nobody can tell "
                "where its faces are. If the shards' json members do, pass --faces-from json."
            )
        places = search_uids(uids, np.asarray(pool.uids(part)))
        rows = np.flatnonzero(places >= 0)
        rows = rows[~seen[places[rows]]]
        # A uid that stands in the file twice is taken from its first row.
        rows = rows[np.sort(np.unique(places[rows], return_index=True)[1])]
        seen[places[rows]] = True
        if not len(rows):
            continue
        column = pool.read(part, [COLUMN])[COLUMN].take(rows)
        has_faces = np.flatnonzero(
            pc.fill_null(pc.greater(pc.list_value_length(column), 0), False).to_numpy()
        )
        names = format_uids(uids[places[rows[has_faces]]])
        faces.update(zip(names, column.take(has_faces).to_pylist(), strict=True))
    faces.update(dict.fromkeys(format_uids(uids[~seen])))
    return faces


def faces_of_sample(pieces: Sequence[Piece]) -> Any:
    """The boxes in a sample's json member, [] for null; `FaceError` if it does not tell them."""
    value = _json(pieces)
    if COLUMN not in value:
        raise FaceError(f"its json member has no {COLUMN!r}")
    return value[COLUMN] or []


def with_faces(pieces: Sequence[Piece], boxes: Any, options: FaceOptions) -> list[Piece]:
    """The sample with its faces blurred, its boxes injected, or both; members by suffix.

    Raises `FaceError` for a damaged box, a picture that cannot be decoded, or no picture.
    """
    if damage := box_damage(boxes):
        raise FaceError(damage)
    members = {piece.suffix: piece for piece in pieces}
    if options.blur:
        suffix = next(suffix for suffix in IMAGE_SUFFIXES if suffix in members)
        picture = members.pop(suffix)
        blurred = blur_picture(picture.content, boxes, options.webp_quality)
        members["webp"] = picture.with_content("webp", blurred)
    if options.inject:
        text = json.dumps({**_json(pieces), COLUMN: boxes})
        members["json"] = members["json"].with_content("json", text.encode())
    return [members[suffix] for suffix in sorted(members)]


def box_damage(boxes: Any) -> str | None:
    """What is wrong with the boxes of a picture: each is x0, y0, x1, y1 in 0 to 1; or None."""
    if boxes is None:
        return "its uid is in no metadata file, so its faces are not known"
    if not isinstance(boxes, list):
        return f"{COLUMN} is {boxes!r}, expected a list of boxes"
    for box in boxes:
        numbers = isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))
        if not numbers or not (0 <= box[0] <= box[2] <= 1 and 0 <= box[1] <= box[3] <= 1):
            return f"face box {box!r} is not x0, y0, x1, y1 in 0 to 1"
    return None


def blur_picture(data: bytes, boxes: Boxes, quality: int) -> bytes:
    """Decode, blur around the boxes, encode as webp; `FaceError` if that cannot be done."""
    cv2: Any = require("cv2", "download")
    from datacomp.pool.download.blur import FaceBlurrer

    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is not None and picture.dtype != np.uint8:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise FaceError("the picture cannot be decoded")
        blurred = FaceBlurrer()(picture, boxes)
        _, webp = cv2.imencode(".webp", blurred, [cv2.IMWRITE_WEBP_QUALITY, quality])
    except cv2.error as error:
        raise FaceError(f"the picture cannot be blurred: {error}") from error
    return bytes(webp.tobytes())


def _json(pieces: Sequence[Piece]) -> Mapping[str, Any]:
    for piece in pieces:
        if piece.suffix == "json":
            value: Mapping[str, Any] = json.loads(piece.content)
            return value
    raise FaceError("it has no json member")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
