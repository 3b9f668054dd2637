"""The gradient of CLIP's loss over one global batch, in one piece or in many.

One process with the whole batch in one graph is the definition: open_clip's loss, and autograd.
Several processes, or a batch cut into micro-batches, compute the same: features first, the loss
and its gradient by them over the whole batch, and these pulled back through the towers, a
micro-batch at a time, whose features are computed again with a graph (gradient caching, arXiv
2101.06983).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import open_clip
import torch
from torch import Tensor, nn

from datacomp.training.captions import encode_captions, tokens_read
from datacomp.training.distributed import Ranks
from datacomp.training.loss import clip_loss
from datacomp.training.vocabulary import Vocabulary


class GradientStep:
    """Fills the gradients of `model` from this process's rows of a batch.

    `micro_batch` is how many rows are in one graph, all of them if None. `autocast` makes the
    context in which the towers run; `trimmed` leaves out the padding behind captions.
    """

    def __init__(
        self,
        model: nn.Module,
        ranks: Ranks,
        micro_batch: int | None,
        autocast: AbstractContextManager[Any],
        *,
        trimmed: bool,
    ) -> None:
        self._model, self._ranks = model, ranks
        self._micro_batch, self._autocast, self._trimmed = micro_batch, autocast, trimmed
        self._loss = open_clip.ClipLoss()
        self._vocabulary: Vocabulary | None = None
        # Where gradients travel by the CPU, and none waits for which words there are.
        if ranks.world > 1 and model.logit_scale.device.type == "cpu":
            self._vocabulary = Vocabulary(model.token_embedding.weight, ranks)

    def __call__(self, pixels: Tensor, tokens: Tensor, lengths: Tensor) -> float:
        """The loss of the global batch; the gradients are whole.

        `lengths` are the captions', on the CPU. On CUDA the host waits for the loss, not for the
        backward pass, so that it can enqueue what follows while that runs.
        """
        self._model.zero_grad(set_to_none=True)
        whole = self._is_whole(len(pixels))
        if self._ranks.world > 1 or not whole:
            return self._in_pieces((pixels, tokens, lengths), whole)
        with self._autocast:
            images, texts = self._encode(pixels, tokens, lengths)
            loss: Tensor = self._loss(images, texts, self._model.logit_scale.exp())
        told = _Told(loss.detach())
        loss.backward()
        return told.read()

    def tokens_read(self, lengths: Tensor) -> int:
        """How many tokens of captions of these lengths the text tower reads, padding included."""
        if not self._trimmed:
            return len(lengths) * int(self._model.context_length)
        return sum(tokens_read(lengths[piece]) for piece in self._pieces(len(lengths)))

    def _is_whole(self, n: int) -> bool:
        return self._micro_batch is None or n <= self._micro_batch

    def _in_pieces(self, batch: tuple[Tensor, Tensor, Tensor], whole: bool) -> float:
        pieces = list(self._pieces(len(batch[0])))
        if self._vocabulary:
            self._vocabulary.take(batch[1])
        with torch.set_grad_enabled(whole):
            found = [self._features(*(rows[piece] for rows in batch)) for piece in pieces]
        images, texts = (torch.cat(kind) for kind in zip(*found, strict=True))
        scale = self._model.logit_scale.exp()
        contrast = clip_loss(images.detach(), texts.detach(), scale.detach(), self._ranks)
        told = _Told(contrast.loss)
        for piece, features in zip(pieces, found, strict=True):
            graph = features if whole else self._features(*(rows[piece] for rows in batch))
            by_images = contrast.images[piece].to(graph[0].dtype)
            by_texts = contrast.texts[piece].to(graph[1].dtype)
            torch.autograd.backward(graph, (by_images, by_texts))
        self._model.logit_scale.grad = contrast.log_scale.reshape(self._model.logit_scale.shape)
        self._sum_gradients()
        return told.read()

    def _features(self, pixels: Tensor, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        with self._autocast:
            return self._encode(pixels, tokens, lengths)

    def _encode(self, pixels: Tensor, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        images = self._model.encode_image(pixels, normalize=True)
        if self._trimmed:
            return images, encode_captions(self._model, tokens, lengths, self._vocabulary)
        return images, self._model.encode_text(tokens, normalize=True)

    def _pieces(self, n: int) -> Iterator[slice]:
        size = self._micro_batch or n
        for first in range(0, n, size):
            yield slice(first, min(first + size, n))

    def _sum_gradients(self) -> None:
        if self._ranks.world == 1:
            return
        held = [p.grad for p in self._model.parameters() if p.grad is not None]
        if self._vocabulary:
            held.append(self._vocabulary.gradient)
        self._ranks.sum_all(held)
        if self._vocabulary:
            self._vocabulary.give()


class _Told:
    """A scalar for the host: its copy is enqueued now, and only it is waited for later."""

    def __init__(self, value: Tensor) -> None:
        self._value, self._copied = value, None
        if value.is_cuda:
            self._value = torch.empty_like(value, device="cpu", pin_memory=True)
            self._value.copy_(value, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()

    def read(self) -> float:
        if self._copied:
            self._copied.synchronize()
        return float(self._value)
