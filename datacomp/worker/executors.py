"""Where tasks run: processes of this machine, or jobs of a SLURM cluster; started by submitit.

Only starting is submitit's: its result files are pickles, and its local jobs forget their process
when the agent restarts. How a task is and how it ended stand in the attempt's folder (`orders`).
"""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from datacomp.errors import UsageError, require
from datacomp.files import write_json
from datacomp.worker.orders import RESULT, TASK, read_json
from datacomp.worker.processes import ProcessId
from datacomp.worker.task import run_task

STARTED = "started.json"
SUBMITIT = "submitit"
_MONTH_MINUTES = 31 * 24 * 60
_SLURM_ENDED = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "TIMEOUT",
)


class Executor(Protocol):
    """Starts the order in an attempt's folder, and sees to its process, also after a restart."""

    @property
    def look_seconds(self) -> float:
        """How often to look after it."""

    def start(self, folder: Path, slot: int) -> str:
        """Start it; a few words on where it runs. `slot` counts the tasks that run side by side."""

    def is_running(self, folder: Path) -> bool:
        """Whether something still works on the order, or soon will."""

    def stop(self, folder: Path) -> None:
        """Ask it to save and end."""

    def kill(self, folder: Path) -> None:
        """End it at once."""


@dataclass(frozen=True)
class LocalExecutor:
    """Processes of this machine, one for each GPU that a job gets.

    `gpus` are the numbers of the GPUs that this worker has; each of `jobs` slots gets a share.
    """

    jobs: int = 1
    gpus: tuple[int, ...] = ()
    look_seconds: float = 1.0
    _children: dict[Path, Any] = field(default_factory=dict, compare=False)

    def start(self, folder: Path, slot: int) -> str:
        """Start a process; it lives on when the agent dies."""
        executor = require("submitit", "worker").LocalExecutor(folder / SUBMITIT)
        share = len(self.gpus) // self.jobs
        mine = self.gpus[slot * share : (slot + 1) * share]
        executor.update_parameters(
            timeout_min=_MONTH_MINUTES,
            tasks_per_node=max(1, share),
            gpus_per_node=len(mine),
            visible_gpus=mine,
            stderr_to_stdout=True,
        )
        with _not_of_this_terminal():
            job = executor.submit(run_task, str(folder))
        self._children[folder] = job
        started = ProcessId.of(int(job.job_id))
        if started is not None:
            write_json(folder / STARTED, asdict(started))
        return f"pid {job.job_id}"

    def is_running(self, folder: Path) -> bool:
        """Whether its process lives, or the one that is to start it."""
        alive = any(process.is_alive() for process in _processes(folder))
        if not alive and (child := self._children.pop(folder, None)) is not None:
            child.done()  # asking takes the ended process off the system
        return alive

    def stop(self, folder: Path) -> None:
        """SIGTERM, to the task or to what is about to start it."""
        alive = (process for process in _processes(folder) if process.is_alive())
        if (first := next(alive, None)) is not None:
            first.send(signal.SIGTERM)

    def kill(self, folder: Path) -> None:
        """SIGKILL."""
        for process in _processes(folder):
            process.send(signal.SIGKILL)


@dataclass(frozen=True)
class SlurmExecutor:
    """Jobs of a SLURM cluster; `parameters` are submitit's, and the folder is on a shared disk."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    look_seconds: float = 15.0  # a question to the cluster's accounting each time

    def __post_init__(self) -> None:
        missing = [
            name for name in ("sbatch", "srun", "scancel", "sacct") if not shutil.which(name)
        ]
        if missing:
            raise UsageError(f"--executor slurm needs {', '.join(missing)}, not found on PATH")

    def start(self, folder: Path, slot: int) -> str:
        """Submit a job."""
        executor = require("submitit", "worker").AutoExecutor(folder / SUBMITIT, cluster="slurm")
        executor.update_parameters(stderr_to_stdout=True, **self.parameters)
        job = executor.submit(run_task, str(folder))
        write_json(folder / STARTED, {"slurm_job": job.job_id})
        return f"SLURM job {job.job_id}"

    def is_running(self, folder: Path) -> bool:
        """Whether SLURM has not ended its job."""
        job = self._job(folder)
        if job is None or (folder / RESULT).exists():
            return False
        told = subprocess.run(
            ["sacct", "-n", "-X", "-P", "-o", "State", "-j", job],
            capture_output=True,
            text=True,
            check=False,
        )
        state = told.stdout.split()
        # Right after sbatch, and while the accounting is away, nothing is known of it.
        return not state or state[0].rstrip("+") not in _SLURM_ENDED

    def stop(self, folder: Path) -> None:
        """SIGTERM to its processes; a job that waits is taken out of the line."""
        if job := self._job(folder):
            subprocess.run(["scancel", "--state=PENDING", job], check=False, capture_output=True)
            subprocess.run(["scancel", "--signal=TERM", job], check=False, capture_output=True)

    def kill(self, folder: Path) -> None:
        """Cancel the job."""
        if job := self._job(folder):
            subprocess.run(["scancel", job], check=False, capture_output=True)

    def _job(self, folder: Path) -> str | None:
        for name in (STARTED, TASK):
            if (told := read_json(folder / name)) and told.get("slurm_job"):
                return str(told["slurm_job"])
        return None


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processes(folder: Path) -> list[ProcessId]:
    """The task's own process first, then submitit's that watches over it."""
    told = (read_json(folder / name) for name in (TASK, STARTED))
    names = ProcessId.__dataclass_fields__
    return [ProcessId(**{name: one[name] for name in names}) for one in told if one]


@contextmanager
def _not_of_this_terminal() -> Iterator[None]:
    """What starts meanwhile does not hear ^C, which is for the agent: it stops its tasks gently."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # children inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
