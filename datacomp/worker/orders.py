"""What the agent and a task's process tell each other: JSON files in the attempt's folder.

    order.json      what to do
    task.json       which process does it
    progress.json   how far it is
    log.txt         what it printed
    result.json     how it ended; the last thing written

Nothing is pickled but the name of the function that reads the order, by submitit.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from datacomp.files import write_json

ORDER, TASK, PROGRESS, LOG, RESULT = (
    "order.json",
    "task.json",
    "progress.json",
    "log.txt",
    "result.json",
)


@dataclass(frozen=True)
class Order:
    """What a task is to do. `work` is a folder that later attempts of the job find as it is left.

    `inputs` are files by role, `pool` is the URL of the pool that the job names.
    """

    kind: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    work: str
    pool: str | None
    eval_data: str | None
    device: str
    decode_threads: int
    checkpoint_seconds: float
    byod: tuple[str, ...] | None = None
    """Whether addresses of teams may be followed, and to which networks that are not public."""
    meeting_port: int | None = None
    """Where the processes of this task meet, if it has several."""

    def input(self, role: str) -> Path:
        """The file of a role; `KeyError` if the job has none."""
        return Path(self.inputs[role])


@dataclass(frozen=True)
class Made:
    """A file that a task made, whole; `facts` are JSON values about it."""

    role: str
    path: Path
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """A file that a task made, by its content."""

    role: str
    path: str
    sha256: str
    size: int
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """How a task ended. `stopped`: it was asked to, and can go on from where it was."""

    outcome: Literal["succeeded", "failed", "stopped"]
    fault: Literal["user", "infrastructure"] | None = None
    detail: str | None = None
    outputs: tuple[Output, ...] = ()


def write_order(folder: Path, order: Order) -> None:
    """Write `order.json`."""
    write_json(folder / ORDER, asdict(order))


def read_order(folder: Path) -> Order:
    """Read what `write_order` wrote."""
    return Order(**json.loads((folder / ORDER).read_text()))


def write_result(folder: Path, result: Result) -> None:
    """Write `result.json`."""
    write_json(folder / RESULT, asdict(result))


def read_result(folder: Path) -> Result | None:
    """How the task ended; None if it did not, or was killed."""
    value = read_json(folder / RESULT)
    if value is None:
        return None
    outputs = tuple(Output(**one) for one in value.pop("outputs"))
    return Result(**value, outputs=outputs)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None if the file is not there."""
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return value
