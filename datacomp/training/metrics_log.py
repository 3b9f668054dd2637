"""`metrics.jsonl`: one JSON object a line, appended and flushed; a restart cuts what it redoes.

A run's lines are chained: `chain` is the sha256 of the chain before it and of the line's other
values. So no line can be changed, dropped or put in without changing the last chain, which the
run's record keeps. The first chain follows from what the run is, so that a log belongs to one run.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from datacomp.errors import TrainingError
from datacomp.files import canonical_json, sha256_json, write_bytes

LOG_EVERY_STEPS = 10
_TORN = 2**63


class MetricsLog:
    """Lines of `{"step": ..., ...}` in the order of steps; use as a context manager."""

    def __init__(self, path: Path, *, before_step: int) -> None:
        kept = [line for line in _lines(path) if _step(line) < before_step]
        write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
        self._file = path.open("a")

    def write(self, step: int, **values: Any) -> None:
        """Append a line for `step`."""
        self._file.write(json.dumps({"step": step, **values}, allow_nan=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())  # Before the state that counts on it.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class ChainedLog(MetricsLog):
    """A log whose lines are chained from `origin` on, the hash of what the run is.

    `head` is the last line's chain; `also` is given each line after it was written, without its
    chain. Raises `TrainingError`, and changes nothing, if the lines that would be kept are not a
    chain from there, to `head` if it is given.
    """

    def __init__(
        self,
        path: Path,
        *,
        origin: str,
        before_step: int,
        head: str | None = None,
        also: Callable[[int, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self._also = also
        kept = [line for line in _lines(path) if _step(line) < before_step]
        self.head = _follow(path, kept, origin)
        if head not in (None, self.head):
            raise TrainingError(
                f"{path} lacks lines before step {before_step}: it ends with chain {self.head}, "
                f"the last state was saved with {head}. Put the log back, or remove the folder and "
                "train again."
            )
        super().__init__(path, before_step=before_step)

    def write(self, step: int, **values: Any) -> None:
        """Append a line for `step`, with its chain; `TrainingError` if a value is not finite."""
        try:
            self.head = _next(self.head, {"step": step, **values})
        except ValueError as error:
            raise TrainingError(f"after step {step + 1} not all is finite: {values}") from error
        super().write(step, **values, chain=self.head)
        if self._also:
            self._also(step, values)


class NoLog:
    """What the processes after the first write: nothing."""

    head = ""

    def write(self, step: int, **values: Any) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""


def is_logged(step: int, steps: int) -> bool:
    """Whether a run of so many steps writes a line for this one: every tenth, and the last."""
    return (step + 1) % LOG_EVERY_STEPS == 0 or step + 1 == steps


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a metrics log; other text, and lines with NaN, are left out."""
    return [json.loads(line) for line in _lines(path) if _step(line) < _TORN]


def chain_head(path: Path, origin: str) -> str:
    """The last line's chain, or `origin`; `TrainingError` names a line that does not follow."""
    return _follow(path, _lines(path), origin)


def _follow(path: Path, lines: list[str], origin: str) -> str:
    head = origin
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
            stated = line.pop("chain", None)
            head = _next(head, line)
        except (ValueError, AttributeError, TypeError):
            raise TrainingError(f"{path}:{number} is not a JSON object: {text[:80]!r}") from None
        if stated != head:
            raise TrainingError(
                f"{path}:{number} does not follow from the lines above it: its chain is {stated}, "
                f"expected {head}. A line was changed, dropped or added, or it is another run's log"
            )
    return head


def _next(head: str, line: dict[str, Any]) -> str:
    return sha256_json([head, line])


def count_lines(path: Path) -> int:
    """Lines of a metrics log, whole or not."""
    return len(_lines(path))


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.is_file() else []


def _step(line: str) -> int:
    """The step of a line; a line that a kill tore apart has none and counts as the future."""
    try:
        values = json.loads(line)
        canonical_json(values)  # No NaN.
        step = values["step"]
    except (ValueError, KeyError, TypeError):
        return _TORN
    return step if isinstance(step, int) else _TORN
