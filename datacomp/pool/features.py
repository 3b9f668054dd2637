"""The `.npz` beside a metadata file: feature arrays, one row per metadata row."""

import zipfile
import zlib
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import PoolError
from datacomp.pool.folder import Folder


def feature_shapes(folder: Folder, path: str) -> dict[str, list[int]]:
    """Shape of every array of an npz, from the arrays' headers alone; `PoolError` if unreadable."""
    shapes = {}
    try:
        with folder.open(path) as file, zipfile.ZipFile(file) as archive:
            for name in sorted(archive.namelist()):
                with archive.open(name) as member:
                    shapes[name.removesuffix(".npy")] = list(_header_shape(member))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise PoolError(f"{folder.full(path)} cannot be read: {error}") from error
    return shapes


def read_feature(folder: Folder, path: str, key: str, n_rows: int) -> npt.NDArray[Any]:
    """The array `key` of an npz, as stored, (n_rows, d); `PoolError` if it is not that."""
    try:
        with folder.open(path) as file, np.load(file, allow_pickle=False) as arrays:
            if key not in arrays:
                raise PoolError(
                    f"{folder.full(path)} has no array {key!r}. It has: {', '.join(arrays)}"
                )
            array: npt.NDArray[Any] = arrays[key]
    except FileNotFoundError as error:
        raise PoolError(f"{folder.full(path)} is not there, so there are no features") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise PoolError(f"{folder.full(path)} cannot be read: {error}") from error
    if array.ndim != 2 or len(array) != n_rows:
        raise PoolError(
            f"{folder.full(path)}: array {key!r} has the shape {array.shape}, but the metadata "
            f"file beside it has {n_rows:,} rows; expected ({n_rows}, d). Fetch both files again."
        )
    return array


def _header_shape(member: IO[bytes]) -> tuple[int, ...]:
    version = np.lib.format.read_magic(member)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"npy format {version} is not known")
    shape: tuple[int, ...] = read(member)[0]
    return shape
