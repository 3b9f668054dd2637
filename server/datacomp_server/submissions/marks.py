"""What may be said of a submission after it was taken in. Nothing is taken back."""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_server.audit import service as audit
from datacomp_server.kit import text
from datacomp_server.kit.errors import Refused
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import MARKS, Mark, Submission

MAX_REASON_LENGTH = 1000
_FOR_GOOD = ("baseline", "withdrawn", "disqualified")


def mark(
    session: Session,
    submission: Submission,
    kind: str,
    *,
    reason: str | None = None,
    by: str,
    moment: datetime,
) -> Mark:
    """Say something of a submission, one of `MARKS`; what holds for good is said once.

    `Refused` (bad_reason) if the reason holds characters that could mislead, or is too long.
    """
    assert kind in MARKS, f"no mark is {kind!r}"
    reason = text.clean(reason or "") or None
    if reason is not None:
        for problem in text.problems(reason, limit=MAX_REASON_LENGTH, multiline=True):
            raise Refused(f"the reason {problem}", code="bad_reason")
    for standing in repository.marks(session, [submission.id]):
        if standing.kind == kind and kind in _FOR_GOOD:
            return standing
    made = Mark(submission_id=submission.id, kind=kind, reason=reason, by=by, created_at=moment)
    session.add(made)
    session.flush()
    audit.record(
        session,
        tag=f"submission:{kind}",
        subject_id=submission.id,
        actor=by,
        facts={"reason": reason},
        moment=moment,
    )
    return made
