"""Encoders that know nothing and everything, and small evaluation sets."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from datacomp.evaluation.features import Features
from datacomp.evaluation.store import FeatureStore

WIDTH = 64


def vector(seed: bytes, width: int = WIDTH) -> npt.NDArray[np.float32]:
    """A standard normal vector that depends on `seed` alone."""
    number = int.from_bytes(hashlib.sha256(seed).digest()[:8], "little")
    return np.random.default_rng(number).standard_normal(width).astype(np.float32)


class FakeEncoder:
    """Texts and pictures to random vectors; a picture in `means` gets the vector of that text."""

    name = "fake"

    def __init__(
        self,
        means: Mapping[bytes, Sequence[str]] | None = None,
        seed: int = 0,
        width: int = WIDTH,
        identity: str | None = None,
    ) -> None:
        self.means, self.identity = means or {}, identity or f"fake {seed}"
        self.seed, self.width = str(seed).encode(), width
        self.n_images = self.n_texts = 0

    def encode_image(self, images: Sequence[Image.Image]) -> npt.NDArray[Any]:
        self.n_images += len(images)
        return np.stack([self._image(image.tobytes()) for image in images])

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[Any]:
        self.n_texts += len(texts)
        return np.stack([self._text(text) for text in texts])

    def _image(self, pixels: bytes) -> npt.NDArray[np.float32]:
        if pixels not in self.means:
            return vector(self.seed + b"image" + pixels, self.width)
        return np.sum([self._text(text) for text in self.means[pixels]], axis=0)

    def _text(self, text: str) -> npt.NDArray[np.float32]:
        return vector(self.seed + text.encode(), self.width)


def picture(shade: int) -> Image.Image:
    """A small plain picture, different for each of 2^24 shades."""
    return Image.new("RGB", (4, 4), (shade & 255, shade >> 8 & 255, shade >> 16 & 255))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_set(
    folder: Path,
    samples: Sequence[Mapping[str, bytes]],
    *,
    files: Mapping[str, str] | None = None,
    shards: int = 1,
) -> Path:
    """Write samples (members by suffix) as an evaluation set; `files` are its text files."""
    (folder / "test").mkdir(parents=True)
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    (folder / "test" / "nshards.txt").write_text(f"{shards}\n")
    for shard in range(shards):
        with tarfile.open(folder / "test" / f"{shard}.tar", "w") as tar:
            for i in range(shard, len(samples), shards):
                for suffix, data in samples[i].items():
                    info = tarfile.TarInfo(f"s{i:07d}.{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    return folder


def npy(values: Sequence[int]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(values, np.int64))
    return buffer.getvalue()


def json_lines(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def features(encoder: Any, folder: Path) -> Features:
    """The encoder's features, kept below `folder`."""
    return Features(encoder, FeatureStore(folder / "features", encoder.identity))


@pytest.fixture
def fakes() -> SimpleNamespace:
    """The builders of this file, for tests to call."""
    return SimpleNamespace(
        FakeEncoder=FakeEncoder,
        features=features,
        vector=vector,
        picture=picture,
        png=png,
        npy=npy,
        json_lines=json_lines,
        write_set=write_set,
    )
