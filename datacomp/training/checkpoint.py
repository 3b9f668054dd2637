"""Checkpoints as safetensors: the weights of a finished run, and all that an unfinished one needs.

`weights.safetensors` holds the model alone, float32. `resume.safetensors` holds model, optimizer
moments and the step in one file, so that a kill leaves either the old state or the new one.
No pickle is written or read.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.errors import TrainingError, require
from datacomp.files import write_bytes

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.safetensors"
RESUME = "resume.safetensors"
# One metadata key only: safetensors writes several in no fixed order.
_METADATA = "datacomp"


def save_weights(path: Path, model: "torch.nn.Module", metadata: dict[str, Any]) -> None:
    """Write the model's tensors, atomically; equal tensors give equal bytes."""
    _save(path, _contiguous(model.state_dict()), metadata)


def load_weights(path: Path, model: "torch.nn.Module") -> None:
    """Load what `save_weights` wrote into `model`; `TrainingError` if the tensors do not fit."""
    tensors, _ = _load(path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise TrainingError(f"{path} does not fit the run's model: {error}") from error


def save_resume(
    path: Path, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer", state: dict[str, Any]
) -> None:
    """Write model, optimizer moments and `state` (JSON), atomically."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{name}": tensor for name, tensor in moments.items()}
    _save(path, _contiguous(tensors), state)


def load_resume(
    path: Path, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer"
) -> dict[str, Any]:
    """Restore what `save_resume` wrote; returns its `state`."""
    tensors, state = _load(path)
    model.load_state_dict(
        {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}
    )
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, number, key = name.split("/")
            moments.setdefault(int(number), {})[key] = _laid_out_as(parameters[int(number)], tensor)
    whole = optimizer.state_dict()
    optimizer.load_state_dict({"state": moments, "param_groups": whole["param_groups"]})
    return state


def _laid_out_as(parameter: "torch.Tensor", tensor: "torch.Tensor") -> "torch.Tensor":
    """`tensor` in the memory order of its parameter, as the fused optimizer takes for granted."""
    if tensor.shape != parameter.shape:
        return tensor
    return parameter.detach().clone().copy_(tensor)


def _contiguous(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _save(path: Path, tensors: dict[str, Any], metadata: dict[str, Any]) -> None:
    save = require("safetensors.torch", "train").save
    write_bytes(path, save(tensors, {_METADATA: json.dumps(metadata, sort_keys=True)}))


def _load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    safetensors = require("safetensors", "train")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{path} is not a readable safetensors file: {error}") from error
