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

`associations.jsonl` is this project's; the rest is DataComp's and CLIP_benchmark's. A sample reads
its members when they are asked for, so that a set can be gone through without its pictures.
Whatever is missing or malformed is an `EvaluationError` that names file and sample.
"""

import hashlib
import io
import json
import os
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import EvaluationError
from datacomp.files import sha256_file
from datacomp.pool.tar import TarDamageError, members, split_name

IMAGE_SUFFIXES = ("png", "webp", "jpg", "jpeg")


@dataclass(frozen=True)
class Sample:
    """One sample of a tar: its members by suffix, read when asked for, and where it stands."""

    key: str
    where: str
    members: Mapping[str, bytes]

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
            file = io.BytesIO(self._member("npy"))
            vector = np.lib.format.read_array(file, allow_pickle=False)
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
        try:
            lines = self._member("txt").decode().split("\n")
        except UnicodeDecodeError as error:
            raise EvaluationError(f"{self.where} has captions that are not UTF-8") from error
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
    for tar in tars(folder):
        yield from read_tar(tar)


def tars(folder: Path) -> list[Path]:
    """The folder's tars, in order: as many as it says."""
    path = folder / "test" / "nshards.txt"
    text = _text(path).strip()
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise EvaluationError(f"{path} holds {text[:80]!r}, expected how many tars there are")
    found = [folder / "test" / f"{i}.tar" for i in range(int(text))]
    missing = next((tar for tar in found if not tar.exists()), None)
    if missing is not None:
        raise EvaluationError(f"there is no {missing}, but {path} says {text}: fetch it again")
    return found


def read_tar(path: Path) -> Iterator[Sample]:
    """The samples of one tar, in order."""
    try:
        file = _File(path)
        key, places = None, _Members(file)
        for member in members(file.read, file.size):
            named = split_name(member.name)
            if named is None:
                continue
            if key is not None and named[0] != key:
                yield _sample(key, places)
                places = _Members(file)
            key = named[0]
            places.places[named[1].lower()] = (member.offset, member.size)
        if key is not None:
            yield _sample(key, places)
    except TarDamageError as error:
        raise EvaluationError(f"cannot read {path}: it {error}") from error
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}") from error


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
            if not all(
                isinstance(text, str) for text in (item.cue, *item.candidates, *item.associations)
            ):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise EvaluationError(
                f"{path}:{i}: expected cue, candidates and associations, got {line[:80]!r}"
            ) from error
        if not item.associations or not set(item.associations) <= set(item.candidates):
            raise EvaluationError(f"{path}:{i}: associations are not among the candidates")
        if any(len(set(keys)) < len(keys) for keys in (item.candidates, item.associations)):
            raise EvaluationError(f"{path}:{i}: names a picture twice")
        found.append(item)
    return found


def check_type(folder: Path, expected: str) -> None:
    """`EvaluationError` if the folder says that it is another type of dataset."""
    path = folder / "dataset_type.txt"
    found = _text(path).strip() if path.exists() else "classification"
    if found != expected:
        raise EvaluationError(f"{folder} holds a {found} set, this task expects {expected}")


def dataset_sha256(folder: Path, hash_tar: Callable[[Path], str] = sha256_file) -> str:
    """Hex sha256 over the names and contents of all files below `folder`."""
    if not folder.is_dir():
        raise EvaluationError(f"there is no evaluation set at {folder}; check --data-dir")
    digest = hashlib.sha256()
    inside = [
        Path(root) / name for root, _, names in os.walk(folder, followlinks=True) for name in names
    ]
    for path in sorted(p for p in inside if p.is_file()):
        content = hash_tar(path) if path.suffix == ".tar" else sha256_file(path)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


class _File:
    """A file that is open as long as somebody may read from it."""

    def __init__(self, path: Path) -> None:
        self.path, self._handle = path, os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)
        self.size = os.fstat(self._handle).st_size

    def read(self, offset: int, size: int) -> bytes:
        """The bytes there, fewer at the end of the file."""
        return os.pread(self._handle, size, offset)


class _Members(Mapping[str, bytes]):
    """A sample's members by suffix; `places` has (offset, size) of each in the tar."""

    def __init__(self, file: _File) -> None:
        self.file = file
        self.places: dict[str, tuple[int, int]] = {}

    def __getitem__(self, suffix: str) -> bytes:
        offset, size = self.places[suffix]
        data = self.file.read(offset, size)
        if len(data) < size:
            raise EvaluationError(f"{self.file.path} was cut while it was read")
        return data

    def __contains__(self, suffix: object) -> bool:
        return suffix in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def _sample(key: str, places: _Members) -> Sample:
    name = key.rpartition("/")[2]
    return Sample(name, f"{places.file.path}: sample {name}", places)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in _text(path).splitlines() if line.strip()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"cannot read {path}: {error}") from error
