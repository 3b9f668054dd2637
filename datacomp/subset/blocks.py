"""Subset files read and written block by block, so that a file may be larger than memory.

A subset file is a `.npy` (format 1.0) of one sorted `u8,u8` array, the format that DataComp's
resharder reads; beside `mine.npy` stands its lock, `mine.npy.lock.json`.
"""

import hashlib
import json
import os
import tempfile
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from datacomp.errors import SubsetError
from datacomp.files import atomic_open, write_json
from datacomp.subset.uids import UID_DTYPE, UidArray, count_runs, first_descent

READ_AT_ONCE = 2**18
LONGEST_HEADER = 10_000
# What numpy raises for headers that nobody wrote in good faith.
_UNREADABLE = (
    *(ValueError, KeyError, TypeError, IndexError, OverflowError, SyntaxError),
    *(tokenize.TokenError, RecursionError, MemoryError),
)
EXPECTED = "[('f0', '<u8'), ('f1', '<u8')]"


@dataclass(frozen=True)
class SubsetFacts:
    """What a subset is: sha256 of its array's bytes, its entries, its different uids."""

    sha256: str
    n: int
    n_unique: int


class SubsetFile:
    """A subset file that is there and looks like one; its content is checked while it is read.

    `SubsetError` naming the file for anything but a `u8,u8` `.npy` of the length that it promises.
    Never unpickles.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise SubsetError(f"no subset file {path}")
        with self.path.open("rb") as file:
            shape, dtype = _read_header(file, self.path)
            self._start = file.tell()
        if dtype != UID_DTYPE:
            raise SubsetError(_wrong_dtype(self.path, dtype))
        if len(shape) != 1:
            raise SubsetError(f"{path} is not a uid subset: its shape is {shape}, expected 1-D")
        self.n = shape[0]
        self._demand_length(self.path.stat().st_size - self._start)
        self._sha256: str | None = None

    @property
    def sha256(self) -> str:
        """Hex sha256 of the array's bytes, once the file was read to its end."""
        assert self._sha256 is not None, f"{self.path} was not read to its end"
        return self._sha256

    def blocks(self, size: int, *, in_order: bool = True) -> Iterator[UidArray]:
        """The uids, at most `size` at a time; each block overwrites the one before.

        `SubsetError` with the remedy if they are not sorted, unless `in_order` is False.
        """
        hashed, done, last = hashlib.sha256(), 0, (0, 0)
        memory = np.empty(min(size, self.n), UID_DTYPE)
        with self.path.open("rb") as file:
            file.seek(self._start)
            while done < self.n:
                block = memory[: self.n - done]
                if (read := file.readinto(block.view(np.uint8).data)) != block.nbytes:
                    self._demand_length(done * UID_DTYPE.itemsize + read)
                if in_order:
                    self._demand_order(block, last, done)
                hashed.update(block.view(np.uint8).data)
                done, last = done + len(block), block[-1].item()
                yield block
        self._sha256 = hashed.hexdigest()

    def read(self, *, in_order: bool = True) -> UidArray:
        """All uids, in memory."""
        return next(self.blocks(max(self.n, 1), in_order=in_order), np.empty(0, UID_DTYPE))

    def _demand_length(self, held: int) -> None:
        promised = self.n * UID_DTYPE.itemsize
        if held != promised:
            raise SubsetError(
                f"{self.path} is damaged: its header promises {self.n:,} uids "
                f"({promised:,} bytes), {held:,} bytes follow. Copy or make it again."
            )

    def _demand_order(self, block: UidArray, last: tuple[int, int], done: int) -> None:
        position = 0 if block[0].item() < last else first_descent(block)
        if position is not None:
            raise SubsetError(
                f"{self.path} is not sorted: entry {done + position:,} is below the one before "
                f"it. Sort it with: datacomp subset sort {self.path} -o sorted.npy"
            )


def read_facts(path: str | Path) -> SubsetFacts:
    """What a subset file of any size holds; as strict as `datacomp.subset.read_subset`."""
    tally = Tally()
    for block in SubsetFile(path).blocks(READ_AT_ONCE):
        tally.add(block)
    return tally.facts()


def write_blocks(
    path: str | Path, blocks: Iterable[UidArray], lock: Callable[[], Mapping[str, Any]]
) -> SubsetFacts:
    """Write sorted blocks as one subset file, each of lock and file atomically, the lock first.

    `lock` is asked for JSON-serialisable provenance when all blocks have come; `sha256`, `n` and
    `n_unique` are added to it.
    """
    path, tally = demand_output(Path(path)), Tally()
    with atomic_open(path) as file:
        _write_header(file, 0)
        for block in blocks:
            file.write(tally.add(block))
        # Room for the digits of any length is in every header, so that it does not grow.
        file.seek(0)
        _write_header(file, tally.n)
        facts = tally.facts()
        write_json(lock_path(path), {**lock(), **vars(facts)})
    return facts


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


def demand_output(path: Path) -> Path:
    """The path, if a subset can be written there, its folder made; else `SubsetError`.

    Asked before the work, so that an hour of it is not lost.
    """
    if path.suffix != ".npy":
        raise SubsetError(f"a subset file ends in .npy, got {path}")
    if path.is_dir():
        raise SubsetError(f"{path} is a folder, expected the name of a file to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise SubsetError(f"cannot write to {path.parent}: {error}. Name another file") from error
    return path


def lock_path(path: Path) -> Path:
    """Where the lock of a subset file stands."""
    return path.with_name(path.name + ".lock.json")


class Tally:
    """Counts and hashes sorted blocks as they go by; `facts` are theirs together."""

    def __init__(self) -> None:
        self.hashed, self.n, self.n_unique = hashlib.sha256(), 0, 0
        self.last: tuple[int, int] | None = None

    def add(self, block: UidArray) -> memoryview:
        """Count a block; its bytes."""
        data = np.ascontiguousarray(block).view(np.uint8).data
        if len(block):
            self.hashed.update(data)
            self.n += len(block)
            self.n_unique += count_runs(block) - (block[0].item() == self.last)
            self.last = block[-1].item()
        return data

    def facts(self) -> SubsetFacts:
        """What the blocks so far are."""
        return SubsetFacts(self.hashed.hexdigest(), self.n, self.n_unique)


def _write_header(file: IO[bytes], n: int) -> None:
    facts = {"descr": UID_DTYPE.descr, "fortran_order": False, "shape": (n,)}
    np.lib.format.write_array_header_1_0(file, facts)


def _read_header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        read, n_digits = {
            (1, 0): (np.lib.format.read_array_header_1_0, 2),
            (2, 0): (np.lib.format.read_array_header_2_0, 4),
        }[version]
        # numpy would read as much as it promises before it judges that
        if (length := int.from_bytes(file.read(n_digits), "little")) > LONGEST_HEADER:
            raise ValueError(f"its header has {length:,} bytes")
        file.seek(-n_digits, os.SEEK_CUR)
        shape, _, dtype = read(file)
    except _UNREADABLE as error:
        raise SubsetError(f"{path} is not a uid subset: not a .npy file ({error})") from error
    return shape, dtype


def _wrong_dtype(path: Path, dtype: np.dtype[Any]) -> str:
    kind = {"U": " (strings)", "S": " (bytes)", "O": " (pickled objects, never read)"}
    return (
        f"{path} is not a uid subset: dtype is {dtype.descr if dtype.names else dtype.str!r}"
        f"{kind.get(dtype.kind, '')}, expected {EXPECTED}, sorted. From hex uids: "
        "write_subset(Subset.from_uids(parse_uids(hex)), path, lock)"
    )
