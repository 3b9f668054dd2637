"""StableAdamW: AdamW whose update is clipped where the second moment lags behind the gradient.

Algorithm 2 of arXiv 2304.13013. For each tensor, with step t from 1 and gradient g:

    b1 = beta1 (1 - beta1^(t-1)) / (1 - beta1^t)      and b2 of beta2 likewise
    m  = b1 m + (1 - b1) g                            debiased: no correction afterwards
    u  = b2 u + (1 - b2) g^2
    r  = rate / max(1, sqrt(mean(g^2 / max(u, eps^2))))
    p  = p - r decay p - r m / (sqrt(u) + eps)

The decay is clipped too, as in the algorithm and in the package optimi; the code that its first
author published, and timm's, leave it.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class StableAdamW(torch.optim.Optimizer):  # type: ignore[misc]  # torch is untyped here
    """The update above, one tensor after the other; nothing waits for the device.

    `params` are parameter groups as torch's optimizers take them. The state of a parameter: `step`,
    a float32 scalar on the CPU, and `exp_avg` and `exp_avg_sq` (m and u), laid out as it is.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    def step(self) -> None:
        """One update, of each parameter that has a gradient."""
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        first, second, eps = state["exp_avg"], state["exp_avg_sq"], group["eps"]
        beta1, beta2 = (_debiased(beta, int(state["step"])) for beta in group["betas"])
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)

        excess = gradient.square().div_(second.clamp(min=eps**2)).mean().sqrt_()
        rate = group["lr"] / excess.clamp_(min=1)
        parameter.mul_(1 - rate * group["weight_decay"])
        parameter.sub_(first.div(second.sqrt().add_(eps)).mul_(rate))


def _debiased(beta: float, step: int) -> float:
    """The share of the old average that makes a moving average from zero unbiased."""
    share: float = beta * (1 - beta ** (step - 1)) / (1 - beta**step)
    return share
