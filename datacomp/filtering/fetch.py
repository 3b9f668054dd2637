"""Fetch released assets: streamed, resumed where it stopped, verified, and there whole or not."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

import httpx

from datacomp.errors import FilterError
from datacomp.filtering.assets import Release, RemoteFile, folders, hash_once, locate
from datacomp.progress import NoProgress, Progress

ATTEMPTS = 5
TIMEOUT_SECONDS = 60.0
_PASSING = (408, 425, 429, 500, 502, 503, 504)


ShowProgress = Callable[[str, int, int], AbstractContextManager[Progress]]
"""Opens a progress for a file: its name, its bytes in all, and those that are here already."""


class _Broken(Exception):
    """The transfer stopped; another attempt may go on from there."""


def fetch(
    release: Release,
    show: ShowProgress | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[Path, ...]:
    """Make sure that all files of a release are on this machine; returns their paths.

    What is missing, or not the released content, goes into the cache; what breaks off is taken up
    again, `ATTEMPTS` times with growing pauses by `wait`, and by the next call. `FilterError`
    if a file cannot be had, or has other content than was released.
    """
    return tuple(_file(file, show or _nothing_shown, wait) for file in release.files)


def _file(file: RemoteFile, show: ShowProgress, wait: Callable[[float], None]) -> Path:
    present = locate(file)
    if present is not None and hash_once(present) == file.sha256:
        return present
    target = folders()[-1] / file.file
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{file.file}.part")
    with part.open("ab") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FilterError(
                f"another process is fetching {file.file} into {target.parent}. Wait for it"
            ) from None
        _transfer(file, out, show, wait)
        out.flush()
        os.fsync(out.fileno())
        with part.open("rb") as whole:
            found = hashlib.file_digest(whole, "sha256").hexdigest()
        size = part.stat().st_size
        if found != file.sha256:
            part.unlink()
            raise FilterError(
                f"{file.url} gave {size:,} bytes with sha256 {found}, expected {file.sha256}. "
                "Nothing was kept: the file has changed, or something on the way answers for it"
            )
        part.replace(target)
    return target


def _transfer(
    file: RemoteFile, out: IO[bytes], show: ShowProgress, wait: Callable[[float], None]
) -> None:
    """Fill the partial file; another attempt goes on where the one before stopped."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(file, out, show)
        except httpx.ConnectError as error:
            raise FilterError(
                f"{file.url} cannot be reached: {error}. Without a network, copy the file from "
                f"elsewhere into {folders()[-1]} as {file.file}"
            ) from error
        except (_Broken, httpx.TransportError) as error:
            if attempt == ATTEMPTS:
                raise FilterError(
                    f"{file.url} could not be fetched in {ATTEMPTS} attempts: {error or 'broken'}. "
                    f"{out.tell():,} bytes are kept; the same command goes on from there"
                ) from error
            wait(2.0**attempt)


def _attempt(file: RemoteFile, out: IO[bytes], show: ShowProgress) -> None:
    have = out.seek(0, os.SEEK_END)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream(
        "GET", file.url, headers=headers, follow_redirects=True, timeout=TIMEOUT_SECONDS
    ) as response:
        if response.status_code in _PASSING:
            raise _Broken(f"status {response.status_code}")
        if response.status_code == 416:
            return  # Nothing lies beyond what we have: the hash will tell whether it is all.
        if response.status_code not in (200, 206):
            raise FilterError(
                f"{file.url} answered {response.status_code} {response.reason_phrase}. If it has "
                f"moved, put the file into {folders()[-1]} by hand as {file.file}"
            )
        resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status_code == 200 or not resumed:
            out.truncate(0)
            if response.status_code == 206:
                raise _Broken("it sent another range than asked for")
            have = 0
        length = int(response.headers.get("Content-Length", 0))
        with (show if length else _nothing_shown)(file.file, have + length, have) as shown:
            for chunk in response.iter_raw():  # a size would hold back, and lose, what came so far
                out.write(chunk)
                shown.advance(len(chunk))


def _nothing_shown(name: str, total: int, done: int) -> AbstractContextManager[Progress]:
    return nullcontext(NoProgress())
