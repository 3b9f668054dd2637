"""A function of (parameters, rows) over a batch too large for one graph: values, vjp, tangents.

Rows do not see each other inside a tower, so features, the gradient by parameters and the tangent
of the features can all be taken in pieces of `micro_batch` rows, exactly (gradient caching, arXiv
2101.06983). Inputs may lie in host memory; each piece is moved to the parameters' device.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from datacomp_filters.flyt.losses import blocks
from datacomp_filters.flyt.optimizer import Layout, Parameters

Function = Callable[[Parameters, Tensor], Tensor]


class Pass:
    """One function over one batch at one point; `outputs` (n, ...) has no graph."""

    def __init__(
        self, function: Function, layout: Layout, values: Tensor, inputs: Tensor, micro_batch: int
    ) -> None:
        self._function, self._layout = function, layout
        self._inputs, self._micro_batch = inputs, micro_batch
        named = layout.split(values.detach())
        self._leaves = {name: leaf.requires_grad_() for name, leaf in named.items()}
        self._graph: Tensor | None = None
        if len(inputs) <= micro_batch:
            self._graph = self._run(slice(0, len(inputs)))
            self.outputs = self._graph.detach()
        else:
            with torch.no_grad():
                self.outputs = torch.cat([self._run(piece) for piece in self._pieces()])

    def pull(self, cotangent: Tensor, gradient: Tensor) -> None:
        """Add (d outputs / d values)^T cotangent to the flat `gradient`; once only.

        A batch of one piece still has its graph; of a larger one each piece runs again.
        """
        views = self._layout.split(gradient)
        for piece in self._pieces():
            outputs = self._run(piece) if self._graph is None else self._graph
            found = torch.autograd.grad(
                outputs, list(self._leaves.values()), cotangent[piece], allow_unused=True
            )
            for name, part in zip(self._leaves, found, strict=True):
                if part is not None:
                    views[name] += part
        self._graph = None

    def push(self, tangent: Tensor) -> Tensor:
        """(d outputs / d values) tangent, by forward mode: no graph is held.

        Fused attention has no forward-mode rule, so attention is computed by plain mathematics
        here, and only here. PyTorch compiles some rules at the first use, and warns about how.
        """
        values = {name: leaf.detach() for name, leaf in self._leaves.items()}
        named = self._layout.split(tangent)
        pushed = []
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*torch\.jit\.script", FutureWarning)
            warnings.filterwarnings("ignore", r".*torch\.jit\.script", DeprecationWarning)
            for piece in self._pieces():
                run = partial(_apply, self._function, self._rows(piece))
                pushed.append(torch.func.jvp(run, (values,), (named,))[1])
        return torch.cat(pushed)

    def _run(self, piece: slice) -> Tensor:
        return _apply(self._function, self._rows(piece), self._leaves)

    def _rows(self, piece: slice) -> Tensor:
        device = next(iter(self._leaves.values())).device
        return self._inputs[piece].to(device, non_blocking=True)

    def _pieces(self) -> Iterator[slice]:
        return blocks(len(self._inputs), self._micro_batch)


def _apply(function: Function, inputs: Tensor, parameters: Parameters) -> Tensor:
    """The function's rows; of no rows too, which not every tower can do."""
    if len(inputs):
        return function(parameters, inputs)
    return function(parameters, inputs.new_zeros((1, *inputs.shape[1:])))[:0]
