"""How far a task is: a line in its log every few seconds, and a file that the agent beats with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datacomp.files import write_json
from datacomp.progress import NoProgress, Progress, progress
from datacomp.worker.orders import PROGRESS

WRITE_EVERY_SECONDS = 5.0


class Telling:
    """Tells in `folder` how far the task there is; without one, nobody."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / PROGRESS if folder else None

    def stage(self, name: str) -> None:
        """Say what is being done, where nothing can be counted."""
        if self._path is not None:
            write_json(self._path, {"stage": name})

    @contextmanager
    def open_progress(
        self, title: str, total: int, *, done: int = 0, unit: str = "rows"
    ) -> Iterator[Progress]:
        """As `datacomp.progress.progress`, and into the file."""
        if self._path is None:
            yield NoProgress()
            return
        with progress(title, total, done=done, unit=unit) as lines:
            counted = _Counted(self._path, lines, title, total, done, unit)
            counted.write()
            yield counted


class _Counted:
    def __init__(
        self, path: Path, lines: Progress, title: str, total: int, done: int, unit: str
    ) -> None:
        self.path, self.lines, self.done = path, lines, done
        self.title, self.total, self.unit = title, total, unit
        self.written = 0.0

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done += n
        self.lines.advance(n, note)
        if time.monotonic() - self.written >= WRITE_EVERY_SECONDS:
            self.write()

    def write(self) -> None:
        self.written = time.monotonic()
        told = {"stage": self.title, "done": self.done, "total": self.total, "unit": self.unit}
        write_json(self.path, told)
