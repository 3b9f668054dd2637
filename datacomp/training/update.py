"""AdamW's update in shares: each process of a host updates its part of the weights for all.

Weights and moments lie in memory that the processes share, so that nobody sends or computes what
another has: an update costs each its share of the time, and all of them together the memory of one.
Where there is no such memory, and on other devices, every process updates all weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from datacomp.training.distributed import Ranks

# Bounds of shares, in elements: a cache line has one writer.
_LINE = 32


@dataclass(frozen=True, eq=False)
class _Part:
    """Elements of a parameter, in the order of memory: `own` is what the process updates."""

    parameter: nn.Parameter
    elements: slice
    own: Tensor

    def take_gradient(self) -> None:
        gradient = self.parameter.grad
        if gradient is not None and gradient.stride() != self.parameter.stride():
            gradient = torch.empty_like(self.parameter).copy_(gradient)
        self.own.grad = None if gradient is None else _flat(gradient)[self.elements]


def shared_update(optimizer: torch.optim.Optimizer, ranks: Ranks) -> Callable[[], object]:
    """What does as `optimizer.step`, called by all processes with the same gradients.

    Call it once state is loaded: the weights, and the moments that `optimizer` has or begins with,
    move. Only what is computed element by element can be shared, as AdamW.
    """
    alone: Callable[[], object] = optimizer.step
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    bounds = [0]
    for parameter in parameters:
        bounds.append(-(-(bounds[-1] + parameter.numel()) // _LINE) * _LINE)
    kinds = {(p.dtype, p.device.type) for p in parameters}
    if not isinstance(optimizer, torch.optim.AdamW) or kinds != {(torch.float32, "cpu")}:
        return alone
    memory = ranks.memory(3 * bounds[-1] * torch.float32.itemsize)
    if memory is None:
        return alone
    held = torch.frombuffer(memory, dtype=torch.float32).view(3, -1)
    for parameter, first in zip(parameters, bounds, strict=False):
        _move(optimizer, parameter, held[:, first : first + parameter.numel()], ranks)
    first, last = (n * _LINE for n in ranks.share(bounds[-1] // _LINE))
    parts = {
        parameter: slice(max(first - begin, 0), max(min(last - begin, parameter.numel()), 0))
        for parameter, begin in zip(parameters, bounds, strict=False)
    }
    ranks.wait()
    return _Shared(optimizer, ranks, parts)


class _Shared:
    """The update of `parts`, and the wait for those of the others."""

    def __init__(
        self,
        optimizer: torch.optim.AdamW,
        ranks: Ranks,
        parts: dict[nn.Parameter, slice],
    ) -> None:
        self._optimizer, self._ranks = optimizer, ranks
        self._parts: list[_Part] = []
        groups = []
        for group in optimizer.param_groups:
            own = [
                _Part(p, parts[p], _flat(p.detach())[parts[p]])
                for p in group["params"]
                if parts[p].start < parts[p].stop
            ]
            self._parts += own
            groups.append({**group, "params": [part.own for part in own]})
        self._own = torch.optim.AdamW(groups, fused=True)
        for part in self._parts:
            state = optimizer.state[part.parameter]
            self._own.state[part.own] = {
                "step": state["step"].clone(),
                "exp_avg": _flat(state["exp_avg"])[part.elements],
                "exp_avg_sq": _flat(state["exp_avg_sq"])[part.elements],
            }

    def __call__(self) -> None:
        for group, own in zip(self._optimizer.param_groups, self._own.param_groups, strict=True):
            own["lr"] = group["lr"]
        for part in self._parts:
            part.take_gradient()
        # Nobody computes with the old weights any more: all gradients were summed.
        self._own.step()
        for parameter, state in self._optimizer.state.items():
            if parameter.grad is not None:
                state["step"] += 1
        self._ranks.wait()


def _move(
    optimizer: torch.optim.Optimizer, parameter: nn.Parameter, room: Tensor, ranks: Ranks
) -> None:
    """Weights and moments of a parameter to `room` (3, n), where the first process writes them."""
    state = optimizer.state[parameter]
    if not state:
        state["step"] = torch.tensor(0.0)
        state["exp_avg"] = state["exp_avg_sq"] = torch.zeros_like(parameter)
    there = [row.as_strided(parameter.shape, parameter.stride()) for row in room]
    if ranks.rank == 0:
        for tensor, new in zip(
            (parameter.detach(), state["exp_avg"], state["exp_avg_sq"]), there, strict=True
        ):
            new.copy_(tensor)
    parameter.data, state["exp_avg"], state["exp_avg_sq"] = there


def _flat(tensor: Tensor) -> Tensor:
    """The elements of a dense tensor in the order of memory."""
    return tensor.as_strided((tensor.numel(),), (1,))
