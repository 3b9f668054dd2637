"""Logs of attempts: written in pieces by offset, cut at a limit, read as text."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp.submission.text import printable
from datacomp_server.jobs import lease, repository
from datacomp_server.jobs.models import Job, JobAttempt, JobLog
from datacomp_server.jobs.policy import Policy
from datacomp_server.kit.errors import Conflict, NotFound

PAGE_BYTES = 256 * 1024


class WrongOffsetError(Conflict):
    """A piece that does not join what is there; `next_offset` says where to go on."""

    code = "wrong_offset"

    def __init__(self, offset: int, next_offset: int) -> None:
        super().__init__(f"the log goes on at byte {next_offset:,}, not at {offset:,}")
        self.next_offset = next_offset

    @property
    def headers(self) -> dict[str, str]:
        """Where to go on."""
        return {"Upload-Offset": str(self.next_offset)}


@dataclass(frozen=True)
class LogPage:
    """A stretch of an attempt's log; `next_offset` is where the next one begins.

    `cut`: the attempt wrote more than is kept. `ended`: nothing more will come.
    """

    attempt: int
    offset: int
    next_offset: int
    cut: bool
    ended: bool
    text: str


def append(
    session: Session, policy: Policy, lease_id: str, offset: int, data: bytes, *, moment: datetime
) -> int:
    """Write a piece at `offset` (bytes); returns the offset of the next one.

    What is there already is not written again. Past the limit nothing is kept, but the writer
    goes on as if it were. `WrongOffsetError` if there is a gap; `Conflict` (lease_lost) if the
    job is in other hands.
    """
    lease.held(session, lease_id)
    length, end = _length(session, lease_id), offset + len(data)
    room = policy.max_log_bytes - length
    if offset > length and room > 0:
        raise WrongOffsetError(offset, length)
    fresh = data[max(0, length - offset) :][: max(0, room)]
    if fresh:
        session.add(JobLog(lease_id=lease_id, start=length, data=fresh))
    return max(end, length)


def read(
    session: Session, policy: Policy, job: Job, offset: int, *, attempt: int | None = None
) -> LogPage:
    """Text of the newest attempt's log, or of attempt 1, 2, ...; at most `PAGE_BYTES` of it."""
    found = [
        one
        for one in repository.attempts(session, [job.id])
        if attempt is None or one.attempt == attempt
    ]
    if not found:
        which = "has not begun" if attempt is None else f"has no attempt {attempt}"
        raise NotFound(f"job {job.id} {which}, there is no log")
    return _page(session, policy, found[-1], offset)


def _page(session: Session, policy: Policy, attempt: JobAttempt, offset: int) -> LogPage:
    length = _length(session, attempt.lease_id)
    statement = (
        select(JobLog)
        .where(JobLog.lease_id == attempt.lease_id)
        .where(JobLog.start + func.length(JobLog.data) > offset, JobLog.start < offset + PAGE_BYTES)
        .order_by(JobLog.start)
    )
    pieces = session.scalars(statement).all()
    data = b"".join(piece.data for piece in pieces)
    data = data[offset - pieces[0].start :][:PAGE_BYTES] if pieces else b""
    if offset + len(data) < length:  # more follows: end before a character that it would split
        data = _whole_characters(data)
    return LogPage(
        attempt=attempt.attempt,
        offset=offset,
        next_offset=offset + len(data),
        cut=length >= policy.max_log_bytes,
        ended=attempt.ended_at is not None,
        text=printable(data.decode(errors="replace")),
    )


def _length(session: Session, lease_id: str) -> int:
    statement = select(func.max(JobLog.start + func.length(JobLog.data)))
    return session.scalar(statement.filter_by(lease_id=lease_id)) or 0


def _whole_characters(data: bytes) -> bytes:
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:  # the first byte of a character of `size` bytes
            size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if size > back else data
    return data
