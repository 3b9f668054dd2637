"""The index of one shard: where each sample's members lie, and what is wrong with the shard.

Made from headers and the small json members; pictures are read only to verify them. Saved as one
npz per shard, so that an interrupted indexing goes on where it stopped.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.pool.folder import File, Folder, ReadAt
from datacomp.pool.manifest import Problem
from datacomp.pool.samples import INDEX, SAMPLE_DTYPE, decode_image
from datacomp.pool.tar import Member, TarDamageError, members, printable, split_name
from datacomp.subset.uids import UidArray, parse_uids

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp")
FORMAT = 3
_MAX_SPAN = 2**32 - 1
_UID = re.compile("[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class ShardIndex:
    """The samples of one shard in file order; field `shard` of `samples` is left 0.

    `was_read` is False where the file could not be read this time: not to be kept, try again.
    """

    uids: UidArray
    samples: npt.NDArray[Any]
    keys: npt.NDArray[np.bytes_]
    problems: tuple[Problem, ...]
    was_read: bool = True


@dataclass(frozen=True)
class Group:
    """The members of one sample by lower-case suffix."""

    key: str
    members: dict[str, Member]

    @property
    def image(self) -> Member | None:
        """The picture."""
        return next((m for s in IMAGE_SUFFIXES if (m := self.members.get(s))), None)

    @property
    def start(self) -> int:
        """Offset of its first header."""
        return min(member.start for member in self.members.values())

    @property
    def size(self) -> int:
        """Bytes from there to the end of the last member's padding."""
        return max(member.end for member in self.members.values()) - self.start


def index_shard(folder: Folder, shard: File, *, verify_images: bool) -> ShardIndex:
    """Index one tar. A damaged tar is indexed up to the damage, which becomes a `Problem`."""
    uids: list[str] = []
    keys: list[bytes] = []
    rows: list[tuple[int, ...]] = []
    problems: list[Problem] = []
    was_read = True

    def problem(kind: str, key: str | None, detail: str) -> None:
        problems.append(Problem(kind, shard.path, key and printable(key), detail))

    try:
        with folder.reader(shard.path) as read:
            for group in groups(read, shard.size):
                image = group.image
                text, meta = group.members.get("txt"), group.members.get("json")
                uid = uid_in(read, meta)
                if uid is None or meta is None:
                    found = (
                        "no json member" if meta is None else "a json member without a valid uid"
                    )
                    problem("no_uid", group.key, f"has {found}; it cannot be found by uid")
                    continue
                if image is None:
                    problem("no_image", group.key, f"uid {uid} has no picture in the shard")
                    continue
                if text is None:
                    problem("null_caption", group.key, f"uid {uid} has no txt member")
                if verify_images and (damage := _damage(read(image.offset, image.size))):
                    problem("corrupt_image", group.key, f"uid {uid}: {damage}")
                if group.size > _MAX_SPAN:
                    problem("no_image", group.key, f"uid {uid} is larger than 4 GiB")
                    continue
                uids.append(uid)
                keys.append(group.key.encode(errors="surrogateescape"))
                rows.append(_row(image, text, meta, group))
    except BrokenOffError as error:
        lost = f"; sample {printable(error.lost)} is cut" if error.lost else ""
        detail = f"{error.damage}. The {len(uids):,} samples before it are intact{lost}."
        problem("truncated_tar", error.lost, detail)
    except OSError as error:
        problem("truncated_tar", None, f"cannot be read: {error}")
        was_read = False
    samples = np.array(rows, SAMPLE_DTYPE)
    return ShardIndex(parse_uids(uids), samples, np.array(keys, "S"), tuple(problems), was_read)


