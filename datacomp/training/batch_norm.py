"""Batch normalisation whose statistics are of the whole batch, whichever process holds its rows.

PyTorch's own does this on CUDA only. Statistics are what makes a picture's features depend on the
rest of its batch: with those of a process alone, two processes would train another model than one.

A layer sends one message forward and one back: small messages wait, and how many there are decides
how much several processes gain. All passes over activations are PyTorch's own fused kernels.
"""

from typing import Any

import torch
from torch import Tensor, nn

from datacomp.training.distributed import Ranks

_KERNEL = torch.ops.aten


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
        normalised, mean, variance = _Normalise.apply(
            x, self.weight, self.bias, self.eps, self._ranks
        )
        n = x.numel() // x.shape[1] * self._ranks.world
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (n / (n - 1)), self.momentum)
            self.num_batches_tracked += 1
        return normalised


class _Normalise(torch.autograd.Function):  # type: ignore[misc]
    """The normalised rows of this process, and mean and (biased) variance of all rows."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, ranks: Ranks
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
        if ranks.world > 1:
            # Equally many rows each: the variance is the mean of the variances, plus that of the
            # means (Chan, Golub and LeVeque 1979), which loses no digits where squares would.
            means, variances = ranks.stack(torch.stack((mean, variance))).unbind(1)
            mean = means.mean(0)
            variance = variances.mean(0) + (means - mean).square().mean(0)
        out = _in_given(x, weight, bias, mean, variance, eps)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.ranks = eps, ranks
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        # With given statistics the kernel yields both sums that the rest is made of.
        _, by_weight, by_bias = _KERNEL.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        n = x.numel() // x.shape[1] * ctx.ranks.world
        both = ctx.ranks.sum(torch.stack((by_weight, by_bias)))
        # What the statistics pass on: minus the mean gradient, and minus its part along x.
        scale = weight * torch.rsqrt(variance + ctx.eps)
        slope, offset = both * (scale / -n)
        own = _in_given(x, slope, offset, mean, variance, ctx.eps)
        own.addcmul_(gradients[0], scale[:, None, None])
        return own, by_weight, by_bias, None, None


def _in_given(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float
) -> Tensor:
    found: Tensor = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)[0]
    return found


def share_statistics(model: nn.Module, ranks: Ranks) -> None:
    """Replace every `nn.BatchNorm2d` of the model by one over all processes."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d) and not isinstance(child, GlobalBatchNorm2d):
                setattr(parent, name, GlobalBatchNorm2d(child, ranks))
