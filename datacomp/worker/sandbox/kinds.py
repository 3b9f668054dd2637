"""The kinds of sandbox, the first one that works here is used."""

import platform
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from datacomp.worker.sandbox import bubblewrap, runc
from datacomp.worker.sandbox.outcome import SandboxError, Work
from datacomp.worker.sandbox.seccomp import supported


class Sandbox(Protocol):
    """One way to run foreign code under guard."""

    def missing(self) -> str | None:
        """Why it does not work on this machine, with the remedy; None if it does."""

    def started(
        self, work: Work, folder: Path, log_fd: int, result_fd: int
    ) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        """Start the work; all of it has ended, and its helpers too, when the context is left.

        Its output and that of what makes the sandbox goes to `log_fd`. To `result_fd` goes one
        byte when the command is reached, then its result. Both stay the caller's. `folder` is for
        files that are needed meanwhile.
        """


SANDBOXES: tuple[Sandbox, ...] = (bubblewrap, runc)


def missing() -> str | None:
    """Why there is no sandbox on this machine, with the remedy; None if there is one."""
    if sys.platform != "linux" or not supported():
        return f"foreign code is run on Linux, x86_64 or aarch64; this is {platform.platform()}"
    if not Path("/proc/thread-self/children").exists():
        return "this kernel does not tell a process's children (CONFIG_PROC_CHILDREN)"
    why = []
    for sandbox in SANDBOXES:
        if (lack := sandbox.missing()) is None:
            return None
        why.append(lack)
    return "; ".join(why)


def chosen() -> Sandbox:
    """The sandbox of this machine; `SandboxError` if there is none."""
    if why := missing():
        raise SandboxError(f"there is no sandbox on this machine: {why}")
    return next(sandbox for sandbox in SANDBOXES if sandbox.missing() is None)
