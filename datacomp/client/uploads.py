"""Sending a file to the service, which goes on where it was after whatever cut it off.

    upload_file(connection, Path("subset.npy"), progress=print)

The service says how much of the file is safe; no more than one slice is ever sent for nothing.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datacomp.client.connection import Connection, json_object
from datacomp.client.errors import RefusedError, UnauthorisedError
from datacomp.errors import ServiceError, UsageError

SLICE_BYTES = 64 * 2**20
PIECE_BYTES = 256 * 1024
# Tries in a row that brought nothing on, with pauses of 1, 2, 4, ... up to so many seconds.
FRUITLESS_TRIES = 10
LONGEST_PAUSE_SECONDS = 30.0
MOST_SECONDS_ASKED_FOR = 600.0  # by the service
# The upload is at another place than we thought, or our own broken request still holds it.
_ASK_AGAIN = ("wrong_offset", "upload_busy")


def upload_file(
    connection: Connection,
    path: Path,
    *,
    sha256: str | None = None,
    lease_id: str | None = None,
    progress: Callable[[int], None] = lambda received: None,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Hand in a file, unless the service has it from us already; returns its hex sha256.

    `sha256` if it is known already; `lease_id` of a worker's job. `progress` is told how many
    bytes are safe, `pause` how many seconds to wait before another try. `RefusedError` if the
    service does not take the file, `ServiceError` if it stays out of reach, `UsageError` if the
    file is empty or changes meanwhile.
    """
    size = path.stat().st_size
    if size == 0:
        raise UsageError(f"{path} is empty; there is nothing to upload")
    if sha256 is None:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    declared = {"sha256": sha256, "size": size, "lease_id": lease_id}
    sending = _Sending(connection, path, {k: v for k, v in declared.items() if v is not None})
    fruitless = 0
    while not sending.complete:
        before = sending.received
        known = sending.known
        try:
            sending.go_on()
            progress(sending.received)
            if known and not sending.complete and sending.received <= before:
                raise ServiceError(f"the service took none of the bytes of {path.name} it was sent")
        except (RefusedError, ServiceError) as error:
            wait = _wait(error, fruitless, declared=sending.known)
            if wait is None or fruitless >= FRUITLESS_TRIES:
                raise
            sending.known = False
            fruitless += 1
            pause(wait)
        if sending.received > before:
            fruitless = 0
    return sha256


class _Sending:
    """One file under way; `known` says whether we know how much of it is safe."""

    def __init__(self, connection: Connection, path: Path, declared: dict[str, Any]) -> None:
        self.connection, self.path, self.declared = connection, path, declared
        self.received, self.complete, self.known = 0, False, False
        self.id: str | None = None

    def go_on(self) -> None:
        """Ask where the upload is, if need be, or send the next slice."""
        if self.known:
            body = self._slice()
            answer = json_object(
                self.connection.call(
                    "append_upload", upload_id=self.id, upload_offset=self.received, content=body
                )
            )
        else:
            # also where it is open already: the same declaration gives the same upload
            answer = self.connection.read("create_upload", json=self.declared)
        self.received, self.complete = _place(answer, self.declared["size"])
        self.id, self.known = answer.get("id"), True

    def _slice(self) -> Iterator[bytes]:
        size: int = self.declared["size"]
        stop = min(size, self.received + SLICE_BYTES)
        with self.path.open("rb") as file:
            file.seek(self.received)
            while (here := file.tell()) < stop:
                if not (piece := file.read(min(PIECE_BYTES, stop - here))):
                    raise UsageError(f"{self.path} changed while it was uploaded; begin again")
                yield piece


def _place(answer: Mapping[str, Any], size: int) -> tuple[int, bool]:
    """How many bytes are safe, and whether that is all; `ServiceError` if it says neither."""
    received, complete = answer.get("received"), answer.get("complete")
    whole = complete is True and received == size
    if not whole and not (isinstance(answer.get("id"), str) and complete is False):
        raise ServiceError("the service answered in no form of an upload that this client knows")
    if type(received) is not int or not 0 <= received <= size:
        raise ServiceError(f"the service has {received!r} of a file of {size:,} bytes")
    return received, whole


def _wait(error: ServiceError, fruitless: int, *, declared: bool) -> float | None:
    """Seconds until another try is worth it; None if none is. `declared`: the upload was open."""
    seconds = min(2.0**fruitless, LONGEST_PAUSE_SECONDS)
    if isinstance(error, UnauthorisedError):
        return None
    if not isinstance(error, RefusedError):
        return seconds
    if error.status == 429:
        asked = error.headers.get("Retry-After", "")
        return min(float(asked), MOST_SECONDS_ASKED_FOR) if asked.isdecimal() else seconds
    lost = error.status == 404 and declared
    return seconds if error.code in _ASK_AGAIN or error.status == 408 or lost else None
