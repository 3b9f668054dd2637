"""Rows do not depend on how many others there are: the encoder's batches have one shape."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from datacomp.training import load_scale
from datacomp.training.encoder import ClipEncoder


class ByShape:
    """A model whose answers depend on the shape of the batch, as a GPU's do."""

    def encode_image(self, pixels: Any) -> Any:
        return pixels.mean(dim=(1, 2, 3))[:, None] + len(pixels) + torch.zeros(1, 4)

    def encode_text(self, tokens: Any) -> Any:
        return tokens.float().sum(dim=1, keepdim=True) + len(tokens) + torch.zeros(1, 4)


def encoder(threads: int = 1) -> ClipEncoder:
    def tokens(texts: list[str]) -> Any:
        return torch.tensor([[len(text), 1, 0] for text in texts])

    return ClipEncoder(
        name="by shape",
        identity="by shape",
        recipe=load_scale("smoke"),
        model=ByShape(),
        tokenizer=tokens,
        device="cpu",
        decode_threads=threads,
    )


def test_pictures() -> None:
    images = [Image.new("RGB", (8, 8), (i % 256, i // 256, 7)) for i in range(300)]
    whole = encoder().encode_image(images)
    for part in (slice(0, 1), slice(0, 256), slice(255, 300), slice(10, 13)):
        assert np.array_equal(encoder().encode_image(images[part]), whole[part])


def test_pictures_in_threads() -> None:
    images = [Image.new("RGB", (8 + i % 3, 8), (i % 256, 9, 7)) for i in range(300)]
    whole = encoder().encode_image(images)
    assert np.array_equal(encoder(threads=4).encode_image(images), whole)


def test_texts() -> None:
    texts = ["x" * (i % 77) for i in range(300)]
    whole = encoder().encode_text(texts)
    for part in (slice(0, 1), slice(0, 256), slice(255, 300), slice(10, 13)):
        assert np.array_equal(encoder().encode_text(texts[part]), whole[part])


def test_classes_do_not_depend_on_which_are_asked_for(
    fakes: SimpleNamespace, tmp_path: Any
) -> None:
    names, templates = [f"name {'y' * i}" for i in range(60)], ["a {c}", "{c} it is", "x {c}"]
    whole = fakes.features(encoder(), tmp_path / "a").classifier(names, templates)
    other = fakes.features(encoder(), tmp_path / "b")
    parts = [other.classifier(names[first::7], templates) for first in range(7)]
    for first, part in enumerate(parts):
        assert np.array_equal(part, whole[:, first::7])
