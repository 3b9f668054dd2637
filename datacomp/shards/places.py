"""Where the samples of a written tar lie: a small file beside it, so that a reader can go to any.

`00000000_samples.npy` is a little-endian u8 array (n + 1, 3): high and low 64 bits of a sample's
uid, and the offset of its first header. The last row has the offset behind the last sample. A range
of rows is read without the rest, from any store, and nothing is kept in memory.
"""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datacomp.errors import ShardsError
from datacomp.files import write_bytes
from datacomp.pool.folder import ReadAt
from datacomp.subset import UidArray
from datacomp.subset.uids import UID_DTYPE

PLACES_SUFFIX = "_samples.npy"
_ROW = 24
# What numpy writes before the rows; its length does not depend on their number.
_HEADER = 128


def write_places(path: Path, uids: UidArray, offsets: npt.NDArray[np.int64]) -> None:
    """Write n uids and n + 1 offsets, atomically."""
    rows = np.zeros((len(uids) + 1, 3), "<u8")
    rows[:-1, 0], rows[:-1, 1], rows[:, 2] = uids["f0"], uids["f1"], offsets
    buffer = io.BytesIO()
    np.save(buffer, rows, allow_pickle=False)
    assert buffer.tell() == places_bytes(len(uids))
    write_bytes(path, buffer.getvalue())


def places_bytes(n: int) -> int:
    """Size of the file for n samples."""
    return _HEADER + (n + 1) * _ROW


def read_places(read: ReadAt, first: int, last: int) -> tuple[UidArray, npt.NDArray[np.int64]]:
    """Uids of the samples from `first` to before `last`, and one offset more than those.

    `read` reads the file; `ShardsError` if it has no such rows.
    """
    size = (last - first + 1) * _ROW
    data = read(_HEADER + first * _ROW, size)
    if len(data) < size:
        raise ShardsError(f"there is no sample {last - 1:,} in it")
    rows = np.frombuffer(data, "<u8").reshape(-1, 3)
    uids = np.ascontiguousarray(rows[:-1, :2]).view(UID_DTYPE).reshape(-1)
    return uids, rows[:, 2].astype(np.int64)
