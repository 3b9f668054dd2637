"""Merging sorted uids: whole arrays in memory, or blocks that come one after another.

An operation is what a merge does with an entry that only the left side has, that both have, that
only the right side has. Entries are paired one by one, so that a union has every uid as often as
the side that has more of it, and an intersection as often as the side that has fewer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from datacomp.subset.uids import UID_DTYPE, UidArray, are_many, argsort_uids, starts_of_runs


@dataclass(frozen=True)
class Operation:
    """Which entries a merge keeps, and whether an entry that both have uses up the right one."""

    name: str
    left: bool
    both: bool
    right: bool
    pairs: bool


UNION = Operation("union", left=True, both=True, right=True, pairs=True)
INTERSECT = Operation("intersect", left=False, both=True, right=False, pairs=True)
MINUS = Operation("minus", left=True, both=False, right=False, pairs=False)
OPERATIONS = {operation.name: operation for operation in (UNION, INTERSECT, MINUS)}


def merged(a: UidArray, b: UidArray, operation: Operation) -> UidArray:
    """The sorted result of `operation` on two sorted arrays."""
    if not are_many(len(a) + len(b)):
        return _merged_few(a, b, operation)
    most = min(len(a), len(b)) if operation is INTERSECT else len(a)
    result = np.empty(most + (len(b) if operation.right else 0), UID_DTYPE)
    i, j, n = _merge(a, b, result, operation)
    for rest, kept in ((a[i:], operation.left), (b[j:], operation.right)):
        if kept:
            result[n : n + len(rest)] = rest
            n += len(rest)
    result.resize(n, refcheck=False)  # gives back what was never touched, in place
    return result


def merged_blocks(
    a: Iterator[UidArray], b: Iterator[UidArray], operation: Operation, size: int
) -> Iterator[UidArray]:
    """The result of `operation` on two sorted streams, block by block; uses both streams up.

    Holds `2 * size` uids; a block that is yielded is overwritten by the next one.
    """
    head_a, head_b = next(a, None), next(b, None)
    result = np.empty(2 * size, UID_DTYPE)
    while head_a is not None and head_b is not None:
        i, j, n = _merge(head_a[:size], head_b[:size], result, operation)
        if n:
            yield result[:n]
        head_a = head_a[i:] if i < len(head_a) else next(a, None)
        head_b = head_b[j:] if j < len(head_b) else next(b, None)
    yield from _rest(head_a, a, operation.left)
    yield from _rest(head_b, b, operation.right)


def _rest(head: UidArray | None, stream: Iterator[UidArray], kept: bool) -> Iterator[UidArray]:
    for block in chain([] if head is None else [head], stream):
        if kept:
            yield block


def _merge(
    a: UidArray, b: UidArray, result: UidArray, operation: Operation
) -> tuple[int, int, int]:
    from datacomp.subset import kernels

    return kernels.merge(
        a,
        b,
        result,
        left=operation.left,
        both=operation.both,
        right=operation.right,
        pairs=operation.pairs,
    )


def _merged_few(a: UidArray, b: UidArray, operation: Operation) -> UidArray:
    """The same by counting: every different uid of both, how often each side has it."""
    uids = np.concatenate([a, b])
    order = argsort_uids(uids)
    starts = starts_of_runs(uids[order])
    run = np.cumsum(starts) - 1
    is_a = order < len(a)
    n = int(np.count_nonzero(starts))
    in_a, in_b = np.bincount(run[is_a], minlength=n), np.bincount(run[~is_a], minlength=n)
    both = np.minimum(in_a, in_b) if operation.pairs else np.where(in_b > 0, in_a, 0)
    counts = operation.both * both + operation.left * (in_a - both)
    counts += operation.right * (in_b - np.minimum(in_a, in_b))
    return np.repeat(uids[order][starts], counts)
