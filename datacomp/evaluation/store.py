"""Features on disk: what an encoder gave, in files that are whole or not there.

    <root>/hashes/                          sha256 of tars, see `hashes`
    <root>/<encoder>/images/<tar>-000.npz   rows of 2,048 pictures of a tar, digests of their bytes
    <root>/<encoder>/classes/<templates>/   rows of classes, and their names
    <root>/<encoder>/texts/                 rows of captions and cues

`<encoder>` is the start of the hash of `Encoder.identity`, `<tar>` the sha256 of the tar. Every
file names what it was made from and carries checksums; one that is damaged or of something else is
counted and taken as absent. Removing `<root>` costs only the time to compute it again.
"""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import EvaluationError
from datacomp.evaluation.claims import claim
from datacomp.evaluation.hashes import FileHashes
from datacomp.files import write_bytes

Arrays = Mapping[str, npt.NDArray[Any]]

_MADE_FROM = "made_from"


class FeatureStore:
    """The features of one encoder below `root`."""

    def __init__(self, root: Path, identity: str) -> None:
        self.identity = identity
        self.folder = root / hashlib.sha256(identity.encode()).hexdigest()[:16]
        self.hashes = FileHashes(root / "hashes")
        self.damaged: set[str] = set()

    def get(
        self, name: str, n: int, compute: Callable[[], Arrays], *, wait: bool = True
    ) -> Arrays | None:
        """What `read` gives, or else what `compute` gives, written for others.

        None if another process is at it, unless told to `wait` for that process.
        """
        found = self.read(name, n)
        if found is not None:
            return found
        with claim(self._path(name).with_suffix(".lock"), wait=wait) as mine:
            if not mine:
                return None
            found = self.read(name, n)
            if found is None:
                found = compute()
                self.write(name, found)
            return found

    def read(self, name: str, n: int | None = None) -> Arrays | None:
        """The arrays of that name, `rows` (n, d) float32 among them; None if not there or damaged.

        All arrays are as long as `rows`, which with `n` are that many.
        """
        found = self._load(name)
        if found is not None and not _whole(found, n):
            self.damaged.add(name)
            return None
        return found

    def digests(self, name: str) -> npt.NDArray[Any] | None:
        """The array `digests` of that name alone; None if not there or damaged."""
        found = self._load(name, ("digests",))
        return None if found is None else found["digests"]

    def write(self, name: str, arrays: Arrays) -> None:
        """Write arrays that `read` will give back."""
        buffer = io.BytesIO()
        made_from = np.array(self._made_from(name))
        np.savez(buffer, allow_pickle=False, **{_MADE_FROM: made_from, **arrays})
        path = self._path(name)
        try:
            write_bytes(path, buffer.getvalue())
        except OSError as error:
            raise EvaluationError(
                f"cannot write {path}: {error.strerror}. Features take 2 KB a picture at 512 "
                "dimensions; free space, or name another --output-dir"
            ) from error

    def has(self, name: str) -> bool:
        """Whether there is a file of that name, whole or not."""
        return self._path(name).exists()

    def names(self, kind: str) -> list[str]:
        """Names of all files of a kind (`images`), sorted."""
        return sorted(f"{kind}/{path.stem}" for path in (self.folder / kind).glob("*.npz"))

    def _load(self, name: str, keys: Sequence[str] = ()) -> Arrays | None:
        try:
            with self._path(name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                if str(arrays[_MADE_FROM]) != self._made_from(name):
                    raise ValueError(name)
                return {key: arrays[key] for key in keys or arrays if key != _MADE_FROM}
        except FileNotFoundError:
            return None
        except Exception:  # a damaged archive raises whatever its bytes lead to
            self.damaged.add(name)
            return None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _made_from(self, name: str) -> str:
        return f"{self.identity} {name}"


def _whole(arrays: Arrays, n: int | None) -> bool:
    rows = arrays.get("rows")
    return (
        rows is not None
        and rows.dtype == np.float32
        and rows.ndim == 2
        and n in (None, len(rows))
        and all(array.shape[:1] == rows.shape[:1] for array in arrays.values())
        and bool(np.isfinite(rows).all())
    )
