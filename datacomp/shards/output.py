"""The folder that shards are written to: what it was made from, and what in it is finished.

    00000000.tar, 00000000_stats.json, ...   the shards
    00000000_samples.npy, ...                where their samples lie
    .reshard.jsonl                           while at work: the identity, then a line per shard
    shards.json                              at the end, instead: the manifest

The identity says everything that decides the bytes. A folder with another identity, or with shards
that nothing here wrote, is refused, so that old and new shards never stand side by side.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datacomp.errors import ShardsError, UsageError
from datacomp.files import locked, write_bytes, write_json
from datacomp.pool.folder import Folder
from datacomp.shards.plan import NAME_FORMAT, PLACES_FORMAT, STATS_FORMAT
from datacomp.shards.writer import ShardRecord

JOURNAL, MANIFEST, SKIPPED = ".reshard.jsonl", "shards.json", "skipped.npy"
_OURS = re.compile(
    r"\d+\.tar|\d+_(stats\.json|samples\.npy)|shards\.json|\.reshard\.jsonl|skipped\.npy(\.lock\.json)?"
)
_TEMPORARY = re.compile(r"\..+\.tmp")
_REMEDY = "Name another folder, or pass --overwrite to remove what is in it."


class Output:
    """A folder that is written by one reshard at a time; use `open_output`.

    `finished` are the shards that are there, by number; `manifest` is None until all are.
    """

    def __init__(self, path: Path, finished: dict[int, ShardRecord], manifest: Any) -> None:
        self.path, self.finished = path, finished
        self.manifest: dict[str, Any] | None = manifest

    def record(self, shard: ShardRecord) -> None:
        """Remember that a shard is finished."""
        self.finished[shard.number] = shard
        with writing(self.path), (self.path / JOURNAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(shard)) + "\n")

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, which says that every shard is there."""
        shards = [
            {"name": NAME_FORMAT.format(number), **asdict(self.finished[number])}
            for number in sorted(self.finished)
        ]
        self.manifest = {**manifest, "shards": shards}
        with writing(self.path):
            write_json(self.path / MANIFEST, self.manifest)
            (self.path / JOURNAL).unlink(missing_ok=True)
            # Workers of a killed run may have left another one after the folder was taken.
            _remove(self.path, _TEMPORARY)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of what the system refuses that it is about this folder: `ShardsError`."""
    try:
        yield
    except OSError as error:
        raise ShardsError(
            f"the output folder {path} cannot be written: {error}. Mend that and run the same "
            "command again, or name another folder; finished shards are kept."
        ) from error


@contextmanager
def open_output(
    path: Path, identity: Mapping[str, Any], stamp: str, *, overwrite: bool
) -> Iterator[Output]:
    """Take the folder, and find what an earlier run with the same identity finished.

    `stamp` must be the same too while the earlier run is not finished. Raises `ShardsError` for a
    folder of another identity or with other shards (unless they are to be removed), and for one
    that another process is writing, or that cannot be written.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    with locked(path, ShardsError(f"another process is writing to {path}")):
        with writing(path):
            output = _taken(path, identity, stamp, overwrite=overwrite)
        yield output


def _taken(path: Path, identity: Mapping[str, Any], stamp: str, *, overwrite: bool) -> Output:
    _remove(path, _TEMPORARY)
    if overwrite:
        _remove(path, _OURS)
    records = _earlier(path, identity, stamp)
    finished = {shard.number: shard for shard in records if _is_there(path, shard)}
    manifest = _read_json(path / MANIFEST)
    if manifest is None or len(finished) < len(records):
        lines = [{"identity": identity, "stamp": stamp}, *map(asdict, finished.values())]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        write_bytes(path / JOURNAL, text.encode())
        (path / MANIFEST).unlink(missing_ok=True)
        manifest = None
    return Output(path, finished, manifest)


def require_apart(path: Path, pool: Folder) -> None:
    """`UsageError` if the output folder is the pool, in it, or around it."""
    if pool.local is None:
        return
    inner, outer = path.resolve(), pool.local.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise UsageError(f"the output folder {path} and the pool {outer} must be apart")


def _remove(path: Path, names: re.Pattern[str]) -> None:
    for name in os.listdir(path):
        if names.fullmatch(name):
            (path / name).unlink()


def _earlier(path: Path, identity: Mapping[str, Any], stamp: str) -> list[ShardRecord]:
    """What an earlier run says that it finished; `ShardsError` unless it is to be gone on with."""
    manifest, journal = _read_json(path / MANIFEST), _read_journal(path / JOURNAL)
    if manifest is not None:
        _require_same(path, manifest.get("identity", {}), identity)
        return [_record(line) for line in manifest["shards"]]
    if journal:
        _require_same(path, journal[0]["identity"], identity)
        if journal[0]["stamp"] != stamp:
            raise ShardsError(
                f"the pool's shards changed since the reshard into {path} began. {_REMEDY}"
            )
        return [_record(line) for line in journal[1:]]
    if found := sorted(name for name in os.listdir(path) if name.endswith(".tar")):
        ours = any(_OURS.fullmatch(name) for name in found)
        raise ShardsError(
            f"{path} holds {len(found):,} tars, the first one {found[0]}, and nothing says what "
            f"they were made from. {_REMEDY if ours else 'Move them away, or name another folder.'}"
        )
    return []


def _record(line: Mapping[str, Any]) -> ShardRecord:
    return ShardRecord(**{key: value for key, value in line.items() if key != "name"})


def _require_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    keys = sorted(found.keys() | wanted.keys())
    other = [key for key in keys if found.get(key) != wanted.get(key)]
    if other:
        differences = ", ".join(
            f"{key} was {_short(found.get(key))}, is {_short(wanted.get(key))}" for key in other
        )
        raise ShardsError(f"{path} holds shards of another reshard: {differences}. {_REMEDY}")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:12] + "…"


def _is_there(path: Path, shard: ShardRecord) -> bool:
    tar = path / NAME_FORMAT.format(shard.number)
    beside = (path / form.format(shard.number) for form in (STATS_FORMAT, PLACES_FORMAT))
    return (
        tar.is_file()
        and tar.stat().st_size == shard.bytes
        and all(file.is_file() for file in beside)
    )


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ShardsError(f"{path} is not JSON: {error}. {_REMEDY}") from error
    return value


def _read_journal(path: Path) -> list[dict[str, Any]]:
    """Its lines up to the first that was not written whole."""
    lines: list[dict[str, Any]] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
    return lines
