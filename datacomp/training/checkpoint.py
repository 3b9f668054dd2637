"""Checkpoints as safetensors: the weights of a finished run, and all that an unfinished one needs.

`weights.safetensors` holds the model alone, float32. `resume.safetensors` holds model, optimizer
moments and the step in one file, so that a kill leaves either the old state or the new one.
No pickle is written or read.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.errors import TrainingError, require
from datacomp.files import atomic_path, sha256_file

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.safetensors"
RESUME = "resume.safetensors"
# One metadata key only: safetensors writes several in no fixed order.
_METADATA = "datacomp"
_TRAIN_AGAIN = "Remove the folder and train again."


def save_weights(path: Path, model: "torch.nn.Module", metadata: dict[str, Any]) -> str:
    """Write the model's tensors, atomically; equal tensors give equal bytes. Returns the sha256."""
    return write_tensors(path, _copied(model.state_dict()), metadata)


def load_weights(path: Path, model: "torch.nn.Module") -> None:
    """Load what `save_weights` wrote into `model`; `TrainingError` if the tensors do not fit."""
    tensors, _ = _load(path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise TrainingError(f"{path} does not fit the run's model: {error}") from error


def copy_state(
    model: "torch.nn.Module", optimizer: "torch.optim.Optimizer"
) -> tuple[dict[str, "torch.Tensor"], dict[str, "torch.Tensor"]]:
    """The model's tensors and the optimizer's moments in memory of their own, on the CPU.

    Names are those of `resume.safetensors` without `model/` and `optimizer/`.
    """
    moments = {
        f"{number}/{name}": tensor
        for number, held in optimizer.state_dict()["state"].items()
        for name, tensor in held.items()
    }
    return _copied(model.state_dict()), _copied(moments)


def write_resume(
    path: Path,
    model: dict[str, "torch.Tensor"],
    moments: dict[str, "torch.Tensor"],
    state: dict[str, Any],
) -> None:
    """Write what `copy_state` copied, and `state` (JSON), atomically."""
    tensors = {f"model/{name}": tensor for name, tensor in model.items()}
    write_tensors(path, tensors | {f"optimizer/{name}": t for name, t in moments.items()}, state)


def load_resume(
    path: Path, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer"
) -> dict[str, Any]:
    """Restore what `write_resume` wrote; returns its `state`. `TrainingError` if it is not that."""
    tensors, state = _load(path)
    try:
        _restore(tensors, model, optimizer)
    except (RuntimeError, ValueError, IndexError) as error:
        told = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{path} is not a state of this run's model: {told}. {_TRAIN_AGAIN}"
        ) from error
    return state


def _restore(
    tensors: dict[str, Any], model: "torch.nn.Module", optimizer: "torch.optim.Optimizer"
) -> None:
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


def _laid_out_as(parameter: "torch.Tensor", tensor: "torch.Tensor") -> "torch.Tensor":
    """`tensor` in the memory order of its parameter, as the fused optimizer takes for granted."""
    if tensor.shape != parameter.shape:
        return tensor
    return parameter.detach().clone().copy_(tensor)


def _copied(tensors: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """Contiguous copies on the CPU, also of what is there: training goes on writing to that."""
    torch = require("torch", "train")
    return {
        name: torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())
        for name, tensor in tensors.items()
    }


def write_tensors(path: Path, tensors: dict[str, "torch.Tensor"], metadata: dict[str, Any]) -> str:
    """Write contiguous CPU tensors and `metadata` (JSON), atomically; returns the file's sha256.

    Other threads go on meanwhile: the interpreter is not held. `TrainingError` names what the
    system said, and then a file that was there before is unchanged.
    """
    safetensors = require("safetensors.torch", "train")
    try:
        with atomic_path(path) as temporary:
            text = json.dumps(metadata, sort_keys=True)
            safetensors.save_file(tensors, temporary, {_METADATA: text})
            return sha256_file(temporary)
    except (OSError, require("safetensors", "train").SafetensorError) as error:
        raise TrainingError(
            f"{path} could not be written: {error}. What was there before is unchanged. Make room "
            "or leave to write there, and run the same command again."
        ) from error


def _load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    safetensors = require("safetensors", "train")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise TrainingError(
            f"{path} is not a readable safetensors file: {error}. {_TRAIN_AGAIN}"
        ) from error
