"""Progress of long work: a bar with rate and ETA on a terminal, a line every few seconds elsewhere.

Goes to stderr, so that a command's result can be piped.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_EVERY_SECONDS = 10.0
_SHORT_NOTE, _OTHER_COLUMNS = 8, 48


class Progress(Protocol):
    """What long work tells: how far it came, and a short note (loss, file, task)."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Say that `n` more units are done."""


class NoProgress:
    """Tells nobody; the default of library functions."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Do nothing."""


class _Lines:
    def __init__(self, title: str, total: int, done: int, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done, self.first = done, done
        self.start = self.last = time.monotonic()

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done += n
        now = time.monotonic()
        if now - self.last < LINE_EVERY_SECONDS and (self.done < self.total or not n):
            return
        self.last = now
        rate = (self.done - self.first) / max(now - self.start, 1e-9)
        left = self.total - self.done
        eta = f"{left / rate:.0f} s" if rate > 0 else "unknown time" if left else "0 s"
        sys.stderr.write(
            f"{self.title}: {self.done:,}/{self.total:,} {self.unit}, {_number(rate)}/s, "
            f"{eta} left{'  ' + note if note else ''}\n"
        )
        sys.stderr.flush()


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


@contextmanager
def progress(title: str, total: int, *, done: int = 0, unit: str = "rows") -> Iterator[Progress]:
    """Show the progress of `total` units, of which `done` were done before."""
    if not sys.stderr.isatty():
        yield _Lines(title, total, done, unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar
    from rich.table import Column

    console = Console(stderr=True)
    room = max(_SHORT_NOTE, console.width - len(title) - 2 * len(str(total)) - _OTHER_COLUMNS)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn(
            "[dim]{task.fields[note]}",
            table_column=Column(no_wrap=True, overflow="ellipsis", max_width=room),
        ),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, completed=done, rate="", note="")
        start, first = time.monotonic(), done

        class _Bar:
            done = first

            def advance(self, n: int = 1, note: str = "") -> None:
                self.done += n
                rate = (self.done - first) / max(time.monotonic() - start, 1e-9)
                bar.update(task, advance=n, note=note, rate=f"{_number(rate)} {unit}/s")

        yield _Bar()
