"""Reference models: what is trained on the weighted batch and judged downstream.

A reference is functions of (parameters, inputs): parameters are a value that training steps, not
the state of a module. Its features are of each row alone, so that a batch may be cut anywhere.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from datacomp_filters.flyt.optimizer import Parameters

LOGIT_SCALE = "logit_scale"
START_LOG_SCALE = math.log(1 / 0.07)
"""CLIP's first logit scale (arXiv 2103.00020, section 2.5), upstream and downstream."""


class Reference(Protocol):
    """Two towers over some inputs, and a logit scale."""

    def parameters(self) -> dict[str, Tensor]:
        """The values that training starts from, `logit_scale` (the logarithm, 0-d) among them."""

    def images(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """(n, d) L2-normalised features of n images."""

    def texts(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """(n, d) L2-normalised features of n texts."""


@dataclass(frozen=True)
class EmbeddingReference:
    """Two small adapters over stored embeddings: W x + W2 gelu(W1 x + b), x normalised first.

    Without `width` W starts as the identity: the reference is the model that made the embeddings,
    as FLYT's starts from OpenAI's weights; both embeddings must be equally wide. With `width` W
    is a random projection with orthonormal rows, the same for both towers where they are equally
    wide. The second term (`hidden` > 0) starts at zero.
    """

    image_width: int
    text_width: int
    width: int | None = None
    hidden: int = 0
    seed: int = 0
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.width is None and self.image_width != self.text_width:
            raise ValueError(
                f"image and text embeddings are {self.image_width} and {self.text_width} wide; "
                "say to which common width they are projected"
            )

    def parameters(self) -> dict[str, Tensor]:
        """The start: no randomness but the seed's."""
        result = {LOGIT_SCALE: torch.tensor(START_LOG_SCALE, dtype=self.dtype)}
        for tower, width in (("image", self.image_width), ("text", self.text_width)):
            random = torch.Generator().manual_seed(self.seed)
            result[f"{tower}.linear"] = self._projection(width, random)
            if self.hidden:
                bound = width**-0.5
                inner = torch.rand(self.hidden, width, generator=random) * 2 - 1
                result[f"{tower}.inner"] = (inner * bound).to(self.dtype)
                result[f"{tower}.bias"] = torch.zeros(self.hidden, dtype=self.dtype)
                result[f"{tower}.outer"] = torch.zeros(
                    self.width or width, self.hidden, dtype=self.dtype
                )
        return result

    def images(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """(n, image_width) stored embeddings of any float type, not normalised, to features."""
        return self._adapt(parameters, "image", inputs)

    def texts(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """(n, text_width) stored embeddings of any float type, not normalised, to features."""
        return self._adapt(parameters, "text", inputs)

    def _projection(self, width: int, random: torch.Generator) -> Tensor:
        if self.width is None:
            return torch.eye(width, dtype=self.dtype)
        size = max(self.width, width)
        square = torch.linalg.qr(torch.randn(size, size, generator=random, dtype=torch.float64))[0]
        return square[: self.width, :width].to(self.dtype).contiguous()

    def _adapt(self, parameters: Parameters, tower: str, inputs: Tensor) -> Tensor:
        linear = parameters[f"{tower}.linear"]
        x = F.normalize(inputs.to(linear.dtype), dim=1)
        y = x @ linear.T
        if self.hidden:
            inner = F.linear(x, parameters[f"{tower}.inner"], parameters[f"{tower}.bias"])
            y = y + F.gelu(inner) @ parameters[f"{tower}.outer"].T
        return F.normalize(y, dim=1)


class OpenClipReference:
    """A whole open_clip model (`CLIP` or `CustomTextCLIP`), every trainable parameter of it.

    The model runs in evaluation mode: batch normalisation by its stored statistics and no dropout,
    so that a row's features depend on no other row. It lies on the device of the run already.
    Inputs are pixels (n, 3, h, w), prepared for the model, and token ids (n, context) int64.
    """

    def __init__(self, model: Any) -> None:
        self._model = model.eval()
        self._model.output_dict = True
        for module in model.modules():
            if isinstance(module, torch.nn.MultiheadAttention):
                # In evaluation it may take a fused kernel, for which there is no forward mode.
                module.training, module.dropout = True, 0.0

    def parameters(self) -> dict[str, Tensor]:
        """Copies of the model's parameters that require a gradient."""
        named = self._model.named_parameters()
        return {name: value.detach().clone() for name, value in named if value.requires_grad}

    def images(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Through the image tower."""
        return self._features(parameters, (inputs, None), "image_features")

    def texts(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Through the text tower."""
        return self._features(parameters, (None, inputs), "text_features")

    def _features(
        self, parameters: Parameters, inputs: tuple[Tensor | None, Tensor | None], name: str
    ) -> Tensor:
        found = torch.func.functional_call(self._model, dict(parameters), inputs)
        return found[name]
