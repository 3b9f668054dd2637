"""The processes that fetch shards: one shard a process, no more at once than asked for.

A process that dies costs its shard, which another tries once more; the others go on. The processes
end with the one that started them. They are forked from a server that has imported img2dataset
once, which takes seconds.
"""

import io
import multiprocessing
import os
import traceback
import urllib.request
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from datacomp.pool.download.plan import ShardTask
from datacomp.pool.download.reach import guarded_opener
from datacomp.pool.download.shard import ShardWork, fetch_shard
from datacomp.processes import end_with_parent

FAILURES_IN_A_ROW = 5
_PRELOAD = ["datacomp.pool.download.imports", "datacomp.pool.download.shard"]


@dataclass(frozen=True)
class Told:
    """What came of a shard: rows tried and succeeded so far; `error` and `done` when it ended."""

    task: ShardTask
    tried: int = 0
    succeeded: int = 0
    done: bool = False
    error: str | None = None


def fetch_shards(work: ShardWork, tasks: Iterable[ShardTask]) -> Generator[Told, None, None]:
    """Fetch shards, telling as they come along; a shard that fails twice is told with its error.

    After several failures in a row the rest is not tried: the disk may be full, or the network
    gone. Closing the iterator ends the processes.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    waiting, errors = deque(tasks), dict[int, str]()
    running: dict[Connection, tuple[ForkServerProcess, ShardTask]] = {}
    in_a_row = 0
    try:
        while running or (waiting and in_a_row < FAILURES_IN_A_ROW):
            while waiting and len(running) < work.crawl.processes and in_a_row < FAILURES_IN_A_ROW:
                task = waiting.popleft()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(work, task, theirs), daemon=True)
                process.start()
                theirs.close()
                running[ours] = (process, task)
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                process, task = running[ready]
                told = _receive(ready, process, task, work)
                if told.done or told.error:
                    running.pop(ready)
                    ready.close()
                    process.join()
                if told.error:
                    in_a_row += 1
                    if task.number not in errors:
                        waiting.append(task)
                        errors[task.number], told = told.error, Told(task)
                elif told.done:
                    in_a_row = 0
                yield told
        for task in waiting:
            if task.number in errors:
                yield Told(task, error=errors[task.number])
    finally:
        for process, _ in running.values():
            process.kill()
        for process, _ in running.values():
            process.join()


def _receive(
    connection: Connection, process: ForkServerProcess, task: ShardTask, work: ShardWork
) -> Told:
    try:
        told = connection.recv()
        assert isinstance(told, Told)
        return told
    except (EOFError, ConnectionError):
        process.join()
        last = _last_lines(work.staging / f"{task.name}.log")
        return Told(task, error=f"its process died, exit code {process.exitcode}{last}")


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return f"; last it said: {' / '.join(lines[-2:])}" if lines else ""


def _work(work: ShardWork, task: ShardTask, connection: Connection) -> None:
    """In the process: fetch one shard; what img2dataset prints goes to a log beside the shard."""
    end_with_parent()
    log = work.staging / f"{task.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)

    def tell(counts: tuple[int, int]) -> None:
        connection.send(Told(task, *counts))

    try:
        if work.crawl.reach is not None:
            # For all of this process, which ends with the shard: img2dataset calls urlopen.
            urllib.request.install_opener(guarded_opener(work.crawl.reach))
        fetch_shard(work, task, tell)
    except Exception as error:  # whatever it is, it is told; the caller decides
        text = io.StringIO()
        traceback.print_exception(error, file=text)
        os.write(2, text.getvalue().encode())
        connection.send(Told(task, error=f"{type(error).__name__}: {error}"))
    else:
        log.unlink()
        connection.send(Told(task, done=True))
