"""Executors: where jobs run. The port, and the local one: this process, or a pool of processes.

The port is small: a filter on a pool and jobs in, one outcome per job and step out, in any order.
Whoever runs a job writes its results into the score store and sends back the outcome alone.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, Protocol

from datacomp.errors import UsageError, require
from datacomp.filtering.contract import Filter
from datacomp.filtering.registry import load_plugin
from datacomp.filtering.spec import Specs, producers
from datacomp.filtering.store import ScoreStore
from datacomp.filtering.tree import from_tree, plugin_files, to_tree
from datacomp.filtering.work import Job, Outcome, Work
from datacomp.pool import Pool, open_pool
from datacomp.processes import end_with_parent


class Executor(Protocol):
    """Runs jobs; where and with how many workers never changes a result."""

    @property
    def gpus_per_worker(self) -> float:
        """GPUs that each worker has; 0 is none."""

    def run(
        self, chosen: Filter, pool: Pool, store: ScoreStore, jobs: Sequence[Job]
    ) -> Iterator[Outcome]:
        """Compute the jobs; one outcome for every step of each, in any order."""


@dataclass(frozen=True)
class Call:
    """Work as text, so that another process can take it up: it names filters, not their code."""

    tree: str
    plugins: tuple[str, ...]
    pool_url: str
    store_dir: str


def call_for(chosen: Filter, pool: Pool, store: ScoreStore) -> Call:
    """Describe the work to others; `UsageError` for a filter that is not registered."""
    return Call(
        tree=json.dumps(to_tree(chosen)),
        plugins=tuple(str(path) for path in plugin_files(chosen)),
        pool_url=pool.url,
        store_dir=str(store.root.resolve()),
    )


def work_here(chosen: Filter, pool: Pool, store: ScoreStore, device: str) -> Work:
    """The work in this process."""
    steps, specs = producers(chosen).steps, Specs()
    return Work(steps, tuple(specs.step(step) for step in steps), pool, store, device)


@lru_cache(maxsize=1)
def open_work(call: Call, device: str) -> Work:
    """Take up described work: once per worker, find the filter and open the pool."""
    for plugin in call.plugins:
        load_plugin(Path(plugin))
    chosen = from_tree(json.loads(call.tree))
    return work_here(chosen, open_pool(call.pool_url), ScoreStore(Path(call.store_dir)), device)


@dataclass(frozen=True)
class LocalExecutor:
    """This machine: one worker is this process, more are fresh processes that end with it.

    With `gpus_per_worker` every worker sees so many of the machine's GPUs, or, below 1, shares one.
    """

    workers: int = 1
    gpus_per_worker: float = 0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers is 1 or more, got {self.workers}")
        if self.gpus_per_worker < 0:
            raise UsageError(f"gpus_per_worker is 0 or more, got {self.gpus_per_worker}")

    def run(
        self, chosen: Filter, pool: Pool, store: ScoreStore, jobs: Sequence[Job]
    ) -> Iterator[Outcome]:
        """Compute the jobs. A worker that dies fails the one part that killed it."""
        if not jobs:
            return
        shares = gpu_shares(visible_gpus(), self.workers, self.gpus_per_worker)
        device = "cuda" if self.gpus_per_worker else "cpu"
        if self.workers == 1:
            work = work_here(chosen, pool, store, device)
            for job in jobs:
                yield from work.attempt(job)
            return
        call = call_for(chosen, pool, store)
        yield from _in_processes(call, device, jobs, shares[: len(jobs)])


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return tuple(name.strip() for name in named.split(",") if name.strip())
    try:
        torch = require("torch", "train")
    except Exception:
        return ()
    return tuple(str(index) for index in range(torch.cuda.device_count()))


def gpu_shares(gpus: Sequence[str], workers: int, gpus_per_worker: float) -> tuple[str | None, ...]:
    """CUDA_VISIBLE_DEVICES of each worker; None leaves it alone. `UsageError` if GPUs are short."""
    if not gpus_per_worker:
        return (None,) * workers
    if gpus_per_worker > 1 and gpus_per_worker != int(gpus_per_worker):
        raise UsageError(f"gpus_per_worker above 1 is a whole number, got {gpus_per_worker}")
    whole = max(int(gpus_per_worker), 1)
    sharing = 1 if gpus_per_worker >= 1 else int(1 / gpus_per_worker)
    room = len(gpus) // whole * sharing
    if room < workers:
        raise UsageError(
            f"{workers} workers with {gpus_per_worker:g} GPUs each need more than the "
            f"{len(gpus)} that are here; room is for {room}"
        )
    firsts = [worker // sharing * whole for worker in range(workers)]
    return tuple(",".join(gpus[first : first + whole]) for first in firsts)


def _in_processes(
    call: Call, device: str, jobs: Sequence[Job], shares: Sequence[str | None]
) -> Iterator[Outcome]:
    # spawn: a forked copy of a process with threads (Arrow, torch) may hang.
    context = get_context("spawn")
    waiting = dict.fromkeys(jobs)
    numbers = context.Value("i", 0)
    start = (_start_worker, (numbers, tuple(shares)))
    others = set(active_children())
    with ProcessPoolExecutor(len(shares), context, *start) as processes:
        try:
            futures = {processes.submit(_attempt, call, device, job): job for job in jobs}
            for future in as_completed(futures):
                outcomes = future.result()
                del waiting[futures[future]]
                yield from outcomes
        except BrokenProcessPool:
            pass
        except BaseException:
            # ^C may have reached this process alone, and a part may take hours.
            for worker in set(active_children()) - others:
                worker.terminate()
            raise
        finally:
            processes.shutdown(cancel_futures=True)
    # A worker died and took the others' parts with it: one at a time, to find whose fault it was.
    for job in waiting:
        numbers.value = 0
        with ProcessPoolExecutor(1, context, *start) as process:
            try:
                yield from process.submit(_attempt, call, device, job).result()
            except BrokenProcessPool:
                reason = "the worker process died while it computed this part (out of memory?)"
                yield from failed(job, reason)


def failed(job: Job, reason: str) -> list[Outcome]:
    """The outcomes of a job that failed as a whole."""
    return [Outcome(job.part, index, task.n_rows, reason) for index, task in job.tasks]


def _start_worker(numbers: Any, shares: tuple[str | None, ...]) -> None:
    with numbers.get_lock():
        number, numbers.value = numbers.value, numbers.value + 1
    # What steps print is no result.
    sys.stdout = sys.stderr
    if (share := shares[number % len(shares)]) is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = share
    end_with_parent()


def _attempt(call: Call, device: str, job: Job) -> list[Outcome]:
    return open_work(call, device).attempt(job)
