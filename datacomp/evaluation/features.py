"""Features of pictures and texts, each computed once, and zero-shot classifiers.

A picture is known by the hash of its bytes, a text by itself, a class by its name and the
templates; tasks that share them share the work. All is kept in a `FeatureStore`, CHUNK pictures or
prompts a file: an interrupted evaluation goes on after the last one, and processes that share the
store share the work, too. All features are unit rows of float32. The encoder is given full batches
and pads the last one itself, so that no row depends on which others there are.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from datacomp.errors import EvaluationError
from datacomp.evaluation.classifier import IMAGE_BATCH, FloatArray
from datacomp.evaluation.dataset import Sample, read_tar, tars
from datacomp.evaluation.store import Arrays, FeatureStore
from datacomp.files import sha256_json
from datacomp.pool.encoder import Encoder
from datacomp.progress import NoProgress, Progress

TEXT_BATCH = 256
CHUNK = 2048
"""Pictures or prompts a file of features: an interruption costs no more."""

Item = TypeVar("Item")


class Features:
    """One encoder's features; in memory are those of a chunk, of all classes, and digests."""

    def __init__(
        self, encoder: Encoder, store: FeatureStore, progress: Progress | None = None
    ) -> None:
        self.encoder, self.store = encoder, store
        self.progress = progress or NoProgress()
        self._classes: dict[tuple[str, str], FloatArray] = {}
        self._pictures = _Pictures(store)
        self._n_encoded = 0

    def batches(self, folder: Path) -> Iterator[tuple[tuple[Sample, ...], FloatArray]]:
        """The set's samples, at most IMAGE_BATCH at a time, with their pictures' rows (n, d)."""
        for tar in tars(folder):
            for name, chunk in self._chunks(tar):
                compute = partial(self._encode_pictures, name, chunk)
                before = self._n_encoded
                rows = _the(self.store.get(name, len(chunk), compute))["rows"]
                self.progress.advance(len(chunk) - (self._n_encoded - before))
                for first in range(0, len(chunk), IMAGE_BATCH):
                    part = slice(first, first + IMAGE_BATCH)
                    yield chunk[part], rows[part]

    def help(self, folder: Path) -> None:
        """Compute what is missing of a set that another process goes through, last tar first."""
        for tar in reversed(tars(folder)):
            for name, chunk in self._chunks(tar):
                if not self.store.has(name):
                    compute = partial(self._encode_pictures, name, chunk)
                    self.store.get(name, len(chunk), compute, wait=False)

    def texts(self, texts: Sequence[str]) -> FloatArray:
        """Texts to unit rows (n, d)."""
        place = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        found = self._all("texts", list(_batched(place, CHUNK)), self._encode_texts)
        rows = np.concatenate([arrays["rows"] for arrays in found])
        return np.asarray(rows[[place[text] for text in texts]])

    def classifier(self, names: Sequence[str], templates: Sequence[str]) -> FloatArray:
        """Zero-shot classifier (d, classes): per class the unit mean of its prompts' unit rows."""
        group = f"classes/{_hash(templates)}"
        if self._lacking(group, names):
            for file in self.store.names(group):
                self._keep(group, self.store.read(file) or {})
            parts = _batched(self._lacking(group, names), max(1, CHUNK // len(templates)))
            encode = partial(self._encode_classes, templates)
            for arrays in self._all(group, list(parts), encode):
                self._keep(group, arrays)
        return np.stack([self._classes[group, name] for name in names], axis=1)

    def _chunks(self, tar: Path) -> Iterator[tuple[str, tuple[Sample, ...]]]:
        """The tar's samples, CHUNK at a time, and the name of the file with their features."""
        sha256 = self.store.hashes(tar)
        for number, chunk in enumerate(_batched(read_tar(tar), CHUNK)):
            yield f"images/{sha256}-{number:03d}", chunk

    def _encode_pictures(self, name: str, chunk: Sequence[Sample]) -> Arrays:
        digests = [hashlib.sha256(sample.image).digest() for sample in chunk]
        rows = self._pictures.known(digests)
        new = {d: s for d, s in zip(digests, chunk, strict=True) if d not in rows}
        for some in _batched(new, IMAGE_BATCH):
            pictures = _Decoded([new[digest] for digest in some])
            found = _unit_rows(self.encoder.encode_image(pictures), len(some), "pictures")
            rows.update(zip(some, found, strict=True))
            self._n_encoded += len(some)
            self.progress.advance(len(some))
        self._pictures.add(name, digests)
        return {
            "rows": np.stack([rows[digest] for digest in digests]),
            "digests": np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), -1),
        }

    def _encode_texts(self, texts: Sequence[str]) -> Arrays:
        rows = []
        for some in _batched(texts, TEXT_BATCH):
            rows.append(_unit_rows(self.encoder.encode_text(list(some)), len(some), "texts"))
            self.progress.advance(0, "texts")
        return {"rows": np.concatenate(rows)}

    def _encode_classes(self, templates: Sequence[str], names: Sequence[str]) -> Arrays:
        prompts = [template.replace("{c}", name) for name in names for template in templates]
        rows = self._encode_texts(prompts)["rows"]
        means = rows.reshape(len(names), len(templates), -1).mean(axis=1)
        return {"rows": _unit_rows(means, len(names), "classes"), "names": np.array(names)}

    def _all(
        self,
        kind: str,
        parts: Sequence[Sequence[str]],
        encode: Callable[[Sequence[str]], Arrays],
    ) -> list[Arrays]:
        """The arrays of all parts; those that another process is at are waited for last."""

        def get(part: Sequence[str], wait: bool) -> Arrays | None:
            name = f"{kind}/{_hash(part)}"
            return self.store.get(name, len(part), partial(encode, part), wait=wait)

        found = [get(part, wait=False) for part in parts]
        return [
            arrays or _the(get(part, wait=True)) for part, arrays in zip(parts, found, strict=True)
        ]

    def _lacking(self, group: str, names: Iterable[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if (group, name) not in self._classes]

    def _keep(self, group: str, arrays: Arrays) -> None:
        if "names" in arrays:
            for name, row in zip(arrays["names"].tolist(), arrays["rows"], strict=True):
                self._classes[group, name] = row


class _Pictures:
    """Where the row of each picture in the store stands, by the sha256 of its bytes."""

    def __init__(self, store: FeatureStore) -> None:
        self.store = store
        self._files: list[str] = []
        self._seen: set[str] = set()
        self._places: dict[bytes, int] = {}  # file * CHUNK + row: one small object a picture

    def add(self, name: str, digests: Sequence[bytes]) -> None:
        """Note which pictures the file `name` holds, in order."""
        first = len(self._files) * CHUNK
        self._files.append(name)
        self._seen.add(name)
        for row, digest in enumerate(digests):
            self._places.setdefault(digest, first + row)

    def known(self, digests: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """Rows of those of the pictures that the store has by now."""
        for name in self.store.names("images"):
            if name not in self._seen:
                found = self.store.digests(name)
                self.add(name, [] if found is None else [row.tobytes() for row in found])
        by_file: dict[int, list[tuple[bytes, int]]] = {}
        for digest in dict.fromkeys(digests):
            if digest in self._places:
                file, row = divmod(self._places[digest], CHUNK)
                by_file.setdefault(file, []).append((digest, row))
        rows: dict[bytes, FloatArray] = {}
        for file, wanted in by_file.items():
            if arrays := self.store.read(self._files[file]):
                rows.update((digest, arrays["rows"][row]) for digest, row in wanted)
        return rows


class _Decoded(Sequence[Image.Image]):
    """Samples' pictures in RGB, each decoded when it is asked for; `EvaluationError` if not."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, place: int) -> Image.Image: ...

    @overload
    def __getitem__(self, place: slice) -> "_Decoded": ...

    def __getitem__(self, place: int | slice) -> "Image.Image | _Decoded":
        if isinstance(place, slice):
            return _Decoded(self.samples[place])
        sample = self.samples[place]
        data = io.BytesIO(sample.image)
        try:
            return Image.open(data).convert("RGB")
        except Exception as error:  # whatever its bytes lead Pillow to, a bomb's own among them
            told = str(error) or type(error).__name__
            raise EvaluationError(
                f"{sample.where} has a picture that does not decode: {told}"
            ) from error


def _batched(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    iterator = iter(items)
    while some := tuple(islice(iterator, size)):
        yield some


def _hash(texts: Sequence[str]) -> str:
    return sha256_json(list(texts))[:32]


def _the(arrays: Arrays | None) -> Arrays:
    assert arrays is not None  # whoever waits gets it
    return arrays


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
