"""Random access to the samples in a pool's shards, by uid, through the offset index.

Three arrays of one row per sample, sorted by uid, mapped into memory when local. Samples with the
same uid follow each other in shard order, so that the first one is found. Nothing is cached.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from datacomp.errors import PoolError
from datacomp.pool.folder import Folder
from datacomp.pool.tar import BLOCK
from datacomp.subset.uids import UID_DTYPE, UidArray, format_uids
from datacomp.subset.uids import search_uids as search_uids

SAMPLE_DTYPE = np.dtype(
    [
        ("shard", "<u4"),
        ("image_offset", "<u8"),
        ("image_size", "<u4"),
        ("text_offset", "<u8"),
        ("text_size", "<i4"),  # -1: the sample has no text
        ("json_offset", "<u8"),
        ("json_size", "<u4"),
        ("span_offset", "<u8"),  # of the first header of the sample's first member
        ("span_size", "<u4"),  # to the end of the last member's padding
    ]
)
ARRAYS = ("uids", "samples", "keys")
INDEX = "index"
# Longer names have another header before the one that is checked, as may other letters.
_PLAIN_NAME = 90


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture with its caption; `shard` is the tar's file name, `key` the name inside it."""

    uid: str
    key: str
    shard: str
    image: bytes
    caption: str | None

    def decode(self) -> Image.Image:
        """The picture as RGB; `PoolError` naming shard and sample if it cannot be decoded."""
        try:
            return decode_image(self.image)
        except ValueError as error:
            raise PoolError(
                f"{self.shard}: the picture of sample {self.key!r} (uid {self.uid}) cannot be "
                f"decoded: {error}. Fetch the shard again, or leave the uid out of the subset."
            ) from error


def decode_image(data: bytes) -> Image.Image:
    """Decode a picture to RGB; `ValueError` if it is damaged."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB")
    except UnidentifiedImageError as error:
        raise ValueError("the bytes are of no known picture format") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, eq=False)
class SampleIndex:
    """The samples of a pool; opens itself again in another process instead of being copied there.

    `uids` is a sorted `UID_DTYPE` array; a position in it names a sample.
    """

    folder: Folder
    index_id: str
    shards: tuple[str, ...]
    uids: UidArray
    samples: npt.NDArray[Any]
    keys: npt.NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.uids)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_samples, (self.folder, self.index_id, self.shards)

    def locate(self, uids: UidArray) -> npt.NDArray[np.int64]:
        """Position of each uid's first sample in shard order, -1 where there is none."""
        return search_uids(self.uids, uids)

    def read(self, position: int) -> Sample:
        """Read one sample, from any thread; `PoolError` if the shard is not what was indexed."""
        row, name = self.samples[position], bytes(self.keys[position])
        key = name.decode(errors="backslashreplace")
        shard = self.shards[int(row["shard"])]
        image, n_image = int(row["image_offset"]), int(row["image_size"])
        text, n_text = int(row["text_offset"]), int(row["text_size"])
        # Members of a sample are neighbours: one read takes the picture, its header and the text.
        start = min(image, text) - BLOCK if n_text >= 0 else image - BLOCK
        end = max(image + n_image, text + n_text)
        try:
            data = self.folder.read_range(f"shards/{shard}", start, end - start)
        except OSError as error:
            raise PoolError(f"shards/{shard}, sample {key!r}: cannot be read: {error}") from error
        header = data[image - BLOCK - start : image - start]
        plain = len(name) < _PLAIN_NAME and name.isascii()
        moved = plain and not header.startswith(name + b".")
        if len(data) < end - start or moved:
            raise PoolError(
                f"{shard} is not the file that was indexed: sample {key!r} is not at byte "
                f"{image:,}. Run: datacomp pool index {self.folder.url}"
            )
        caption = data[text - start : text - start + n_text].decode(errors="replace")
        return Sample(
            uid=format_uids(self.uids[position : position + 1])[0],
            key=key,
            shard=shard,
            image=data[image - start : image - start + n_image],
            caption=caption if n_text >= 0 else None,
        )


def open_samples(folder: Folder, index_id: str, shards: Sequence[str]) -> SampleIndex:
    """Open the arrays of an index, mapped into memory when local."""
    try:
        uids, samples, keys = (_load(folder, f"{INDEX}/{index_id}/{name}.npy") for name in ARRAYS)
    except (OSError, ValueError) as error:
        raise PoolError(
            f"the index of {folder.url} cannot be read: {error}. "
            f"Run: datacomp pool index {folder.url}"
        ) from error
    if samples.dtype != SAMPLE_DTYPE:
        raise PoolError(
            f"the index of {folder.url} was made by an older version. "
            f"Run: datacomp pool index {folder.url}"
        )
    return SampleIndex(folder, index_id, tuple(shards), uids, samples, keys)


def save_array(file: IO[bytes], array: npt.NDArray[Any]) -> None:
    """Write an array as npy."""
    np.lib.format.write_array(file, array, allow_pickle=False)


def empty_uids() -> UidArray:
    """No uids."""
    return np.empty(0, UID_DTYPE)


def _load(folder: Folder, path: str) -> npt.NDArray[Any]:
    local = folder.local
    source = local / path if local else io.BytesIO(folder.read_bytes(path))
    array: npt.NDArray[Any] = np.load(source, mmap_mode="r" if local else None, allow_pickle=False)
    return array
