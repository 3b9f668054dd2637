"""All that an unfinished run needs, in one safetensors file: three learners and the step."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save
from torch import Tensor

from datacomp.errors import TrainingError
from datacomp.files import write_bytes
from datacomp_filters.flyt.optimizer import Learner
from datacomp_filters.flyt.step import State

# One metadata key only: safetensors writes several in no fixed order.
_METADATA = "datacomp"
_LEARNERS = tuple(field.name for field in fields(State))
_TENSORS = ("values", "mean", "square")


def save_state(path: Path, state: State, step: int, record: dict[str, Any]) -> None:
    """Write the state after `step` steps, atomically; equal states give equal bytes."""
    tensors = {
        f"{name}/{part}": getattr(getattr(state, name), part).cpu().contiguous()
        for name in _LEARNERS
        for part in _TENSORS
    }
    metadata = json.dumps({"step": step, "run": record}, sort_keys=True)
    write_bytes(path, save(tensors, {_METADATA: metadata}))


def load_state(path: Path, record: dict[str, Any], device: str) -> tuple[State, int]:
    """What `save_state` wrote; `TrainingError` if it is unreadable or of another run."""
    try:
        with safetensors.safe_open(path, framework="pt", device=device) as file:
            metadata = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(
            f"{path} is not a readable checkpoint: {error}. Remove it to start again."
        ) from error
    _demand_same(path, metadata.get("run", {}), json.loads(json.dumps(record)))
    step = int(metadata["step"])
    learners = {name: _learner(tensors, name, step) for name in _LEARNERS}
    return State(**learners), step


def _learner(tensors: dict[str, Tensor], name: str, step: int) -> Learner:
    values, mean, square = (tensors[f"{name}/{part}"] for part in _TENSORS)
    return Learner(values, mean, square, step)


def _demand_same(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """`TrainingError` with all that differs."""
    different = [
        f"{part} {name} {found.get(part, {}).get(name)!r} there, {values.get(name)!r} here"
        for part, values in wanted.items()
        for name in sorted(values.keys() | found.get(part, {}).keys())
        if found.get(part, {}).get(name) != values.get(name)
    ]
    if different:
        raise TrainingError(
            f"{path} is of another run: {'; '.join(different[:5])}. Use an empty folder."
        )
