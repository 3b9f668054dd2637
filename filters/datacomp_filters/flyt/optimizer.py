"""AdamW as a pure function of one flat vector, and its derivative by the gradient.

torch.optim.AdamW keeps state of its own and moves it at each call, which is how a bilevel step
comes to advance moments several times. Here a step is a value: (parameters, state) in, the same
out, and nothing else changes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

Parameters = Mapping[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """Where each named tensor lies in the flat vector: matrices first, which alone are decayed."""

    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, parameters: Parameters) -> Self:
        """The layout of these tensors: those of two and more dimensions, then the others."""
        ordered = sorted(parameters, key=lambda name: (parameters[name].ndim < 2, name))
        return cls({name: tuple(parameters[name].shape) for name in ordered})

    @property
    def decayed(self) -> int:
        """How many leading elements are decayed."""
        return sum(math.prod(shape) for shape in self.shapes.values() if len(shape) >= 2)

    def join(self, parameters: Parameters) -> Tensor:
        """All tensors in one vector."""
        return torch.cat([parameters[name].reshape(-1) for name in self.shapes])

    def split(self, vector: Tensor) -> dict[str, Tensor]:
        """The named tensors, as views of the vector."""
        pieces = vector.split([math.prod(shape) for shape in self.shapes.values()])
        return {
            name: piece.view(shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }


@dataclass(frozen=True)
class Learner:
    """Parameters as one vector, Adam's two moments of them, and the number of steps taken."""

    values: Tensor
    mean: Tensor
    square: Tensor
    steps: int = 0

    @classmethod
    def start(cls, values: Tensor) -> Self:
        """Before the first step."""
        return cls(values, torch.zeros_like(values), torch.zeros_like(values))


@dataclass(frozen=True)
class AdamW:
    """AdamW (arXiv 1711.05101) as torch computes it."""

    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float

    def step(self, learner: Learner, gradient: Tensor, rate: float, decayed: int) -> Learner:
        """The learner after one step; its first `decayed` elements shrink by rate x decay first."""
        steps = learner.steps + 1
        mean = torch.lerp(learner.mean, gradient, 1 - self.beta1)
        square = torch.addcmul(
            self.beta2 * learner.square, gradient, gradient, value=1 - self.beta2
        )
        divisor = self._root(square, steps) + self.epsilon
        values = learner.values.clone()
        values[:decayed] *= 1 - rate * self.weight_decay
        values = torch.addcdiv(values, mean, divisor, value=-rate / (1 - self.beta1**steps))
        return Learner(values, mean, square, steps)

    def step_vjp(
        self, stepped: Learner, gradient: Tensor, rate: float, cotangent: Tensor
    ) -> Tensor:
        """(d values' / d gradient)^T cotangent: the loss's gradient by values' in, by gradient out.

        `stepped` is what `step` made of the gradient: both its moments depend on it. With these
        corrected for bias, m and v, and t the number of steps:
        -rate [ (1-b1)/((1-b1^t)(sqrt v + e)) - m (1-b2) g/((1-b2^t) sqrt v (sqrt v + e)^2) ].
        Where v is zero so is g, and the second term, whose g / sqrt v is bounded, is taken as zero.
        The decay is no function of the gradient.
        """
        mean_correction = 1 - self.beta1**stepped.steps
        square_correction = 1 - self.beta2**stepped.steps
        root = self._root(stepped.square, stepped.steps)
        slope = (gradient / root).masked_fill_(root == 0, 0)
        divisor = root.add_(self.epsilon)
        slope *= stepped.mean
        slope /= divisor
        slope *= -(1 - self.beta2) / (square_correction * mean_correction)
        slope += (1 - self.beta1) / mean_correction
        slope /= divisor
        slope *= cotangent
        slope *= -rate
        return slope

    def _root(self, square: Tensor, steps: int) -> Tensor:
        return (square / (1 - self.beta2**steps)).sqrt()
