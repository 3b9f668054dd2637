"""The arithmetic of mode `reference`, on whatever device.

The original encodes pictures in float32 and texts, on CUDA, under autocast to float16; that is what
an encoder does in here. TF32 is off, and cuDNN takes deterministic kernels only. The original lets
cuDNN use TF32, in the one convolution of a ViT; and it encodes pictures of the retrieval tasks and
WinoGAViL under autocast, where this encodes them as for all other tasks. On a CPU everything is
float32, there as here.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from PIL import Image

from datacomp.errors import require
from datacomp.pool.encoder import Encoder


def reference(encoder: Encoder, device: str) -> Encoder:
    """The encoder, which runs on `device`, in the arithmetic of mode `reference`."""
    return encoder if device == "cpu" else _OnDevice(encoder, device.partition(":")[0])


@dataclass(frozen=True)
class _OnDevice:
    encoder: Encoder
    kind: str

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def identity(self) -> str:
        texts = "float16" if self.kind == "cuda" else "float32"
        return f"{self.encoder.identity} on {self.kind}, pictures float32, texts {texts}"

    def encode_image(self, images: Sequence[Image.Image]) -> npt.NDArray[Any]:
        with _exact():
            return self.encoder.encode_image(images)

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[Any]:
        with _exact(), _half() if self.kind == "cuda" else nullcontext():
            return self.encoder.encode_text(texts)


def _half() -> AbstractContextManager[Any]:
    torch = require("torch", "train")
    autocast: AbstractContextManager[Any] = torch.autocast("cuda", dtype=torch.float16)
    return autocast


@contextmanager
def _exact() -> Iterator[None]:
    """No TF32, and the same kernels every time; as it was, afterwards."""
    torch = require("torch", "train")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
