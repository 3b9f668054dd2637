"""Evaluation sets on disk, in the webdataset layout that DataComp reads.

    <root>/wds_<key>_test/
        dataset_type.txt       classification (default), retrieval or association
        classnames.txt         a line a class                         (classification)
        zeroshot_classification_templates.txt   a line a template with {c}
        associations.jsonl     {"cue", "candidates": [key], "associations": [key]}
        test/nshards.txt       how many tars there are
        test/{0..n-1}.tar      with samples of these members:
            <key>.{png,webp,jpg,jpeg}   the picture
            <key>.cls          ASCII integer                          (classification)
            <key>.npy          int64 vector of metadata, where the task has it
            <key>.txt          a line a caption                       (retrieval)

`associations.jsonl` is this project's; the rest is DataComp's and CLIP_benchmark's. Reading
streams: no more than one sample is held. Whatever is missing or malformed is an
`EvaluationError` that names file and sample.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import EvaluationError
from datacomp.files import sha256_file

IMAGE_SUFFIXES = ("png", "webp", "jpg", "jpeg")


@dataclass(frozen=True)
class Sample:
    """One sample of a tar: its members by suffix, and where it stands."""

    key: str
    where: str
    members: dict[str, bytes]

    @property
    def image(self) -> bytes:
        """The encoded picture."""
        for suffix in IMAGE_SUFFIXES:
            if suffix in self.members:
                return self.members[suffix]
        raise EvaluationError(f"{self.where} has no picture (.{', .'.join(IMAGE_SUFFIXES)})")

    def label(self, n_classes: int) -> int:
        """The class, 0..n_classes-1."""
        text = self._member("cls").strip()
        if not text.isdigit() or int(text) >= n_classes:
            raise EvaluationError(
                f"{self.where} has the class {text.decode(errors='replace')!r}, expected 0 to "
                f"{n_classes - 1}"
            )
        return int(text)

    def metadata(self, n_fields: int) -> npt.NDArray[np.int64]:
        """The metadata vector (n_fields,)."""
        try:
            vector = np.load(io.BytesIO(self._member("npy")), allow_pickle=False)
        except ValueError as error:
            raise EvaluationError(f"{self.where} has a damaged .npy: {error}") from error
        if vector.shape != (n_fields,) or vector.dtype.kind not in "iu":
            raise EvaluationError(
                f"{self.where} has metadata {vector.dtype}{vector.shape}, "
                f"expected {n_fields} integers"
            )
        return np.asarray(vector, np.int64)

    def captions(self) -> list[str]:
        """The captions of the picture, at least one."""
        lines = self._member("txt").decode().split("\n")
        captions = [line.strip() for line in lines if line.strip()]
        if not captions:
            raise EvaluationError(f"{self.where} has no caption")
        return captions

    def _member(self, suffix: str) -> bytes:
        if suffix not in self.members:
            raise EvaluationError(
                f"{self.where} has no .{suffix}; it has: .{', .'.join(sorted(self.members))}"
            )
        return self.members[suffix]


@dataclass(frozen=True)
class Association:
    """A cue, the pictures to choose from, and those that belong to it, by sample key."""

    cue: str
    candidates: tuple[str, ...]
    associations: tuple[str, ...]


def read_samples(folder: Path) -> Iterator[Sample]:
    """All samples of the folder's tars, in order."""
    text = _text(folder / "test" / "nshards.txt").strip()
    if not text.isdigit():
        raise EvaluationError(
            f"{folder / 'test' / 'nshards.txt'} holds {text!r}, expected a number"
        )
    for i in range(int(text)):
        yield from _read_tar(folder / "test" / f"{i}.tar")


def read_classnames(folder: Path) -> list[str]:
    """Class names in the order of the class indices."""
    return _lines(folder / "classnames.txt")


def read_templates(folder: Path) -> list[str]:
    """Prompt templates, each with the place `{c}` for the class name."""
    path = folder / "zeroshot_classification_templates.txt"
    templates = _lines(path)
    for template in templates:
        if "{c}" not in template:
            raise EvaluationError(f"{path}: template {template!r} has no {{c}} for the class name")
    if not templates:
        raise EvaluationError(f"{path} is empty, expected at least one template")
    return templates


def read_associations(folder: Path) -> list[Association]:
    """The instances of an association task."""
    path = folder / "associations.jsonl"
    found = []
    for i, line in enumerate(_lines(path), start=1):
        try:
            row: dict[str, Any] = json.loads(line)
            item = Association(row["cue"], tuple(row["candidates"]), tuple(row["associations"]))
        except (ValueError, KeyError, TypeError) as error:
            raise EvaluationError(
                f"{path}:{i}: expected cue, candidates and associations, got {line[:80]!r}"
            ) from error
        if not item.associations or not set(item.associations) <= set(item.candidates):
            raise EvaluationError(f"{path}:{i}: associations are not among the candidates")
        found.append(item)
    return found


def check_type(folder: Path, expected: str) -> None:
    """`EvaluationError` if the folder says that it is another type of dataset."""
    path = folder / "dataset_type.txt"
    found = _text(path).strip() if path.exists() else "classification"
    if found != expected:
        raise EvaluationError(f"{folder} holds a {found} set, this task expects {expected}")


def dataset_sha256(folder: Path) -> str:
    """Hex sha256 over the names and contents of all files below `folder`."""
    if not folder.is_dir():
        raise EvaluationError(f"there is no evaluation set at {folder}; check --data-dir")
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def _read_tar(path: Path) -> Iterator[Sample]:
    try:
        with tarfile.open(path) as tar:
            key, members = None, {}
            for member in tar:
                if not member.isfile():
                    continue
                stem, _, suffix = Path(member.name).name.partition(".")
                if key is not None and stem != key:
                    yield Sample(key, f"{path}: sample {key}", members)
                    members = {}
                key = stem
                file = tar.extractfile(member)
                members[suffix.lower()] = file.read() if file else b""
            if key is not None:
                yield Sample(key, f"{path}: sample {key}", members)
    except (OSError, tarfile.TarError) as error:
        raise EvaluationError(f"cannot read {path}: {error}") from error


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in _text(path).splitlines() if line.strip()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"cannot read {path}: {error}") from error
