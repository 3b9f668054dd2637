"""The subset: a sorted multiset of uids, its file, and the lock file that says where it came from.

A subset file is a `.npy` (format 1.0) of one sorted `u8,u8` array, the format that DataComp's
resharder reads; a uid that stands there m times is trained on m times. Beside `mine.npy` stands
`mine.npy.lock.json`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import SubsetError
from datacomp.files import atomic_open, write_json
from datacomp.subset.uids import (
    UID_DTYPE,
    UidArray,
    count_runs,
    first_descent,
    sort_uids,
    starts_of_runs,
)

_EXPECTED = "[('f0', '<u8'), ('f1', '<u8')]"


@dataclass(frozen=True, eq=False)
class Subset:
    """A sorted, read-only, 1-D `UID_DTYPE` array; a uid may stand in it many times.

    Raises `SubsetError` for another dtype, more dimensions, or an unsorted array.
    """

    uids: UidArray

    def __post_init__(self) -> None:
        if self.uids.dtype != UID_DTYPE or self.uids.ndim != 1:
            raise SubsetError(
                f"a subset is 1-D of dtype {_EXPECTED}, "
                f"got {self.uids.ndim}-D of {self.uids.dtype.descr}"
            )
        if (position := first_descent(self.uids)) is not None:
            raise SubsetError(f"uids are not sorted: entry {position} is below the one before it")
        view = np.ascontiguousarray(self.uids).view()
        view.flags.writeable = False
        object.__setattr__(self, "uids", view)

    @classmethod
    def from_uids(cls, uids: UidArray) -> "Subset":
        """The subset of these uids, given in any order."""
        return cls(sort_uids(uids))

    @property
    def n(self) -> int:
        """Number of entries, repeats counted."""
        return len(self.uids)

    @cached_property
    def n_unique(self) -> int:
        """Number of different uids."""
        return count_runs(self.uids)

    @cached_property
    def sha256(self) -> str:
        """Hex sha256 of the array's bytes (not of the file with its header)."""
        return hashlib.sha256(self.uids.view(np.uint8).data).hexdigest()

    def counts(self) -> tuple[UidArray, npt.NDArray[np.int64]]:
        """The different uids, sorted, and how many times each stands in the subset."""
        starts = np.flatnonzero(starts_of_runs(self.uids))
        return self.uids[starts], np.diff(starts, append=self.n)


def read_subset(path: str | Path) -> Subset:
    """Read a subset file; `SubsetError` naming the file for anything but a sorted `u8,u8` `.npy`.

    Never unpickles.
    """
    uids = read_uids(path)
    if (position := first_descent(uids)) is not None:
        raise SubsetError(
            f"{path} is not sorted: entry {position:,} is below the one before it. "
            f"Sort it with: datacomp subset sort {path} -o sorted.npy"
        )
    return Subset(uids)


def read_uids(path: str | Path) -> UidArray:
    """The uids of a subset file as they stand, sorted or not; else as strict as `read_subset`."""
    path = Path(path)
    if not path.is_file():
        raise SubsetError(f"no subset file {path}")
    with path.open("rb") as file:
        shape, dtype = _read_header(file, path)
        if dtype != UID_DTYPE:
            raise SubsetError(_wrong_dtype(path, dtype))
        if len(shape) != 1:
            raise SubsetError(f"{path} is not a uid subset: its shape is {shape}, expected 1-D")
        held = path.stat().st_size - file.tell()
        if held != shape[0] * UID_DTYPE.itemsize:
            raise SubsetError(
                f"{path} is damaged: its header promises {shape[0]:,} uids "
                f"({shape[0] * UID_DTYPE.itemsize:,} bytes), {held:,} bytes follow. "
                "Copy or make it again."
            )
        return np.fromfile(file, UID_DTYPE)


def write_subset(subset: Subset, path: str | Path, lock: Mapping[str, Any]) -> None:
    """Write `<path>.lock.json`, then the subset, each atomically.

    `lock` is JSON-serialisable provenance; `sha256`, `n` and `n_unique` are added to it.
    """
    path = demand_suffix(Path(path))
    facts = {"sha256": subset.sha256, "n": subset.n, "n_unique": subset.n_unique}
    write_json(lock_path(path), {**lock, **facts})
    with atomic_open(path) as file:
        np.lib.format.write_array(file, subset.uids, version=(1, 0))


def read_lock(path: str | Path) -> dict[str, Any] | None:
    """The lock of the subset file `path`, or None if it has none.

    Whether it belongs to the file as it is now, its `sha256` tells.
    """
    beside = lock_path(Path(path))
    if not beside.is_file():
        return None
    try:
        lock = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SubsetError(f"{beside} is not JSON: {error}") from error
    if not isinstance(lock, dict):
        raise SubsetError(f"{beside} is not a JSON object")
    return lock


def demand_suffix(path: Path) -> Path:
    """The path, if a subset may be written there; `SubsetError` unless it ends in `.npy`."""
    if path.suffix != ".npy":
        raise SubsetError(f"a subset file ends in .npy, got {path}")
    return path


def lock_path(path: Path) -> Path:
    """Where the lock of a subset file stands."""
    return path.with_name(path.name + ".lock.json")


def _read_header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file)
    except (ValueError, KeyError) as error:
        raise SubsetError(f"{path} is not a uid subset: not a .npy file ({error})") from error
    return shape, dtype


def _wrong_dtype(path: Path, dtype: np.dtype[Any]) -> str:
    kind = {"U": " (strings)", "S": " (bytes)", "O": " (pickled objects, never read)"}
    return (
        f"{path} is not a uid subset: dtype is {dtype.descr if dtype.names else dtype.str!r}"
        f"{kind.get(dtype.kind, '')}, expected {_EXPECTED}, sorted. From hex uids: "
        "write_subset(Subset.from_uids(parse_uids(hex)), path, lock)"
    )
