"""A folder of tars that is read in sequence: what it holds, and reading ranges of it.

Either `datacomp reshard` wrote it, and its manifest and the places beside the tars say all; or it
holds any webdataset tars, which are indexed once (`tar_index`). Local, or behind an fsspec URL.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import ShardsError, TrainingError
from datacomp.files import sha256_json
from datacomp.pool import Sample
from datacomp.pool.folder import File, Folder, ReadAt
from datacomp.pool.indexing import StartProgress, silent
from datacomp.pool.shard_index import BrokenOffError, Group, groups, uid_in
from datacomp.pool.tar import BLOCK, printable
from datacomp.shards.output import JOURNAL, MANIFEST
from datacomp.shards.places import PLACES_SUFFIX, places_bytes, read_places
from datacomp.shards.reshard import FORMAT
from datacomp.subset import UidArray, format_uids

# Waits before a read from a store is tried again; a local disk is asked once.
RETRY_SECONDS = (1.0, 4.0, 15.0)
_PIECE = 16 * 2**20
# What is read of a manifest, and of what kind it is.
_MANIFEST: dict[str, Any] = {
    "identity": {"format": str, "pool_id": str, "subset_sha256": str, "duplicates": str},
    "pool_problems": dict,
    "pool_rows": int,
    "shards": [{"name": str, "samples": int, "bytes": int, "sha256": str | None}],
    "skipped": {"unknown_uid": {"entries": int}, "other_input_shards": {"entries": int}},
    "subset": {"n": int, "n_unique": int},
}


@dataclass(frozen=True)
class Tar:
    """One tar of a source: its samples lie where the file `places` says."""

    name: str
    n: int
    size: int
    sha256: str | None
    places: str


@dataclass(frozen=True, eq=False)
class Source:
    """Tars by name, and what they are: `sha256` does not depend on where they lie.

    `beside` is the folder of the places; `manifest` is that of `datacomp reshard`, None for other
    tars; `without_picture` counts samples of these that are left out.
    """

    folder: Folder
    tars: tuple[Tar, ...]
    beside: Folder
    sha256: str
    manifest: dict[str, Any] | None
    without_picture: int = 0

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Samples of each tar."""
        return np.array([tar.n for tar in self.tars], np.int64)

    @property
    def n(self) -> int:
        """Samples in all."""
        return int(self.counts.sum())

    @property
    def name(self) -> str:
        """The last piece of its path."""
        return self.folder.full("").rstrip("/").rsplit("/", 1)[-1] or "tars"

    def places(self, tar: int, first: int, last: int) -> tuple[UidArray, npt.NDArray[np.int64]]:
        """Uids of the samples from `first` to before `last`, and one offset more than those."""
        path = self.tars[tar].places
        try:
            return read_places(partial(read_again, self.beside, path), first, last)
        except ShardsError as error:
            raise TrainingError(f"{self.beside.full(path)} is damaged: {error}. {_COPY}") from error

    def read(self, tar: int, offset: int, size: int) -> bytes:
        """A range of a tar; `TrainingError` if it cannot be read, or is not there."""
        data = read_again(self.folder, self.tars[tar].name, offset, size)
        if len(data) < size:
            raise self._changed(tar, f"it ends at byte {offset + len(data):,}")
        return data

    def sample(self, tar: int, uid: str, offset: int, span: bytes | memoryview) -> Sample:
        """The sample of this uid that begins at `offset`, from its bytes."""
        data = bytes(span) + bytes(BLOCK)

        def read(at: int, size: int) -> bytes:
            return data[at : at + size]

        try:
            group = next(groups(read, len(data)), None)
        except BrokenOffError as error:
            raise self._changed(tar, f"at byte {offset:,} it {error}") from error
        if group is None or (image := group.image) is None or self._uid(tar, group, read) != uid:
            found = f"sample {printable(group.key)!r}" if group else "no sample"
            raise self._changed(tar, f"at byte {offset:,} there is {found}, not {uid}")
        text = group.members.get("txt")
        return Sample(
            uid=uid,
            key=printable(group.key),
            shard=self.folder.full(self.tars[tar].name),
            image=read(image.offset, image.size),
            caption=read(text.offset, text.size).decode(errors="replace") if text else None,
        )

    def _uid(self, tar: int, group: Group, read: ReadAt) -> str:
        return sample_uid(group, read, self.tars[tar].sha256 or "")

    def _changed(self, tar: int, told: str) -> TrainingError:
        path = self.folder.full(self.tars[tar].name)
        return TrainingError(f"{path} is not the tar that was indexed: {told}. {_COPY}")


_COPY = "Copy the folder again, whole, and train into another --output-dir if it was changed."


def open_source(url: str, progress: StartProgress = silent) -> Source:
    """The tars at `url`, indexed if need be; `TrainingError` names one that is not what it was."""
    folder = Folder(url)
    tars = folder.files("", ".tar")
    if (manifest := _manifest(folder)) is not None:
        return _resharded(folder, tars, manifest)
    if not tars:
        hint = f" A pool's tars are in {url}/shards." if folder.files("shards", ".tar") else ""
        raise TrainingError(f"there are no tars in {url}.{hint}")
    from datacomp.training.tar_index import index_tars

    return index_tars(folder, tars, progress)


