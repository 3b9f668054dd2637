"""The `.npz` beside a metadata file: feature arrays, one row per metadata row."""

import threading
import zipfile
import zlib
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import PoolError
from datacomp.pool.folder import Folder

# numpy reads headers through `ast`, which CPython before 3.11.8 and 3.12.2 breaks off with a
# SystemError if another thread is in it while garbage is collected.
ONE_HEADER = threading.Lock()


def feature_shapes(folder: Folder, path: str) -> dict[str, list[int]]:
    """Shape of every array of an npz, from the arrays' headers alone; `PoolError` if unreadable."""
    shapes = {}
    try:
        with folder.open(path) as file, zipfile.ZipFile(file) as archive:
            for name in sorted(archive.namelist()):
                with archive.open(name) as member:
                    shapes[name.removesuffix(".npy")] = list(_header(member)[0])
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise PoolError(f"{folder.full(path)} cannot be read: {error}") from error
    return shapes


def read_feature(folder: Folder, path: str, key: str, n_rows: int) -> npt.NDArray[Any]:
    """The array `key` of an npz, as stored, (n_rows, d); `PoolError` if it is not that."""
    try:
        with folder.open(path) as file, zipfile.ZipFile(file) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if key not in names:
                raise PoolError(
                    f"{folder.full(path)} has no array {key!r}. It has: {', '.join(names)}"
                )
            with archive.open(f"{key}.npy") as member:
                array = _read_array(member)
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


def _read_array(member: IO[bytes]) -> npt.NDArray[Any]:
    shape, fortran, dtype = _header(member)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are never read")
    values = np.frombuffer(member.read(), dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"npy format {version} is not known")
    with ONE_HEADER:
        shape, fortran, dtype = read(member)
    return shape, fortran, dtype