def save(folder: Folder, shard: File, index: ShardIndex, *, verify_images: bool) -> None:
    """Keep a shard's index under `index/shards/`, with the stamp of the file it belongs to."""
    note = {
        **_identity(shard),
        "verified": verify_images,
        "problems": [asdict(problem) for problem in index.problems],
    }
    with folder.create(_path(shard)) as file:
        np.savez(
            file,
            uids=index.uids,
            samples=index.samples,
            keys=index.keys,
            note=np.frombuffer(json.dumps(note).encode(), np.uint8),
        )


def load(folder: Folder, shard: File, *, verify_images: bool) -> ShardIndex | None:
    """The kept index of a shard; None if there is none, or the shard changed since."""
    try:
        with np.load(io.BytesIO(folder.read_bytes(_path(shard))), allow_pickle=False) as arrays:
            note = json.loads(arrays["note"].tobytes())
            if any(note.get(key) != value for key, value in _identity(shard).items()):
                return None
            if verify_images and not note["verified"]:
                return None
            problems = tuple(Problem(**problem) for problem in note["problems"])
            return ShardIndex(arrays["uids"], arrays["samples"], arrays["keys"], problems)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def has_changed(folder: Folder, shard: File) -> bool:
    """Whether a shard is not the file that was indexed, as far as its stamp tells.

    A local file's stamp is its time, a store's is whatever the store tells; where one is of the
    first kind and one of the other, the pool was moved, and the stamps tell nothing.
    """
    try:
        with folder.open(_path(shard)) as file, np.load(file, allow_pickle=False) as arrays:
            stamp = str(json.loads(arrays["note"].tobytes())["stamp"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False
    return stamp != shard.stamp and stamp.isdecimal() == shard.stamp.isdecimal()


class BrokenOffError(Exception):
    """A tar has no more whole samples; `lost` is the key of the one that is cut, if one is."""

    def __init__(self, damage: str, lost: str | None) -> None:
        super().__init__(damage)
        self.damage, self.lost = damage, lost


def groups(read: ReadAt, size: int) -> Iterator[Group]:
    """Neighbouring members with the same key; `BrokenOffError` after the last whole group.

    A suffix that comes again begins another sample of the same key. Files that are of no sample
    may stand between.
    """
    group: Group | None = None
    try:
        for member in members(read, size):
            name = split_name(member.name)
            if name is None:
                continue
            key, suffix = name
            if group is not None and (group.key != key or suffix.lower() in group.members):
                yield group
                group = None
            group = group or Group(key, {})
            group.members[suffix.lower()] = member
    except TarDamageError as error:
        name = split_name(error.member) if error.member else None
        cut = name and name[0]
        if group is not None and (_is_whole(group) or cut not in (None, group.key)):
            yield group
        elif group is not None:
            cut = group.key
        raise BrokenOffError(str(error), cut) from error
    if group is not None:
        yield group


def _is_whole(group: Group) -> bool:
    """Whether nothing can be missing from the last group of a tar that broke off."""
    return {"txt", "json"} <= group.members.keys() and any(
        s in group.members for s in IMAGE_SUFFIXES
    )


def uid_in(read: ReadAt, meta: Member | None) -> str | None:
    """The uid of a sample's json member; None if it has no valid one."""
    if meta is None:
        return None
    try:
        uid = json.loads(read(meta.offset, meta.size))["uid"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return uid if isinstance(uid, str) and _UID.fullmatch(uid) else None


def _damage(image: bytes) -> str | None:
    try:
        decode_image(image)
    except ValueError as error:
        return f"the picture cannot be decoded: {error}"
    return None


def _row(image: Member, text: Member | None, meta: Member, group: Group) -> tuple[int, ...]:
    text_place = (text.offset, text.size) if text else (0, -1)
    span = (group.start, group.size)
    return (0, image.offset, image.size, *text_place, meta.offset, meta.size, *span)


def _identity(shard: File) -> dict[str, Any]:
    return {"format": FORMAT, "path": shard.path, "size": shard.size, "stamp": shard.stamp}


def _path(shard: File) -> str:
    return f"{INDEX}/shards/{shard.stem}.npz"