def _manifest(folder: Folder) -> dict[str, Any] | None:
    if folder.exists(JOURNAL):
        raise TrainingError(f"{folder.url} is not whole: run its datacomp reshard to the end")
    try:
        value: dict[str, Any] = json.loads(folder.read_bytes(MANIFEST))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise TrainingError(f"{folder.full(MANIFEST)} is not JSON: {error}") from error
    try:
        found = value["identity"]["format"]
    except (KeyError, TypeError):
        found = None
    told = f"is of format {found}" if found != FORMAT else _not_like(value, _MANIFEST)
    if told:
        raise TrainingError(
            f"{folder.full(MANIFEST)} {told}, expected {FORMAT}: another version wrote it. Run "
            "datacomp reshard again, with --overwrite"
        )
    return value


def _not_like(value: Any, like: Any, where: str = "") -> str | None:
    """What of some JSON is not like a pattern of kinds, the first; None if all of it is."""
    if isinstance(like, dict):
        if not isinstance(value, dict):
            return f"has no object at {where[:-1]}"
        if lacking := like.keys() - value.keys():
            return f"lacks {', '.join(where + name for name in sorted(lacking))}"
        parts = [(value[name], kind, f"{where}{name}.") for name, kind in like.items()]
    elif isinstance(like, list):
        if not isinstance(value, list):
            return f"has no list at {where[:-1]}"
        parts = [(each, like[0], f"{where}{number}.") for number, each in enumerate(value)]
    else:
        return None if isinstance(value, like) else f"has {value!r} at {where[:-1]}"
    return next((told for part in parts if (told := _not_like(*part))), None)


def _resharded(folder: Folder, tars: tuple[File, ...], manifest: dict[str, Any]) -> Source:
    sizes = {file.name: file.size for file in (*tars, *folder.files("", PLACES_SUFFIX))}
    known = []
    for shard in manifest["shards"]:
        places = shard["name"].removesuffix(".tar") + PLACES_SUFFIX
        expected = {shard["name"]: shard["bytes"], places: places_bytes(shard["samples"])}
        for name, size in expected.items():
            if sizes.get(name) != size:
                found = f"has {sizes[name]:,} bytes" if name in sizes else "is missing"
                raise TrainingError(
                    f"{folder.full(name)} {found}, {MANIFEST} says {size:,}. {_COPY}"
                )
        known.append(Tar(shard["name"], shard["samples"], shard["bytes"], shard["sha256"], places))
    if strange := sorted({file.name for file in tars} - {tar.name for tar in known}):
        raise TrainingError(f"{folder.full(strange[0])} is not in {MANIFEST}. {_COPY}")
    # What decides the bytes, and how many came of it; whether they were hashed too is no matter.
    identity = {key: value for key, value in manifest["identity"].items() if key != "sha256"}
    written = [[tar.n, tar.size] for tar in known]
    return Source(folder, tuple(known), folder, sha256_json([identity, written]), manifest)


def check_hashes(source: Source) -> int:
    """Read all tars whose sha256 is known, and count them; `TrainingError` names a changed one."""
    hashed = [tar for tar in source.tars if tar.sha256]
    for tar in hashed:
        digest = hashlib.sha256()
        for piece in read_pieces(source.folder, tar.name, tar.size):
            digest.update(piece)
        if digest.hexdigest() != tar.sha256:
            raise TrainingError(
                f"{source.folder.full(tar.name)} has sha256 {digest.hexdigest()}, expected "
                f"{tar.sha256}. {_COPY}"
            )
    return len(hashed)


def sample_uid(group: Group, read: ReadAt, tar_sha256: str) -> str:
    """The uid of a sample's json member, or a hash of its tar and key; 32 lower-case hex digits."""
    if found := uid_in(read, group.members.get("json")):
        return found.lower()
    return sha256_json([tar_sha256, printable(group.key)])[:32]


def uid_text(uids: UidArray, row: int) -> str:
    """One of some uids as hex."""
    return format_uids(uids[row : row + 1])[0]


def read_pieces(folder: Folder, path: str, size: int) -> Iterator[bytes]:
    """A whole file in large pieces."""
    for offset in range(0, size, _PIECE):
        yield read_again(folder, path, offset, min(_PIECE, size - offset))


def read_again(folder: Folder, path: str, offset: int, size: int) -> bytes:
    """A range of a file; from a store it is asked for up to four times.

    Stores' clients raise errors of many kinds; whatever the last one was is in the message.
    """
    remote = folder.local is None
    for wait in (*(RETRY_SECONDS if remote else ()), None):
        try:
            return folder.read_range(path, offset, size)
        except Exception as error:
            gone = isinstance(error, FileNotFoundError)
            if not (remote or isinstance(error, OSError)):
                raise
            if wait is None or gone:
                tried = f" after {len(RETRY_SECONDS) + 1} tries" if remote and not gone else ""
                raise TrainingError(
                    f"{folder.full(path)} cannot be read at byte {offset:,}{tried}: {error}. "
                    "Mend that and run the same command again."
                ) from error
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")
