"""Statements that find what organisers should look at; each reads only what speaks for itself."""

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from datacomp_server.identity.models import Team
from datacomp_server.jobs.models import HOPELESS, Job
from datacomp_server.organising.suspicion import LEADING, MUCH, Signal
from datacomp_server.submissions.marks import OUT
from datacomp_server.submissions.models import Mark, Overlap, Result, Submission, Verdict
from datacomp_server.verification import service as verification

_SETTLING = ("upheld", "dismissed")


def signals(session: Session) -> dict[str, list[Signal]]:
    """Every submission that takes part and that something speaks against, with what does."""
    found: dict[str, list[Signal]] = defaultdict(list)
    out = set(session.scalars(select(Mark.submission_id).where(Mark.kind.in_(OUT))))
    places = verification.places(session)
    for one, place in places.items():
        if place.capped:
            found[one].append(Signal("contradicted", "contradicted, or a challenge was upheld"))
    for made in (_challenged(session), _unchecked(session), _twins(session), _shared(session)):
        for one, signal in made:
            found[one].append(signal)
    verified = {one for one, place in places.items() if place.level.verified}
    for one, signal in _leading(session):
        if one not in verified:
            found[one].append(signal)
    return {one: listed for one, listed in found.items() if one not in out}


def _challenged(session: Session) -> Iterator[tuple[str, Signal]]:
    """Challenges after which nothing was decided."""
    statement = select(Mark).where(Mark.kind.in_(("challenged", *_SETTLING)))
    last: dict[str, Mark] = {}
    for mark in session.scalars(statement.order_by(Mark.created_at, Mark.id)):
        last[mark.submission_id] = mark
    for one, mark in last.items():
        if mark.kind == "challenged":
            yield (
                one,
                Signal("challenged", f"challenged by {mark.by}: {mark.reason or 'no reason'}"),
            )


def _unchecked(session: Session) -> Iterator[tuple[str, Signal]]:
    """Submissions whose last check ended, without a verdict."""
    statement = (
        select(Job.submission_id, Job.status)
        .outerjoin(Verdict, Verdict.submission_id == Job.submission_id)
        .where(Job.kind == "check", Job.submission_id.is_not(None), Verdict.submission_id.is_(None))
        .order_by(Job.created_at, Job.id)
    )
    last = {one: status for one, status in session.execute(statement) if one is not None}
    for one, status in last.items():
        if status in HOPELESS:
            yield one, Signal("unchecked", f"its check {status}: have it checked again")


def _twins(session: Session) -> Iterator[tuple[str, Signal]]:
    """Submissions with the very numbers of another one."""
    shared = (
        select(Result.vector_sha256)
        .where(Result.vector_sha256.is_not(None))
        .group_by(Result.vector_sha256)
        .having(func.count(Result.submission_id.distinct()) > 1)
    )
    statement = select(Result.vector_sha256, Result.submission_id).where(
        Result.vector_sha256.in_(shared)
    )
    by_vector: dict[str, set[str]] = defaultdict(set)
    for vector, one in session.execute(statement):
        by_vector[vector or ""].add(one)
    for ids in by_vector.values():
        for one in ids:
            n = len(ids) - 1
            words = f"the same numbers as {n} other submission{'' if n == 1 else 's'}"
            yield one, Signal("twins", words)


def _shared(session: Session) -> Iterator[tuple[str, Signal]]:
    """Submissions whose subset is, or nearly is, another team's earlier one."""
    own, other = aliased(Submission), aliased(Submission)
    statement = (
        select(Overlap.submission_id, Overlap.exact, Overlap.jaccard, Team.name, other.method)
        .join(own, own.id == Overlap.submission_id)
        .join(other, other.id == Overlap.other_id)
        .join(Team, Team.id == other.team_id)
        .where(own.team_id != other.team_id, or_(Overlap.exact, Overlap.jaccard >= MUCH))
    )
    for one, exact, jaccard, team, method in session.execute(statement):
        if exact:
            yield one, Signal("same_subset", f"the subset of {method} by {team}")
        else:
            words = f"shares {100 * jaccard:.0f}% of its subset with {method} by {team}"
            yield one, Signal("much_shared", words)


def _leading(session: Session) -> Iterator[tuple[str, Signal]]:
    """The best of each board by what teams reported."""
    place = func.row_number().over(
        partition_by=Submission.board_id, order_by=(Result.average.desc(), Submission.id)
    )
    ranked = (
        select(Result.submission_id, place.label("place"))
        .join(Submission, Submission.id == Result.submission_id)
        .join(Verdict, Verdict.submission_id == Result.submission_id)
        .where(
            Verdict.accepted,
            Result.source == "reported",
            Result.average.is_not(None),
            Submission.oracle.is_(False),
            Submission.id.not_in(
                select(Mark.submission_id).where(Mark.kind.in_((*OUT, "baseline")))
            ),
        )
        .subquery()
    )
    statement = select(ranked.c.submission_id, ranked.c.place).where(ranked.c.place <= LEADING)
    for one, at in session.execute(statement):
        words = f"number {at} of its board by its own numbers, which nobody measured again"
        yield one, Signal("leads_unverified", words)
