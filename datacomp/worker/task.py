"""A task's own process: reads its order, does it, and leaves how it ended.

It holds its folder as long as it lives, so that of two processes with the same order one works.
SIGTERM asks it to stop: a training saves first, everything else stops where it is, since what it
did so far lies in files that the next attempt finds. It has no token and knows no service.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datacomp.errors import DatacompError, StoppedError, UnknownNameError
from datacomp.files import locked, sha256_file, write_json
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import (
    LOG,
    TASK,
    Made,
    Order,
    Output,
    Result,
    read_order,
    write_result,
)
from datacomp.worker.processes import ProcessId
from datacomp.worker.telling import Telling

EXIT_STOPPED = 75
_STOP = (signal.SIGTERM, signal.SIGUSR1)
_WARNING = signal.SIGUSR2  # submitit's, before a time limit
_LONGEST_DETAIL = 2000

Task = Callable[[Order, Path, Telling], Sequence[Made]]


class _BusyError(Exception):
    """Another process does this order."""


def run_task(folder: str) -> None:
    """Do the order in `folder`. Returns in any case but when it is killed."""
    place = Path(folder)
    _log_to(place / LOG)
    _join_group(read_order(place))
    if not _is_first():
        _outcome(place, Telling(None))
        return
    with suppress(_BusyError), locked(place, _BusyError()):
        write_json(place / TASK, asdict(ProcessId.own()) | {"slurm_job": _slurm_job()})
        result = _outcome(place, Telling(place))
        for number in (*_STOP, _WARNING):
            signal.signal(number, signal.SIG_IGN)
        write_result(place, result)


def task_of(kind: str) -> Task:
    """What does a job of that kind; only its own modules are loaded. `UnknownNameError`."""
    if kind == "train":
        from datacomp.worker.tasks.train import train

        return train
    if kind == "evaluate":
        from datacomp.worker.tasks.evaluate import evaluate

        return evaluate
    if kind == "filter":
        from datacomp.worker.tasks.filter import filter_pool

        return filter_pool
    raise UnknownNameError("kind of job", kind, ("train", "evaluate", "filter"))


def _outcome(place: Path, telling: Telling) -> Result:
    """Do the order; whatever is raised becomes an outcome."""
    _stop_at_signals()
    try:
        order = read_order(place)
        work = Path(order.work)
        work.mkdir(parents=True, exist_ok=True)
        outputs = [_output(made) for made in task_of(order.kind)(order, work, telling)]
    except UserFault as error:
        return _failed("user", f"{error.code}: {error}")
    except StoppedError as error:
        return Result("stopped", detail=str(error))
    except SystemExit:
        return Result("stopped", detail="stopped where it was; what is done is kept")
    except (DatacompError, OSError, MemoryError) as error:
        return _failed("infrastructure", str(error) or type(error).__name__)
    except Exception as error:  # a defect of ours; untold, the job would end without a reason
        traceback.print_exc()
        return _failed("infrastructure", f"{type(error).__name__}: {error}")
    return Result("succeeded", outputs=tuple(outputs))


def _failed(fault: Any, detail: str) -> Result:
    sys.stderr.write(f"{fault} fault: {detail}\n")
    return Result("failed", fault, detail[:_LONGEST_DETAIL])


def _output(made: Made) -> Output:
    size = made.path.stat().st_size
    return Output(made.role, str(made.path), sha256_file(made.path), size, made.facts)


def _stop_at_signals() -> None:
    """Until a training takes the signals over, and after it."""

    def stop(*_: object) -> None:
        sys.exit(EXIT_STOPPED)  # no Exception: an evaluation takes those for a failed task

    def pass_on(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    for number in _STOP:
        signal.signal(number, stop)
    signal.signal(_WARNING, pass_on)


def _log_to(path: Path) -> None:
    """From here on whatever this process and its children print goes there."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for number in (1, 2):
        os.dup2(handle, number)
    os.close(handle)


def _join_group(order: Order) -> None:
    """What torchrun would have set, where submitit started several processes on this machine."""
    count = os.environ.get("SUBMITIT_LOCAL_NTASKS", "1")
    if count == "1" or order.meeting_port is None:
        return
    os.environ.update(
        RANK=os.environ["SUBMITIT_LOCAL_GLOBALID"],
        LOCAL_RANK=os.environ["SUBMITIT_LOCAL_LOCALID"],
        WORLD_SIZE=count,
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(order.meeting_port),
    )


def _is_first() -> bool:
    from datacomp.training.devices import is_first_process

    return is_first_process()


def _slurm_job() -> str | None:
    return os.environ.get("SLURM_JOB_ID")
