"""Features of pictures and texts, each computed once in a run, and zero-shot classifiers.

A picture is known by the hash of its bytes, a text by itself, a class by its name and the
templates; tasks that share them share the work. All features are unit rows of float32.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from datacomp.errors import EvaluationError
from datacomp.evaluation.dataset import Sample
from datacomp.pool.encoder import Encoder
from datacomp.progress import NoProgress, Progress

FloatArray = npt.NDArray[np.float32]

IMAGE_BATCH = 256
TEXT_BATCH = 256
LOGIT_SCALE = 100.0

Item = TypeVar("Item")


class Features:
    """One encoder's features during one run."""

    def __init__(self, encoder: Encoder, progress: Progress | None = None) -> None:
        self.encoder = encoder
        self.progress = progress or NoProgress()
        self._images: dict[bytes, FloatArray] = {}
        self._texts: dict[str, FloatArray] = {}
        self._classes: dict[tuple[tuple[str, ...], str], FloatArray] = {}

    def images(self, samples: Sequence[Sample]) -> FloatArray:
        """The samples' pictures to unit rows (n, d); `EvaluationError` if one does not decode."""
        digests = [hashlib.sha256(sample.image).digest() for sample in samples]
        new = {d: s for d, s in zip(digests, samples, strict=True) if d not in self._images}
        for some in _batched(new, IMAGE_BATCH):
            pictures = [_decode(new[digest]) for digest in some]
            rows = _unit_rows(self.encoder.encode_image(pictures), len(some), "pictures")
            self._images.update(zip(some, rows, strict=True))
        self.progress.advance(len(samples))
        return np.stack([self._images[digest] for digest in digests])

    def texts(self, texts: Sequence[str]) -> FloatArray:
        """Texts to unit rows (n, d)."""
        new = list(dict.fromkeys(text for text in texts if text not in self._texts))
        for some in _batched(new, TEXT_BATCH):
            rows = _unit_rows(self.encoder.encode_text(list(some)), len(some), "texts")
            self._texts.update(zip(some, rows, strict=True))
        return np.stack([self._texts[text] for text in texts])

    def classifier(self, names: Sequence[str], templates: Sequence[str]) -> FloatArray:
        """Zero-shot classifier (d, classes): per class the unit mean of its prompts' unit rows."""
        known = tuple(templates)
        new = list(dict.fromkeys(name for name in names if (known, name) not in self._classes))
        if new:
            prompts = [template.replace("{c}", name) for name in new for template in known]
            rows = self.texts(prompts).reshape(len(new), len(known), -1).mean(axis=1)
            for name, row in zip(new, _unit_rows(rows, len(new), "classes"), strict=True):
                self._classes[known, name] = row
        return np.stack([self._classes[known, name] for name in names], axis=1)


def batches(
    samples: Iterable[Sample], features: Features
) -> Iterator[tuple[tuple[Sample, ...], FloatArray]]:
    """The samples, IMAGE_BATCH at a time, with the features of their pictures (n, d)."""
    for some in _batched(samples, IMAGE_BATCH):
        yield some, features.images(some)


def _batched(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    iterator = iter(items)
    while some := tuple(islice(iterator, size)):
        yield some


def _decode(sample: Sample) -> Image.Image:
    try:
        return Image.open(io.BytesIO(sample.image)).convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for damaged bytes
        raise EvaluationError(f"{sample.where} has a picture that does not decode") from error


def _unit_rows(features: npt.NDArray[Any], n: int, what: str) -> FloatArray:
    rows = np.asarray(features, np.float32)
    if rows.ndim != 2 or len(rows) != n:
        raise EvaluationError(f"the encoder gave {rows.shape} for {n} {what}, expected ({n}, d)")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise EvaluationError(
            f"the encoder's features of {what} are zero or not finite; the model has diverged"
        )
    return np.asarray(rows / norms, np.float32)
