"""The rows of the vocabulary's embedding that a batch has: all others have no gradient.

At the tiny scale the embedding is four fifths of the parameters, and a batch has two in a hundred
of its rows. Left whole, its gradient is most of what processes would send each other.
"""

import torch
from torch import Tensor
from torch.nn import functional

from datacomp.training.distributed import Ranks


class Vocabulary:
    """Looks up tokens of a batch in the rows that any process's captions have.

    `weight` (vocabulary, width) is the embedding's; its gradient is filled by `give`.
    """

    def __init__(self, weight: Tensor, ranks: Ranks) -> None:
        self._weight, self._ranks = weight, ranks
        self._whole = torch.zeros_like(weight, requires_grad=False)
        self._ids = torch.empty(0, dtype=torch.int64)
        self._rows = weight.detach()[self._ids]

    def take(self, tokens: Tensor) -> None:
        """Begin a batch, of which this process has these tokens, as many as each."""
        self._whole[self._ids] = 0
        self._ids = self._ranks.stack(tokens).unique()
        self._rows = self._weight.detach()[self._ids].requires_grad_()

    def __call__(self, tokens: Tensor) -> Tensor:
        """(n, width) of n tokens of the batch."""
        return functional.embedding(torch.searchsorted(self._ids, tokens), self._rows)

    @property
    def gradient(self) -> Tensor:
        """Of the batch's rows, the same ones on all processes."""
        assert self._rows.grad is not None
        return self._rows.grad

    def give(self) -> None:
        """Make the rows' gradient that of the whole embedding."""
        self._whole[self._ids] = self.gradient
        self._weight.grad = self._whole
