"""Run a command of foreign code in the sandbox, and see to its end."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from datacomp.worker.sandbox.kinds import Sandbox, chosen
from datacomp.worker.sandbox.outcome import KilledBy, Limits, Outcome, SandboxError, Work
from datacomp.worker.sandbox.streams import Log, Output, Stream
from datacomp.worker.sandbox.tree import held

LOOK_EVERY_SECONDS = 0.05


def run(
    work: Work,
    *,
    log: IO[bytes],
    output: Path,
    look: Callable[[float], None] | None = None,
    sandbox: Sandbox | None = None,
) -> Outcome:
    """Run a command where it sees this Python, the system's libraries, and its binds, read-only.

    It may write to /tmp alone, which is gone after it. What it prints goes to `log`, what it writes
    to the descriptor that `RESULT_FD` names to `output`. `look` is called often with the seconds
    that passed; an exception that it raises ends the run. All processes have ended when this
    returns or raises. `sandbox` is by default the one that this machine has.

    Raises `SandboxError` where the command was not reached.
    """
    sandbox = sandbox or chosen()
    start = time.monotonic()
    said = Log(log, work.limits.log_bytes)
    result = Output(output, work.limits.output_bytes)
    with (
        _taken_in(said, result) as (log_fd, result_fd),
        sandbox.started(work, output.parent, log_fd, result_fd) as process,
    ):
        killed_by, peak = _watched(process, work.limits, result, look, start)
    if not result.reached and killed_by is None:
        raise SandboxError(
            f"the sandbox could not be set up: it ended with {process.returncode}; what it said "
            f"is at the end of the log"
        )
    code = process.returncode
    # What makes the sandbox says of a signal what a shell says.
    return Outcome(
        exit=128 - code if code > 128 else code,
        killed_by=killed_by or ("output" if result.overflowed else None),
        wall_seconds=time.monotonic() - start,
        peak_memory_bytes=peak,
        output_bytes=result.size,
    )


@contextmanager
def _taken_in(log: Log, output: Output) -> Iterator[tuple[int, int]]:
    """Descriptors that lead into both; all that came has been kept after it."""
    said, say = os.pipe()
    result, give = os.pipe()
    streams = [Stream(said, log.keep), Stream(result, output.keep)]
    try:
        yield say, give
    finally:
        os.close(say)
        os.close(give)
        for stream in streams:
            stream.join()
        log.close()
        output.close()


def _watched(
    process: "subprocess.Popen[bytes]",
    limits: Limits,
    output: Output,
    look: Callable[[float], None] | None,
    start: float,
) -> tuple[KilledBy | None, int]:
    """Wait for the end, or for a limit that is passed; the highest memory seen, in bytes."""
    peak = 0
    while True:
        try:
            process.wait(LOOK_EVERY_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        else:
            return None, peak
        passed = time.monotonic() - start
        if look is not None:
            look(passed)
        now = held(process.pid, limits.memory_bytes)
        peak = max(peak, now.memory_bytes)
        if now.memory_bytes > limits.memory_bytes:
            return "memory", peak
        if now.scratch_files > limits.scratch_files:
            return "files", peak
        if output.overflowed:
            return "output", peak
        if passed > limits.wall_seconds:
            return "time", peak
