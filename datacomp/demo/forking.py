"""Runs a worker's tasks in processes that are forked from one which has imported torch.

Each is a process of its own, as with submitit, without the seconds that importing takes.
"""

import multiprocessing
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from datacomp.files import write_json
from datacomp.worker.executors import STARTED, LocalExecutor
from datacomp.worker.processes import ProcessId
from datacomp.worker.task import run_task

_IMPORTED = ["torch", "open_clip"]


@dataclass(frozen=True)
class ForkingExecutor(LocalExecutor):
    """Processes of this machine, for tasks without GPUs."""

    def start(self, folder: Path, slot: int) -> str:
        """Start a process; it lives on when the agent dies."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_IMPORTED)
        process = context.Process(target=_run, args=(str(folder),))
        process.start()
        assert process.pid is not None  # it was started
        started = ProcessId.of(process.pid)
        if started is not None:
            write_json(folder / STARTED, asdict(started))
        return f"pid {process.pid}"


def _run(folder: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the agent: it stops its tasks gently
    run_task(folder)
