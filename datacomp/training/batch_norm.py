"""Batch normalisation whose statistics are of the whole batch, whichever process holds its rows.

PyTorch's own does this on CUDA only. Statistics are what makes a picture's features depend on the
rest of its batch: with those of a process alone, two processes would train another model than one.
"""

from typing import Any

import torch
from torch import Tensor, nn

from datacomp.training.distributed import Ranks


class GlobalBatchNorm2d(nn.BatchNorm2d):  # type: ignore[misc]  # torch is untyped here
    """`nn.BatchNorm2d` over all processes, which hold equally many rows each."""

    def __init__(self, given: nn.BatchNorm2d, ranks: Ranks) -> None:
        super().__init__(given.num_features, given.eps, given.momentum)
        self._ranks = ranks
        # The same tensors under the same names: checkpoints and optimizers notice nothing.
        self.weight, self.bias = given.weight, given.bias
        self.running_mean, self.running_var = given.running_mean, given.running_var
        self.num_batches_tracked = given.num_batches_tracked

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same shape."""
        if not self.training:
            return super().forward(x)
        n = x.numel() // x.shape[1] * self._ranks.world
        mean = self._sum(x.sum((0, 2, 3))) / n
        centred = x - mean[:, None, None]
        variance = self._sum((centred * centred).sum((0, 2, 3))) / n
        self._remember(mean.detach(), variance.detach() * (n / (n - 1)))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]

    def _sum(self, values: Tensor) -> Tensor:
        found: Tensor = _Sum.apply(values, self._ranks)
        return found

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
            self.num_batches_tracked += 1


class _Sum(torch.autograd.Function):  # type: ignore[misc]
    """The sum over processes; all their losses depend on it, so its gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.sum(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.sum(gradients[0].contiguous()), None


def share_statistics(model: nn.Module, ranks: Ranks) -> None:
    """Replace every `nn.BatchNorm2d` of the model by one over all processes."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d) and not isinstance(child, GlobalBatchNorm2d):
                setattr(parent, name, GlobalBatchNorm2d(child, ranks))
