"""What may be said of a submission after it was taken in. Nothing is taken back."""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.submission import text
from datacomp_server.audit import service as audit
from datacomp_server.jobs import service as jobs
from datacomp_server.kit.errors import Refused
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import MARKS, Mark, Submission

MAX_REASON_LENGTH = 1000
_FOR_GOOD = ("baseline", "withdrawn", "disqualified")
OUT = ("withdrawn", "disqualified")
"""Out of the competition: nothing more is done for such a submission."""


def why_out(session: Session, submission_id: str) -> str | None:
    """Which of `OUT` was said of a submission first; None if it takes part."""
    said = (one.kind for one in repository.marks(session, [submission_id]))
    return next((kind for kind in said if kind in OUT), None)


def demand_part(session: Session, submission: Submission) -> None:
    """`Refused` (withdrawn, disqualified) if a submission is out of the competition."""
    if (kind := why_out(session, submission.id)) is not None:
        raise Refused(
            f"submission {submission.id} was {kind}: nothing more is done for it", code=kind
        )


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

    Whoever takes it out of the competition ends its jobs first, so that none adds to it later.
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
    if kind in OUT:
        detail = f"its submission was {kind} by {by}"
        jobs.cancel_all(session, submission.id, detail, by=by, moment=moment)
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
