"""The tasks of a plan, and running them: in this process, or in fresh ones that end with it."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from datacomp.errors import DatacompError, ShardsError
from datacomp.processes import end_with_parent
from datacomp.shards.options import FaceOptions
from datacomp.shards.plan import Plan
from datacomp.shards.writer import ShardRecord, ShardTask, write_shard
from datacomp.subset import format_uids

# Fewer samples are renamed in Python before numba is loaded.
COMPILED_FROM = 5_000


@dataclass(frozen=True)
class Failure:
    """An output shard that was not written, and why."""

    number: int
    error: DatacompError


@dataclass(frozen=True, eq=False)
class TaskMaker:
    """Makes the task of an output shard; `faces` are those of the whole plan."""

    plan: Plan
    out: Path
    face_options: FaceOptions | None
    faces: Mapping[str, Any]
    skip_broken: bool
    sha256: bool

    def task(self, number: int) -> ShardTask:
        """The task of one output shard."""
        index = self.plan.index
        positions, copies = self.plan.samples_of(number)
        rows, uids = index.samples[positions], index.uids[positions]
        used, shards = np.unique(rows["shard"], return_inverse=True)
        names = set(format_uids(uids)) & self.faces.keys() if self.faces else ()
        return ShardTask(
            number=number,
            out=self.out,
            folder=self.plan.pool.folder,
            names=tuple(index.shards[shard] for shard in used.tolist()),
            shards=shards.astype(np.int64),
            offsets=rows["span_offset"].astype(np.int64),
            sizes=rows["span_size"].astype(np.int64),
            keys=index.keys[positions],
            uids=uids,
            copies=copies,
            compiled=self.plan.n_entries >= COMPILED_FROM,
            face_options=self.face_options,
            faces={uid: self.faces[uid] for uid in names},
            skip_broken=self.skip_broken,
            sha256=self.sha256,
        )


def run_tasks(
    maker: TaskMaker, numbers: Sequence[int], workers: int
) -> Iterator[ShardRecord | Failure]:
    """Write the output shards of these numbers; each yields what became of it, in any order.

    `ShardsError` if a process dies; what was yielded stays written.
    """
    workers = min(workers, len(numbers))
    if workers <= 1:
        for number in numbers:
            yield _attempt(maker.task(number))
        return
    context = get_context("spawn")  # forked processes would inherit the locks of lost threads
    with ProcessPoolExecutor(workers, context, end_with_parent) as processes:
        running: set[Future[ShardRecord | Failure]] = set()
        todo = iter(numbers)
        try:
            while True:
                for number in todo:
                    running.add(processes.submit(_attempt, maker.task(number)))
                    if len(running) >= 2 * workers:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise ShardsError(
                "a worker process was killed, maybe for want of memory. Finished shards are kept: "
                "run the same command again, or with fewer --workers."
            ) from error
        finally:
            processes.shutdown(cancel_futures=True)


def _attempt(task: ShardTask) -> ShardRecord | Failure:
    try:
        return write_shard(task)
    except DatacompError as error:
        return Failure(task.number, error)
    except OSError as error:
        text = f"cannot be written: {error}"
        return Failure(task.number, ShardsError(f"{task.out}, shard {task.number}: {text}"))
