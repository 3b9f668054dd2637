"""Run a command of foreign code in the sandbox, and see to its end."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from datacomp.worker.sandbox.bubblewrap import NOBODY, command, missing
from datacomp.worker.sandbox.outcome import GIB, KilledBy, Limits, Outcome, SandboxError
from datacomp.worker.sandbox.seccomp import program
from datacomp.worker.sandbox.streams import Log, Output, Stream
from datacomp.worker.sandbox.tree import children, held

LOOK_EVERY_SECONDS = 0.05
RESULT_FD = "DATACOMP_RESULT_FD"
"""The variable that names the descriptor to which the command writes its result."""
_ENTER = Path(__file__).with_name("enter.py")
_ENTER_THERE = "/in/enter.py"
_OPEN_FILES = 512
_RESERVED = 16 * GIB
_PASSWD = f"nobody:x:{NOBODY}:{NOBODY}:nobody:/tmp:/usr/sbin/nologin\n"


def run(
    words: Sequence[str],
    *,
    binds: Mapping[str, Path],
    environment: Mapping[str, str],
    limits: Limits,
    log: IO[bytes],
    output: Path,
    look: Callable[[float], None] | None = None,
) -> Outcome:
    """Run a command where it sees this Python, the system's libraries, and `binds`, read-only.

    `binds` maps places in the sandbox to files and folders out here; it may write to /tmp alone,
    which is gone after it. What it prints goes to `log`, what it writes to the descriptor that
    `RESULT_FD` names to `output`. `look` is called often with the seconds that passed; an
    exception that it raises ends the run. All processes have ended when this returns or raises.

    Raises `SandboxError` where the command was not reached.
    """
    if why := missing():
        raise SandboxError(f"there is no sandbox on this machine: {why}")
    start = time.monotonic()
    said, result = Log(log, limits.log_bytes), Output(output, limits.output_bytes)
    with _started(words, binds, environment, limits, said, result) as (process, ready):
        try:
            killed_by, peak = _watched(process, limits, result, look, start)
        finally:
            _end(process)
        entered = os.read(ready, 1)
    if not entered and killed_by is None:
        raise SandboxError(
            f"the sandbox could not be set up: bwrap ended with {process.returncode}; what it said "
            f"is at the end of the log"
        )
    code = process.returncode
    # bwrap says of a signal what a shell says.
    return Outcome(
        exit=128 - code if code > 128 else code,
        killed_by=killed_by or ("output" if result.overflowed else None),
        wall_seconds=time.monotonic() - start,
        peak_memory_bytes=peak,
        output_bytes=result.size,
    )


@contextmanager
def _started(
    words: Sequence[str],
    binds: Mapping[str, Path],
    environment: Mapping[str, str],
    limits: Limits,
    log: Log,
    output: Output,
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The process, and the descriptor that tells whether the command was reached."""
    said, say = os.pipe()
    result, give = os.pipe()
    ready, tell = os.pipe()
    fds = [give, tell, _holding(program()), _holding(_PASSWD.encode())]
    wrapped = command({**binds, _ENTER_THERE: _ENTER}, limits, fds[2], fds[3])
    enter = [sys.executable, "-I", "-S", _ENTER_THERE, str(tell), json.dumps(_rlimits(limits))]
    try:
        process = subprocess.Popen(
            [*wrapped, *enter, *words],
            stdin=subprocess.DEVNULL,
            stdout=say,
            stderr=say,
            pass_fds=fds,
            # Of its first process as well, whose environment the code can read.
            env={**_ENVIRONMENT, **environment, RESULT_FD: str(give)},
        )
    finally:
        for fd in (say, *fds):
            os.close(fd)
    streams = [Stream(said, log.keep), Stream(result, output.keep)]
    try:
        yield process, ready
    finally:
        os.close(ready)
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


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill all of it that is left, and wait until it is gone."""
    if process.poll() is None:
        # The first process of its namespace is gone only after every other one in there.
        firsts = []
        for pid in children(process.pid):
            with suppress(ProcessLookupError):
                firsts.append(os.pidfd_open(pid))
        process.kill()
        process.wait()
        for first in firsts:
            select.select([first], [], [])
            os.close(first)


_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "USER": "nobody",
    "LANG": "C.UTF-8",
}


def _rlimits(limits: Limits) -> dict[str, int]:
    return {
        "nproc": limits.processes,
        "nofile": _OPEN_FILES,
        "fsize": limits.scratch_bytes,
        # Of one process; allocators reserve gigabytes that they never touch. The watcher is exact,
        # this is for a machine on which it comes late.
        "data": limits.memory_bytes + _RESERVED,
        "core": 0,
        "memlock": 0,
    }


def _holding(data: bytes) -> int:
    """A descriptor from which a little data can be read."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return read
