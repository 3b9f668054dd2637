"""`metrics.jsonl`: one JSON object a line, appended and flushed; a restart cuts what it redoes."""

import json
from pathlib import Path
from typing import Any, Self

from datacomp.files import write_bytes

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


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a metrics log."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if _step(line) < _TORN]


def _step(line: str) -> int:
    """The step of a line; a line that a kill tore apart has none and counts as the future."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return _TORN
