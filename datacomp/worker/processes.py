"""Processes told apart beyond their ids, which are used again: by when they started, since boot."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat behind the name


@dataclass(frozen=True)
class ProcessId:
    """One process of one machine; `started` is in clock ticks since `boot`."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The process that has this id now; None if it has ended, or is of another user's space."""
        fields = _stat(pid)
        if fields is None or fields[_STATE] in "ZX":
            return None
        return cls(pid, int(fields[_STARTED]), _BOOT.read_text().strip())

    @classmethod
    def own(cls) -> "ProcessId":
        """This process."""
        found = cls.of(os.getpid())
        assert found is not None, "this process runs"
        return found

    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing if it has ended."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
