"""Target and trusted sets: pool folders whose features and labels filters compute with.

Such a set is what a participant trusts, or wants the pool to resemble: labelled training pictures
of the tasks, a clean collection. Its metadata files are assets, so that its content, not its place,
is part of the keys of what was computed with it.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import DatacompError, FilterError
from datacomp.filtering import Asset
from datacomp.pool import Pool, open_pool
from datacomp.pool.pool import METADATA

LABEL = "label"
"""The column of a labelled set: the name of the row's class."""


def pool_assets(path: str) -> tuple[Asset, ...]:
    """The parquet and npz files of a pool folder, in order; `FilterError` if there is none."""
    if not path:
        raise FilterError("the path of a pool is empty; expected a pool folder")
    folder = Path(path) / METADATA
    files = sorted(file for file in folder.glob("*") if file.suffix in (".parquet", ".npz"))
    if not any(file.suffix == ".parquet" for file in files):
        raise FilterError(f"{path} is no pool folder: there is no {METADATA}/*.parquet in it")
    return tuple(Asset(name=f"{METADATA}/{file.name}", path=file) for file in files)


def read_features(path: str, key: str) -> npt.NDArray[np.float32]:
    """The feature array `key` of all rows, (n, d) float32, not normalised, in pool order.

    `FilterError` naming pool and key if any part lacks it.
    """
    pool = _opened(path)
    if lacking := [part.name for part in pool.parts if not part.has_features]:
        raise FilterError(f"part {lacking[0]} of {path} has no features (.npz) beside it")
    try:
        arrays = [pool.features(part, key).astype(np.float32) for part in pool.parts]
    except DatacompError as error:
        raise FilterError(f"the features {key!r} of {path} cannot be read: {error}") from error
    return np.concatenate(arrays)


def read_column(path: str, name: str) -> pa.ChunkedArray:
    """A column of all rows, in pool order; `FilterError` if a part lacks it."""
    pool = _opened(path)
    if lacking := [part.name for part in pool.parts if name not in part.columns]:
        raise FilterError(f"part {lacking[0]} of {path} has no column {name!r}")
    columns = [pool.read(part, [name]).column(0) for part in pool.parts]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks])


def _opened(path: str) -> Pool:
    pool = open_pool(path)
    if not pool.n_rows:
        raise FilterError(f"{path} has no rows")
    return pool
