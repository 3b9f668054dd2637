"""Threads that fill batches: each decodes a few rows at a time, straight into the batch's array."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

# More rows would leave threads without work at the end of a batch; one by one, handing them out
# costs as much as decoding a small picture.
ROWS_A_TASK, TASKS_A_THREAD = 16, 4
PREFETCHED_BATCHES = 2
LOWEST_PRIORITY = 19

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """`pixels` (b, s, s, 3) uint8 and their b captions."""

    pixels: npt.NDArray[np.uint8]
    captions: tuple[str, ...]


ReadRow = Callable[[int], tuple[npt.NDArray[np.uint8], str]]
"""Crop (s, s, 3) and caption of a row, by its number in the batch; called in any thread."""


@dataclass(frozen=True, eq=False)
class Filling:
    """A batch that threads are working on."""

    pixels: npt.NDArray[np.uint8]
    captions: list[str]
    tasks: tuple[Future[None], ...]

    def wait(self) -> Batch:
        """The batch; raises what the first of its rows that failed raised."""
        for task in self.tasks:
            task.result()
        return Batch(self.pixels, tuple(self.captions))


@dataclass(frozen=True)
class Decoders:
    """So many threads."""

    pool: ThreadPoolExecutor
    threads: int

    def fill(self, rows: int, size: int, read: ReadRow) -> Filling:
        """Begin a batch of `rows` pictures of side `size`."""
        pixels = np.empty((rows, size, size, 3), np.uint8)
        captions = [""] * rows
        step = max(1, min(ROWS_A_TASK, rows // (TASKS_A_THREAD * self.threads)))

        def work(first: int) -> None:
            for row in range(first, min(first + step, rows)):
                pixels[row], captions[row] = read(row)

        tasks = tuple(self.pool.submit(work, first) for first in range(0, rows, step))
        return Filling(pixels, captions, tasks)


@contextmanager
def thread_pool(n: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that, when they are left, finish what they have begun and no more."""
    pool = ThreadPoolExecutor(n, thread_name_prefix=name, initializer=_give_way)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _give_way() -> None:
    """Where there is one core, let the computation go first: other processes wait for its messages,
    many times a step, and batches are wanted once."""
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) == 1:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def ahead(items: Iterable[T], n: int) -> Iterator[T]:
    """The items, the next `n` of which have been made already."""
    made: deque[T] = deque()
    for item in items:
        made.append(item)
        if len(made) > n:
            yield made.popleft()
    yield from made
