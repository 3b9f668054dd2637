"""The local executor: parts computed in this process, or in a pool of processes.

Its port is small: work and tasks in, one outcome per task out, in any order.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from datacomp.errors import UsageError
from datacomp.filtering.contract import Filter, parameters
from datacomp.filtering.params import filter_from_params
from datacomp.filtering.registry import FILTERS, filter_class, load_plugin
from datacomp.filtering.spec import plugin_file, step_spec
from datacomp.filtering.store import ScoreStore, Task
from datacomp.filtering.work import Outcome, Work
from datacomp.pool import Pool, open_pool
from datacomp.processes import end_with_parent


@dataclass(frozen=True)
class Call:
    """Work as text, so that another process can take it up: it names the filter, not its code."""

    filter_name: str
    params: str
    step_index: int
    plugin: str | None
    pool_url: str
    store_dir: str


def run_tasks(
    chosen: Filter,
    step_index: int,
    pool: Pool,
    store: ScoreStore,
    tasks: Sequence[Task],
    workers: int,
) -> Iterator[Outcome]:
    """Compute the tasks of one step of a filter; with `workers` 1 in this process.

    More workers start as fresh processes, which find the filter by its name: `UsageError` if it is
    not registered.
    """
    if not tasks:
        return
    if workers == 1:
        step = chosen.steps()[step_index]
        work = Work(step, step_spec(step), pool, store)
        yield from (work.attempt(task) for task in tasks)
        return
    plugin = plugin_file(type(chosen))
    if chosen.name not in FILTERS or filter_class(chosen.name) is not type(chosen):
        raise UsageError(
            f"filter {chosen.name!r} is not registered, so other processes cannot find it. "
            "Register it, put it into a plugin file, or use workers=1"
        )
    yield from _in_processes(
        Call(
            filter_name=chosen.name,
            params=json.dumps(parameters(chosen)),
            step_index=step_index,
            plugin=str(plugin) if plugin else None,
            pool_url=pool.url,
            store_dir=str(store.root.resolve()),
        ),
        tasks,
        min(workers, len(tasks)),
    )


def _in_processes(call: Call, tasks: Sequence[Task], workers: int) -> Iterator[Outcome]:
    # spawn: a forked copy of a process with threads (Arrow, torch) may hang.
    context = get_context("spawn")
    waiting = dict.fromkeys(tasks)
    with ProcessPoolExecutor(workers, context, end_with_parent) as processes:
        try:
            futures = {processes.submit(_attempt, call, task): task for task in tasks}
            for future in as_completed(futures):
                outcome = future.result()
                del waiting[futures[future]]
                yield outcome
        except BrokenProcessPool:
            pass
        finally:
            processes.shutdown(cancel_futures=True)
    # A worker died and took the others' parts with it: one at a time, to find whose fault it was.
    for task in waiting:
        with ProcessPoolExecutor(1, context, end_with_parent) as process:
            try:
                yield process.submit(_attempt, call, task).result()
            except BrokenProcessPool:
                reason = "the worker process died while it computed this part (out of memory?)"
                yield Outcome(task.part, task.n_rows, reason)


def _attempt(call: Call, task: Task) -> Outcome:
    return _opened(call).attempt(task)


@lru_cache(maxsize=1)
def _opened(call: Call) -> Work:
    """Once per worker: find the filter, open the pool."""
    if call.plugin is not None:
        load_plugin(Path(call.plugin))
    chosen = filter_from_params(filter_class(call.filter_name), json.loads(call.params))
    step = chosen.steps()[call.step_index]
    store = ScoreStore(Path(call.store_dir))
    return Work(step, step_spec(step), open_pool(call.pool_url), store)
