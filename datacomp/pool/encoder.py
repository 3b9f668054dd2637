"""What turns pictures and texts into vectors, as the pool's builder and the evaluation see it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy.typing as npt
from PIL import Image

Prepared = TypeVar("Prepared")


class Encoder(Protocol):
    """Two towers into one space. The CLIP that implements it preprocesses inside."""

    @property
    def name(self) -> str:
        """What a pool's manifest calls it."""

    @property
    def identity(self) -> str:
        """Known features hold for encoders of the same identity: weights and preprocessing."""

    def encode_image(self, images: Sequence[Image.Image]) -> npt.NDArray[Any]:
        """RGB pictures of any size to (n, d) float32, not normalised."""

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[Any]:
        """Texts to (n, d) float32, not normalised."""


def prepare_each(
    prepare: Callable[[Image.Image], Prepared], images: Sequence[Image.Image], threads: int
) -> list[Prepared]:
    """What `prepare` makes of every picture, in order, in several threads.

    They also ask for the pictures, so that a sequence that decodes when asked decodes in them.
    """
    if threads == 1:
        return [prepare(image) for image in images]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda place: prepare(images[place]), range(len(images))))
