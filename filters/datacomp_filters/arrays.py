"""Arrays from .npy and .pt files; nothing in them is ever executed."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, require

Matrix = npt.NDArray[Any]


def read_matrix(path: Path, key: str | None = None) -> Matrix:
    """A 2-D array of floats, float16 or float32 as stored.

    .npy as numpy writes it; .pt as DataComp releases it: a tensor or numpy array, or under `key`
    of a dict. `FilterError` for anything else, and for files that would run code.
    """
    try:
        found = _npy(path) if path.suffix == ".npy" else _pt(path)
        matrix = np.asarray(found[key] if key and isinstance(found, dict) else found)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise FilterError(f"{path} could not be read: {error}") from None
    if matrix.ndim != 2 or matrix.dtype not in (np.float16, np.float32, np.float64):
        raise FilterError(
            f"{path} holds {matrix.dtype} of shape {matrix.shape}, expected floats, one row each"
        )
    return matrix


def _npy(path: Path) -> Any:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _pt(path: Path) -> Any:
    """The original's .pt files hold pickles: torch's reader takes data and no code from them."""
    torch = require("torch", "train")
    reconstruct = np.empty(0).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in (np.float16, np.float32, np.float64)]
    # Arrays that were pickled by numpy 1 name numpy.core, by numpy 2 numpy._core.
    names = [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    try:
        with torch.serialization.safe_globals([*names, np.ndarray, np.dtype, *dtypes]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if type(error).__name__ != "UnpicklingError":
            raise
        raise ValueError("it holds more than arrays, and is not opened") from error
