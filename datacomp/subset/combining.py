"""Subset files made from subset files, block by block: what `datacomp subset` runs.

`max_memory` bounds the bytes of the blocks that are held; the result does not depend on it. Every
input is checked and hashed while it streams, and nothing is written if one is not fine.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path

import numpy as np

from datacomp.errors import UsageError
from datacomp.progress import NoProgress, Progress
from datacomp.subset.algebra import sample_size
from datacomp.subset.blocks import SubsetFacts, SubsetFile, Tally, demand_output, write_blocks
from datacomp.subset.external import UID_BYTES, SubsetSpool
from datacomp.subset.merging import INTERSECT, OPERATIONS, Operation, merged, merged_blocks
from datacomp.subset.provenance import operation_lock
from datacomp.subset.selectors import drawn_blocks
from datacomp.subset.uids import UID_DTYPE, UidArray, are_many

LEAST_MEMORY = 4 * 2**20
# Larger blocks are not faster.
MOST_IN_BLOCK = 2**20
# What drawing keeps of an entry meanwhile: the uid, its copy, its draw, and their scratch.
DRAW_BYTES = 128


def combine_files(
    operation: str,
    paths: Sequence[Path],
    output: Path,
    max_memory: int,
    progress: Progress | None = None,
) -> SubsetFacts:
    """The union, intersection or difference of subset files; `minus` takes all others from the
    first. `progress` advances by the entries of all files.
    """
    if len(paths) < 2:
        raise UsageError(f"{operation} takes two or more subset files, got {len(paths)}")
    _demand_memory(max_memory)
    demand_output(output)
    files = [SubsetFile(path) for path in paths]
    # A file holds one block; a merge of two holds what comes of a block of either.
    size = min(max_memory // (UID_BYTES * (3 * len(files) - 2)), MOST_IN_BLOCK)
    streams = [_told(file.blocks(size), progress) for file in files]
    blocks = _combined(OPERATIONS[operation], streams, sum(file.n for file in files), size)
    return write_blocks(output, blocks, lambda: operation_lock(operation, files, {}))


def sort_file(
    path: Path, output: Path, max_memory: int, progress: Progress | None = None
) -> SubsetFacts:
    """Sort a subset file that only lacks the order.

    What does not fit waits beside the output. `progress` advances by twice the entries.
    """
    _demand_memory(max_memory)
    demand_output(output)
    file = SubsetFile(path)
    size = min(max_memory // (8 * UID_BYTES), MOST_IN_BLOCK)
    spool = SubsetSpool(max_memory - size * UID_BYTES, output.parent)
    for block in _told(file.blocks(size, in_order=False), progress):
        spool.add(block)
    blocks = _told(spool.blocks(), progress)
    return write_blocks(output, blocks, lambda: operation_lock("sort", [file], {}))


def sample_file(
    path: Path,
    output: Path,
    max_memory: int,
    *,
    fraction: float | None = None,
    n: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> SubsetFacts:
    """Draw entries of a subset file: the same as `datacomp.subset.sample` draws.

    `progress` advances by three times the entries.
    """
    _demand_memory(max_memory)
    demand_output(output)
    file = SubsetFile(path)
    size = min(max_memory // DRAW_BYTES, MOST_IN_BLOCK)
    n_drawn = sample_size(file.n, fraction, n)
    blocks = drawn_blocks(lambda: _told(file.blocks(size), progress), n_drawn, seed)
    parameters = {"fraction": fraction, "n": n, "seed": seed}
    return write_blocks(output, blocks, lambda: operation_lock("sample", [file], parameters))


def shared_uids(a: Path, b: Path, max_memory: int) -> int:
    """How many different uids stand in both of two subset files; nothing is written."""
    _demand_memory(max_memory)
    files = [SubsetFile(a), SubsetFile(b)]
    size = min(max_memory // (4 * UID_BYTES), MOST_IN_BLOCK)
    streams = [file.blocks(size) for file in files]
    shared = Tally()
    for block in _combined(INTERSECT, streams, sum(file.n for file in files), size):
        shared.add(block)
    return shared.n_unique


def _demand_memory(max_memory: int) -> None:
    if max_memory < LEAST_MEMORY:
        raise UsageError(f"the memory limit is at least {LEAST_MEMORY:,} bytes, got {max_memory:,}")


def _combined(
    operation: Operation, streams: Sequence[Iterator[UidArray]], n: int, size: int
) -> Iterator[UidArray]:
    if not are_many(n):
        return iter([reduce(lambda a, b: merged(a, b, operation), map(_whole, streams))])
    return reduce(lambda a, b: merged_blocks(a, b, operation, size), streams)


def _whole(stream: Iterator[UidArray]) -> UidArray:
    return np.concatenate([np.empty(0, UID_DTYPE), *(block.copy() for block in stream)])


def _told(blocks: Iterator[UidArray], progress: Progress | None) -> Iterator[UidArray]:
    progress = progress or NoProgress()
    for block in blocks:
        yield block
        progress.advance(len(block))
