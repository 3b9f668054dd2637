"""Bytes of an upload, from the request to the disk: a buffer at a time, resumable at any byte.

The file is written and synced first, then the row says so. Every `CHECKPOINT_BYTES`, and when a
request ends however it ends, what has come is committed; a later request goes on from there. The
event loop only waits: files, hashes and statements run in worker threads.
"""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from datacomp_server.artifacts import repository, service
from datacomp_server.artifacts.models import Upload
from datacomp_server.artifacts.parts import Part
from datacomp_server.artifacts.service import Owner
from datacomp_server.context import Context
from datacomp_server.kit.errors import (
    Conflict,
    Refused,
    RequestTimeout,
    StorageFull,
    TooLarge,
    WrongOffset,
)
from datacomp_server.submissions.intake import files_arrived

_LOG = logging.getLogger(__name__)
BUFFER_BYTES = 256 * 1024
CHECKPOINT_BYTES = 64 * 1024 * 1024
IDLE_SECONDS = 60.0


async def receive(
    context: Context,
    owner: Owner,
    upload_id: str,
    *,
    offset: int,
    length: int | None,
    stream: AsyncIterator[bytes],
    idle_seconds: float = IDLE_SECONDS,
) -> Upload:
    """Append a request's body, of `length` bytes if that is known, to an upload at `offset`.

    Returns the upload as it is then.

    `WrongOffset` if it is at another one; `Conflict` if another request writes to it
    (upload_busy); `TooLarge` when more comes than was declared; `RequestTimeout` if
    nothing comes for a while; `Refused` (bad_hash) if the whole is not what was declared, which
    ends the upload. What came before a cut is kept.
    """
    part = await run_in_threadpool(context.parts.hold, upload_id)
    try:
        writing = _Writing(context, owner, part, upload_id)
        await run_in_threadpool(writing.begin, offset, length or 0)
        try:
            async for piece in _pieces(stream, idle_seconds):
                await run_in_threadpool(writing.add, piece)
        except ClientDisconnect:
            pass  # nobody waits for the answer, but what came stays
        finally:
            await run_in_threadpool(writing.commit)
        return await run_in_threadpool(writing.end)
    finally:
        await run_in_threadpool(part.close)


class _Writing:
    """One request's writing to one upload, whose part it holds."""

    def __init__(self, context: Context, owner: Owner, part: Part, upload_id: str) -> None:
        self.context, self.owner, self.part, self.upload_id = context, owner, part, upload_id
        self.size = self.committed = self.written = 0

    def begin(self, offset: int, length: int) -> None:
        moment = self.context.clock()
        with self.context.database.writing() as session:
            upload = service.get(session, self.owner, self.upload_id, moment=moment)
            if upload.completed_at is None:
                upload.received = self.part.cut(upload.received)
            self.size, self.committed = upload.size, upload.received
        self.written = self.committed
        if offset != self.committed:
            raise WrongOffset(
                f"this upload has received {self.committed:,} of {self.size:,} bytes, the request "
                f"starts at {offset:,}; go on from what was received",
                offset=self.committed,
            )
        self._demand_room(length)

    def add(self, piece: bytes | bytearray) -> None:
        self._demand_room(len(piece))
        with _room_on_disk():
            self.part.write(piece)
        self.written += len(piece)
        if self.written - self.committed >= CHECKPOINT_BYTES:
            self.commit()

    def commit(self) -> None:
        if self.written == self.committed:
            return
        with _room_on_disk():
            self.part.sync()
        expires_at = self.context.clock() + timedelta(seconds=self.context.settings.upload_seconds)
        with self.context.database.writing() as session:
            moved = repository.advance(
                session,
                self.upload_id,
                before=self.committed,
                received=self.written,
                expires_at=expires_at,
            )
        if not moved:
            raise Conflict("this upload was dropped meanwhile", code="upload_dropped")
        self.committed = self.written

    def end(self) -> Upload:
        moment = self.context.clock()
        with self.context.database.reading() as session:
            upload = service.get(session, self.owner, self.upload_id, moment=moment)
        if upload.completed_at is not None:
            self.part.remove()
            return upload
        if upload.received < upload.size:
            return upload
        if self.part.sha256() != upload.sha256:
            with self.context.database.writing() as session:
                repository.remove_upload(session, upload.id)
            self.part.remove()
            raise Refused(
                f"the content's sha256 is not {upload.sha256}; this upload has ended, declare the "
                "file again",
                code="bad_hash",
            )
        self.context.artifacts.put_file(self.part.path, upload.sha256)
        try:
            upload = self._complete()
        except IntegrityError:
            upload = self._complete()  # the same content came from elsewhere at this very moment
        self.part.remove()
        return upload

    def _demand_room(self, more: int) -> None:
        if self.written + more > self.size:
            raise TooLarge(
                f"{more:,} bytes at {self.written:,} are more than the {self.size:,} declared",
                code="over_size",
            )

    def _complete(self) -> Upload:
        moment = self.context.clock()
        with self.context.database.writing() as session:
            # before the upload's own row, in the order of whoever reserves
            repository.lock_owner(session, team_id=self.owner.team_id, lease_id=self.owner.lease_id)
            upload = service.get(session, self.owner, self.upload_id, moment=moment)
            service.complete(session, upload, moment=moment)
            if self.owner.team_id is not None:
                files_arrived(session, self.owner.team_id, upload.sha256, moment)
            return upload


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _LOG.error("an upload met a full disk: %s", error)
        raise StorageFull("the service's disk is full; what came is kept, try later") from error


async def _pieces(stream: AsyncIterator[bytes], idle_seconds: float) -> AsyncIterator[bytearray]:
    """The stream in pieces worth a write; what is left is handed on also when it breaks off."""
    held, chunks = bytearray(), aiter(stream)
    broken: Exception | None = None
    chunk: bytes | None = b""
    while chunk is not None:
        try:
            async with asyncio.timeout(idle_seconds):
                chunk = await anext(chunks, None)
        except TimeoutError:
            broken = RequestTimeout(f"nothing came for {idle_seconds:g} s; what came is kept")
        except ClientDisconnect as cut:
            broken = cut
        if broken is not None:
            break
        held += chunk or b""
        if len(held) >= BUFFER_BYTES:
            yield held
            held = bytearray()
    if held:
        yield held
    if broken is not None:
        raise broken
