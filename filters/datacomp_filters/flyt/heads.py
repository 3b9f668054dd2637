"""Scoring models: from what is stored of an example to one number; only these are trained.

The embeddings that FLYT's head reads come from a frozen CLIP, so they are computed once, stored
with the pool, and read. A constant added to all scores changes no weight: the last bias has no
gradient, and is kept out of autograd, lest AdamW make steps of its rounding errors.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from datacomp_filters.flyt.optimizer import Parameters

CLIP_AT = 6.0
"""Standardised scores further out are taken as this far: one row shall not decide a batch."""


class Scorer(Protocol):
    """A scoring model: one real score an example, higher is better."""

    def parameters(self) -> dict[str, Tensor]:
        """The values that training starts from."""

    def scores(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """(n,) scores of n examples."""


@dataclass(frozen=True)
class GluHead:
    """FLYT's head: o(SiLU(A x + a) * (C x + c)) on both embeddings (arXiv 2503.08805).

    x is the L2-normalised image embedding beside the normalised text embedding, k = image_width +
    text_width wide; A and C are k x k, o is 1 x k, all with bias: 2,100,225 parameters for CLIP
    ViT-B/32. They start as torch.nn.Linear does, uniform in +-1/sqrt(k).
    """

    image_width: int
    text_width: int
    seed: int = 0
    dtype: torch.dtype = torch.float32

    def parameters(self) -> dict[str, Tensor]:
        """The start: no randomness but the seed's."""
        k = self.image_width + self.text_width
        random = torch.Generator().manual_seed(self.seed)
        shapes = {"gate": k, "value": k, "out": 1}
        result = {}
        for name, rows in shapes.items():
            for part, shape in (("weight", (rows, k)), ("bias", (rows,))):
                drawn = (torch.rand(shape, generator=random) * 2 - 1) * k**-0.5
                result[f"{name}.{part}"] = drawn.to(self.dtype)
        return result

    def scores(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """(n, image_width + text_width) embeddings side by side, not normalised, to (n,) scores."""
        halves = inputs.to(parameters["out.bias"].dtype).split(
            [self.image_width, self.text_width], dim=1
        )
        x = torch.cat([F.normalize(half, dim=1) for half in halves], dim=1)
        gate = F.silu(F.linear(x, parameters["gate.weight"], parameters["gate.bias"]))
        value = F.linear(x, parameters["value.weight"], parameters["value.bias"])
        bias = parameters["out.bias"].detach()
        return F.linear(gate * value, parameters["out.weight"], bias)[:, 0]


@dataclass(frozen=True, eq=False)
class LinearMixer:
    """M-FLYT's mixer: a weight for each standardised score column, and a bias.

    `mean` and `std` (k,) are the columns' over the whole pool and belong to the model. A missing
    score (NaN) counts as the mean, a column that does not vary as zero, and what lies more than 6
    deviations out as 6. Weights start at zero: the first step is plain CLIP training, and what says
    nothing stays near zero (the original starts at random).
    """

    mean: Tensor
    std: Tensor

    def parameters(self) -> dict[str, Tensor]:
        """Zeros."""
        return {
            "weight": self.mean.new_zeros(1, len(self.mean)),
            "bias": self.mean.new_zeros(1),
        }

    def standardise(self, inputs: Tensor) -> Tensor:
        """(n, k) scores as stored to (n, k) with mean 0 and deviation 1, finite."""
        mean, std = (buffer.to(inputs.device) for buffer in (self.mean, self.std))
        centred = (inputs.to(mean.dtype) - mean) / torch.where(std > 0, std, torch.inf)
        return centred.nan_to_num(nan=0.0).clamp(-CLIP_AT, CLIP_AT)

    def scores(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """(n, k) scores as stored to (n,) mixed scores."""
        bias = parameters["bias"].detach()
        return F.linear(self.standardise(inputs), parameters["weight"], bias)[:, 0]
