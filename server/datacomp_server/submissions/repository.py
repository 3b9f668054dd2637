"""Statements about submissions; decides nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, lazyload

from datacomp_server.artifacts.models import Artifact
from datacomp_server.submissions.models import (
    Claim,
    Mark,
    Overlap,
    Result,
    Submission,
    SubmissionFile,
    SubsetSketch,
    Verdict,
)


def by_id(session: Session, submission_id: str) -> Submission | None:
    """The submission of that public id."""
    return session.get(Submission, submission_id)


def claim(session: Session, key: str) -> Claim | None:
    """Which submission stands for a report, or for a manifest without one."""
    return session.get(Claim, key, populate_existing=True)


_IS_KEPT = select(exists().where(Artifact.sha256 == bindparam("sha256")))


def is_kept(session: Session, sha256: str) -> bool:
    """Whether there is the row of an artifact of that hash."""
    return bool(session.scalar(_IS_KEPT, {"sha256": sha256}))


def newest(
    session: Session, *, team_id: str | None, before: str | None, limit: int
) -> Sequence[Submission]:
    """Submissions from new to old, of a team if one is given, older than id `before`."""
    statement = select(Submission)
    if team_id is not None:
        statement = statement.where(Submission.team_id == team_id)
    if before is not None:
        statement = statement.where(Submission.id < before)
    return session.scalars(statement.order_by(Submission.id.desc()).limit(limit)).all()


_LAST_ATTEMPT = select(func.max(Submission.attempt)).where(
    Submission.team_id == bindparam("team_id"), Submission.board_id == bindparam("board_id")
)


def last_attempt(session: Session, team_id: str, board_id: str) -> int:
    """How many submissions a team has made to a board: the number of the newest."""
    return session.scalar(_LAST_ATTEMPT, {"team_id": team_id, "board_id": board_id}) or 0


def count_accepted(session: Session, board_id: str) -> int:
    """How many submissions to a board were accepted."""
    statement = select(func.count()).select_from(Submission).join(Verdict)
    return session.scalar(statement.where(Submission.board_id == board_id, Verdict.accepted)) or 0


def files(session: Session, submission_id: str) -> Sequence[SubmissionFile]:
    """The files that a submission declares, by role."""
    statement = select(SubmissionFile).filter_by(submission_id=submission_id)
    return session.scalars(statement.order_by(SubmissionFile.role)).all()


def awaiting(session: Session, team_id: str, sha256: str) -> Sequence[Submission]:
    """A team's submissions without a verdict that declare a file of that hash."""
    statement = select(Submission).join(SubmissionFile).where(SubmissionFile.sha256 == sha256)
    statement = statement.where(Submission.team_id == team_id)
    found = session.scalars(statement.order_by(Submission.id)).unique().all()
    return [submission for submission in found if submission.verdict is None]


def results_of(session: Session, submission_id: str) -> Sequence[Result]:
    """The results of a submission: its team's own first, then the workers', oldest first."""
    statement = select(Result).filter_by(submission_id=submission_id)
    return session.scalars(
        statement.order_by(Result.source != "reported", Result.created_at, Result.id)
    ).all()


@dataclass(frozen=True)
class Said:
    """What stands beside some submissions, by their ids, in the order of the single look-ups."""

    results: Mapping[str, list[Result]] = field(default_factory=partial(defaultdict, list))
    overlaps: Mapping[str, list[Overlap]] = field(default_factory=partial(defaultdict, list))
    marks: Mapping[str, list[Mark]] = field(default_factory=partial(defaultdict, list))


def said_of(session: Session, submission_ids: Sequence[str]) -> Said:
    """All of it in one statement a table, however many submissions."""
    ours = select(Result).where(Result.submission_id.in_(submission_ids))
    ours = ours.order_by(Result.source != "reported", Result.created_at, Result.id)
    shared = select(Overlap).where(Overlap.submission_id.in_(submission_ids))
    shared = shared.order_by(Overlap.jaccard.desc(), Overlap.other_id)
    said = Said()
    for result in session.scalars(ours.options(lazyload(Result.submission))):
        said.results[result.submission_id].append(result)
    for overlap in session.scalars(shared):
        said.overlaps[overlap.submission_id].append(overlap)
    for mark in marks(session, submission_ids):
        said.marks[mark.submission_id].append(mark)
    return said


def unranked(session: Session, until: datetime | None = None) -> dict[str, set[str]]:
    """What was said of each submission that takes it off the ranks, or out of their order.

    With `until`, what had been said at that moment.
    """
    statement = select(Mark.submission_id, Mark.kind).where(
        Mark.kind.in_(("withdrawn", "disqualified", "baseline"))
    )
    if until is not None:
        statement = statement.where(Mark.created_at <= until)
    found: dict[str, set[str]] = {}
    for submission_id, kind in session.execute(statement):
        found.setdefault(submission_id, set()).add(kind)
    return found


def marks(session: Session, submission_ids: Iterable[str]) -> Sequence[Mark]:
    """What was said of these submissions, oldest first."""
    statement = select(Mark).where(Mark.submission_id.in_(list(submission_ids)))
    return session.scalars(statement.order_by(Mark.created_at, Mark.id)).all()


def sketches(
    session: Session, submission: Submission, *, smallest: float, largest: float
) -> Sequence[SubsetSketch]:
    """The sketches of other teams' or methods' subsets of the same pool, oldest first.

    Those that have from `smallest` to `largest` different uids.
    """
    statement = select(SubsetSketch).join(Submission, Submission.id == SubsetSketch.submission_id)
    statement = statement.where(
        Submission.pool_id == submission.pool_id,
        or_(Submission.team_id != submission.team_id, Submission.method != submission.method),
        SubsetSketch.n_unique.between(smallest, largest),
    )
    return session.scalars(statement.order_by(SubsetSketch.submission_id)).all()


_FIRST_WITH_SUBSET = (
    select(Result.submission_id)
    .join(Submission, Submission.id == Result.submission_id)
    .where(
        Result.subset_sha256 == bindparam("subset_sha256"),
        or_(Submission.team_id != bindparam("team_id"), Submission.method != bindparam("method")),
    )
    .order_by(Result.id)
    .limit(1)
)


def first_with_subset(
    session: Session, subset_sha256: str, *, team_id: str, method: str
) -> str | None:
    """The first submission with results of that subset that is another team's or method's."""
    values = {"subset_sha256": subset_sha256, "team_id": team_id, "method": method}
    return session.scalars(_FIRST_WITH_SUBSET, values).one_or_none()


def overlaps(session: Session, submission_id: str) -> Sequence[Overlap]:
    """What the subset of a submission shares with earlier ones, most first."""
    statement = select(Overlap).filter_by(submission_id=submission_id)
    return session.scalars(statement.order_by(Overlap.jaccard.desc(), Overlap.other_id)).all()


def overlapping(session: Session, submission_id: str) -> list[tuple[Overlap, Submission]]:
    """The same, each with the earlier submission."""
    found = overlaps(session, submission_id)
    return [(one, session.get_one(Submission, one.other_id)) for one in found]
