"""Collecting kept uids in any order and in bounded memory: sorted runs in a temporary file.

The uids are merged by rounds. Each run shows its next uids; what is not above the lowest of their
last ones can be followed by nothing lower that is still unread, so it is sorted and goes out. So
memory does not depend on how the uids are spread, nor on how often one is repeated.
"""

import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BufferedRandom
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from datacomp.errors import UsageError
from datacomp.subset.blocks import SubsetFacts, write_blocks
from datacomp.subset.subset import Subset
from datacomp.subset.uids import UID_DTYPE, UidArray, count_up_to, sort_in_place

UID_BYTES = UID_DTYPE.itemsize
# What sorting needs besides the uids and as much scratch: tables of the compiled sort.
TABLES = 2 * 2**20
# A run that shows fewer uids than this makes reading slow; so many runs are merged at a time.
LEAST_SHOWN = 1024
LEAST_MEMORY = 3 * 2**20
HIGHEST = (2**64 - 1, 2**64 - 1)


class SubsetSpool:
    """Kept uids, added in any order; then a subset, or its file, as often as wanted.

    `max_memory` bounds the bytes held here: the uids, the scratch of sorting them (as much again)
    and its tables, or what merging has in place of them. Memory is used as uids come, and not
    counted are the arrays that are given to `add` and what `subset` returns. Beyond the bound,
    sorted runs wait in a nameless file in `folder` (default: the system's temporary folder), which
    is gone with this object, or with the process. `UsageError` if `max_memory` is under 3 MiB.
    """

    def __init__(self, max_memory: int, folder: Path | None = None) -> None:
        if max_memory < LEAST_MEMORY:
            raise UsageError(
                f"to sort uids the memory limit is at least {LEAST_MEMORY:,} bytes, "
                f"got {max_memory:,}"
            )
        capacity = (max_memory - TABLES) // (2 * UID_BYTES)
        self._memory = np.empty(2 * capacity, UID_DTYPE)
        self._buffer, self._scratch = self._memory[:capacity], self._memory[capacity:]
        self._n_held = 0
        self._folder = folder
        self._runs: _Runs | None = None

    def add(self, uids: UidArray) -> None:
        """Take these uids in, in any order, as often as they come."""
        while len(uids):
            if self._n_held == len(self._buffer):
                self._spill()
            taken = uids[: len(self._buffer) - self._n_held]
            self._buffer[self._n_held : self._n_held + len(taken)] = taken
            self._n_held += len(taken)
            uids = uids[len(taken) :]

    def blocks(self) -> Iterator[UidArray]:
        """All uids in order; each block overwrites the one before."""
        if self._runs is None:
            held = self._buffer[: self._n_held]
            sort_in_place(held, self._scratch)
            return iter([held])
        if self._n_held:
            self._spill()
        self._runs = self._runs.fewer(self._memory)
        return self._runs.merged(self._memory)

    def subset(self) -> Subset:
        """Everything that was added, in memory."""
        blocks = [block.copy() for block in self.blocks()]
        return Subset(blocks[0] if len(blocks) == 1 else np.concatenate(blocks))

    def write(self, path: Path, lock: Mapping[str, Any]) -> SubsetFacts:
        """Write everything that was added as `datacomp.subset.write_subset` does."""
        return write_blocks(path, self.blocks(), lambda: lock)

    def _spill(self) -> None:
        held = self._buffer[: self._n_held]
        sort_in_place(held, self._scratch)
        self._runs = self._runs or _Runs(self._folder)
        self._runs.append(iter([held]))
        self._n_held = 0


class _Runs:
    """Sorted runs, one after another in a temporary file that has no name."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.file: BufferedRandom = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.bounds = [0]
        weakref.finalize(self, self.file.close)

    def append(self, blocks: Iterable[UidArray]) -> None:
        """Write one more run."""
        self.file.seek(self.bounds[-1] * UID_BYTES)
        for block in blocks:
            self.file.write(block.view(np.uint8).data)
        self.bounds.append(self.file.tell() // UID_BYTES)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def fewer(self, memory: UidArray) -> "_Runs":
        """The same uids in so few runs that each can show enough of itself in `memory`."""
        most = max(len(memory) // 3 // LEAST_SHOWN, 2)
        if len(self) <= most:
            return self
        longer = _Runs(self.folder)
        for first in range(0, len(self), most):
            longer.append(self._rounds(self.bounds[first : first + most + 1], memory))
        return longer.fewer(memory)

    def merged(self, memory: UidArray) -> Iterator[UidArray]:
        """All runs as one sorted stream, made in `memory`; each block overwrites the one before."""
        return self._rounds(self.bounds, memory)

    def _rounds(self, bounds: Sequence[int], memory: UidArray) -> Iterator[UidArray]:
        """Merge the runs between these bounds."""
        third = len(memory) // 3
        shown, out, scratch = memory[:third], memory[third : 2 * third], memory[2 * third :]
        slots = np.split(shown[: third - third % (len(bounds) - 1)], len(bounds) - 1)
        heads = [_Head(self.file, *run) for run in zip(slots, pairwise(bounds), strict=True)]
        while heads:
            for head in heads:
                head.fill()
            unread = [head.uids[-1].item() for head in heads if head.start < head.stop]
            limit = min(unread, default=HIGHEST)
            n = 0
            for head in heads:
                uids = head.take(limit)
                out[n : n + len(uids)] = uids
                n += len(uids)
            sort_in_place(out[:n], scratch)
            yield out[:n]
            heads = [head for head in heads if len(head.uids) or head.start < head.stop]


class _Head:
    """The next uids of one run: what is shown, in `slot`, and where the unread ones lie."""

    def __init__(self, file: BufferedRandom, slot: UidArray, run: tuple[int, int]) -> None:
        self.file, self.slot, (self.start, self.stop) = file, slot, run
        self.uids = slot[:0]

    def fill(self) -> None:
        """Show more, if half of the slot or less is left."""
        n_left = len(self.uids)
        if self.start == self.stop or n_left > len(self.slot) // 2:
            return
        self.slot[:n_left] = self.uids
        more = self.slot[n_left : n_left + self.stop - self.start]
        self.file.seek(self.start * UID_BYTES)
        self.file.readinto(more.view(np.uint8).data)
        self.uids = self.slot[: n_left + len(more)]
        self.start += len(more)

    def take(self, limit: tuple[int, int]) -> UidArray:
        """Remove the uids up to the limit, itself included."""
        n = count_up_to(self.uids, limit)
        taken, self.uids = self.uids[:n], self.uids[n:]
        return taken
