"""Tars that nobody indexed: read whole once, for their hashes and where their samples lie.

What was found is kept in the cache by place, size and time of each tar, so that the next run, and
one that was stopped, reads only what is new. A tar from a store is copied to a temporary file.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from datacomp.errors import TrainingError
from datacomp.files import sha256_file, sha256_json, write_json
from datacomp.pool.folder import File, Folder
from datacomp.pool.indexing import StartProgress
from datacomp.pool.shard_index import BrokenOffError, groups
from datacomp.shards.places import PLACES_SUFFIX, write_places
from datacomp.subset import parse_uids
from datacomp.training.tars import Source, Tar, read_pieces, sample_uid
from datacomp.workspace import cache_dir

FORMAT = 1
_THREADS = 4


def index_tars(folder: Folder, tars: Sequence[File], progress: StartProgress) -> Source:
    """The source that these tars are; `TrainingError` names one that is cut or damaged."""
    cache = cache_dir() / "tars"
    place = str(folder.local.resolve()) if folder.local is not None else folder.url
    keys = [sha256_json([FORMAT, place, tar.name, tar.size, tar.stamp]) for tar in tars]
    # Processes that start together begin at different tars, and find what the others did.
    todo = [number for number, key in enumerate(keys) if not (cache / f"{key}.json").exists()]
    turn = os.getpid() % len(todo) if todo else 0
    total = sum(tars[number].size for number in todo)
    with (
        progress("indexing tars", total, unit="bytes") as bar,
        ThreadPoolExecutor(_THREADS, thread_name_prefix="index") as threads,
    ):
        order = todo[turn:] + todo[:turn]
        work = threads.map(lambda k: _index(folder, tars[k], cache, keys[k]), order)
        for number, _ in zip(order, work, strict=True):
            bar.advance(tars[number].size, tars[number].name)
    notes = [json.loads((cache / f"{key}.json").read_text()) for key in keys]
    if not sum(note["n"] for note in notes):
        raise TrainingError(f"the tars in {folder.url} hold no sample with a picture")
    return Source(
        folder,
        tuple(
            Tar(tar.name, note["n"], tar.size, note["sha256"], key + PLACES_SUFFIX)
            for tar, note, key in zip(tars, notes, keys, strict=True)
        ),
        beside=Folder(str(cache)),
        sha256=sha256_json([note["sha256"] for note in notes]),
        manifest=None,
        without_picture=sum(note["without_picture"] for note in notes),
    )


def _index(folder: Folder, tar: File, cache: Path, key: str) -> None:
    if (cache / f"{key}.json").exists():
        return
    with _local(folder, tar) as (path, sha256):
        note = _walk(folder, tar, path, sha256, cache / (key + PLACES_SUFFIX))
    write_json(cache / f"{key}.json", {**note, "sha256": sha256, "name": tar.name})


@contextmanager
def _local(folder: Folder, tar: File) -> Iterator[tuple[Path, str]]:
    """The tar on this machine, and its sha256."""
    if folder.local is not None:
        path = folder.local / tar.path
        yield path, sha256_file(path)
        return
    with tempfile.TemporaryDirectory(prefix="datacomp-") as temporary:
        path, digest = Path(temporary) / "tar", hashlib.sha256()
        with path.open("wb") as file:
            for piece in read_pieces(folder, tar.path, tar.size):
                digest.update(piece)
                file.write(piece)
        yield path, digest.hexdigest()


def _walk(folder: Folder, tar: File, path: Path, sha256: str, places: Path) -> dict[str, Any]:
    """Write the places of the samples with a picture; count these, and those without."""
    uids: list[str] = []
    offsets: list[int] = []
    end = without_picture = 0
    with Folder(str(path.parent)).reader(path.name) as read:
        try:
            for group in groups(read, path.stat().st_size):
                if group.image is None:
                    without_picture += 1
                    continue
                uids.append(sample_uid(group, read, sha256))
                offsets.append(group.start)
                end = group.start + group.size
        except BrokenOffError as error:
            raise TrainingError(
                f"{folder.full(tar.path)} {error}. Its {len(uids):,} samples before that are "
                "whole. Fetch it again, or take it out of the folder."
            ) from error
    write_places(places, parse_uids(uids), np.array([*offsets, end], np.int64))
    return {"n": len(uids), "without_picture": without_picture}
