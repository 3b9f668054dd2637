"""Batches on their way to the device: tokenized, pinned, and copied while the last one is computed.

On CUDA a thread loads the next batch and copies it on a stream of its own, so that neither the
host's work nor the copy keeps the device waiting. On the CPU there is nothing to copy, and a thread
more would only compete with the computation.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from datacomp.training.captions import caption_lengths
from datacomp.training.decoding import Batch

Tokenizer = Callable[[tuple[str, ...]], Tensor]
T = TypeVar("T")


@dataclass(frozen=True)
class Fed:
    """`pixels` (b, s, s, 3) uint8 and `tokens` (b, context) int64 on the device, and on the CPU
    the captions' `lengths` (b,)."""

    pixels: Tensor
    tokens: Tensor
    lengths: Tensor


def feed(batches: Iterator[Batch], tokenizer: Tokenizer, device: torch.device) -> Iterator[Fed]:
    """The same batches as tensors on `device`, in the same order."""
    if device.type != "cuda":
        for batch in batches:
            tokens = tokenizer(batch.captions)
            pixels = torch.from_numpy(batch.pixels)
            yield Fed(pixels.to(device), tokens.to(device), caption_lengths(tokens))
        return
    stream = torch.cuda.Stream(device)
    for fed, copied in one_ahead(_copied(batches, tokenizer, stream)):
        current = torch.cuda.current_stream(device)
        current.wait_event(copied)
        for tensor in (fed.pixels, fed.tokens):
            # Allocated on the other stream: not to be reused there before this one is through.
            tensor.record_stream(current)
        yield fed


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; a thread makes the next while the caller is busy with one."""
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _copied(
    batches: Iterator[Batch], tokenizer: Tokenizer, stream: torch.cuda.Stream
) -> Iterator[tuple[Fed, torch.cuda.Event]]:
    for batch in batches:
        tokens = tokenizer(batch.captions)
        # The current device belongs to a thread: this one takes the stream's.
        with torch.cuda.stream(stream):
            pixels, words = (
                tensor.pin_memory().to(stream.device, non_blocking=True)
                for tensor in (torch.from_numpy(batch.pixels), tokens)
            )
            copied = torch.cuda.Event()
            copied.record(stream)
        yield Fed(pixels, words, caption_lengths(tokens)), copied
