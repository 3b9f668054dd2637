"""What turns pictures and texts into vectors, as the pool's builder and the evaluation see it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt
from PIL import Image


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
