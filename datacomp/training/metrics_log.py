"""`metrics.jsonl`: one JSON object a line, appended and flushed; a restart cuts what it redoes.

A run's lines are chained: `chain` is the sha256 of the chain before it and of the line's other
values. So no line can be changed, dropped or put in without changing the last chain, which the
run's record keeps. The first chain follows from what the run is, so that a log belongs to one run.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from datacomp.errors import TrainingError
from datacomp.files import sha256_json, write_bytes

LOG_EVERY_STEPS = 10
_TORN = 2**63


class MetricsLog:
    """Lines of `{"step": ..., ...}` in the order of steps; use as a context manager."""

    def __init__(self, path: Path, *, before_step: int) -> None:
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if _step(line) < before_step]
        write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
        self._file = path.open("a")

    def write(self, step: int, **values: Any) -> None:
        """Append a line for `step`."""
        self._file.write(json.dumps({"step": step, **values}, allow_nan=False) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class ChainedLog(MetricsLog):
    """A log whose lines are chained from `origin` on, the hash of what the run is.

    `head` is the last line's chain; `also` is given each line after it was written, without its
    chain. Raises `TrainingError`, and changes nothing, if the lines that would be kept are not a
    chain from there.
    """

    def __init__(
        self,
        path: Path,
        *,
        origin: str,
        before_step: int,
        also: Callable[[int, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self._also = also
        lines = path.read_text().splitlines() if path.exists() else []
        self.head = _follow(path, [line for line in lines if _step(line) < before_step], origin)
        super().__init__(path, before_step=before_step)

    def write(self, step: int, **values: Any) -> None:
        """Append a line for `step`, with its chain."""
        self.head = _next(self.head, {"step": step, **values})
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
    """All whole lines of a metrics log."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if _step(line) < _TORN]


def chain_head(path: Path, origin: str) -> str:
    """The last line's chain, or `origin`; `TrainingError` names a line that does not follow."""
    lines = path.read_text().splitlines() if path.exists() else []
    return _follow(path, lines, origin)


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


def _step(line: str) -> int:
    """The step of a line; a line that a kill tore apart has none and counts as the future."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return _TORN
