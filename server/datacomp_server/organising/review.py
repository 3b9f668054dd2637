"""From stored submissions to the review queue, and to the page of one submission."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp.submission.levels import Level
from datacomp_leaderboard.organise_pages import ReviewedPage, ReviewLine, ReviewPage, WayLine
from datacomp_server.boards import trust
from datacomp_server.jobs import plans
from datacomp_server.jobs.costs import Costs
from datacomp_server.jobs.models import Job
from datacomp_server.jobs.repository import of_submissions
from datacomp_server.organising import candidates
from datacomp_server.organising.suspicion import Signal, in_order, score
from datacomp_server.submissions import repository, service
from datacomp_server.submissions.models import MARKS, Result, Submission
from datacomp_server.submissions.states import State, state_of
from datacomp_server.submissions.views import where_it_stands
from datacomp_server.verification import service as verification
from datacomp_server.verification.levels import next_level
from datacomp_server.verification.service import Place

SHOWN = 100


def review_page(session: Session, *, error: str | None = None) -> ReviewPage:
    """The most suspicious submissions, at most 100."""
    found = in_order(candidates.signals(session))
    shown = dict(found[:SHOWN])
    return ReviewPage("Review", error, tuple(_lines(session, shown)), len(found))


def reviewed_page(
    session: Session,
    submission_id: str,
    costs: Costs,
    moment: datetime,
    *,
    error: str | None = None,
) -> ReviewedPage:
    """One submission; `NotFound` if there is none."""
    found = service.get(session, submission_id)
    signals = candidates.signals(session).get(found.id, [])
    (line,) = _lines(session, dict(in_order({found.id: signals})))
    standing = verification.standing(session, found)
    state, _ = where_it_stands(session, found, costs, moment)
    jobs = of_submissions(session, [found.id])[found.id]
    return ReviewedPage(
        title=found.method,
        error=error,
        line=line,
        state=state,
        unchecked=state_of(found, jobs, moment=moment) is State.UNCHECKED,
        evidence=tuple(trust.evidence_line(one) for one in standing.evidence),
        marks=tuple((one.created_at, one.kind, one.reason, one.by) for one in standing.marks),
        results=tuple(
            (one.source, one.seed, one.average) for one in repository.results_of(session, found.id)
        ),
        jobs=tuple((one.id, one.kind, one.resource, one.status) for one in jobs),
        twins=tuple((one.id, one.method, one.team.name) for one in standing.twins),
        ways=tuple(
            WayLine(
                option.level.label,
                tuple(draft.kind for draft in option.drafts),
                option.refusal.detail if option.refusal else None,
            )
            for option in plans.options(session, found, costs)
        ),
        kinds=MARKS,
    )


def _lines(session: Session, shown: Mapping[str, Sequence[Signal]]) -> list[ReviewLine]:
    ids = list(shown)
    rows = session.scalars(select(Submission).where(Submission.id.in_(ids))).all()
    by_id = {one.id: one for one in rows}
    said, jobs = repository.said_of(session, ids), of_submissions(session, ids)
    places = verification.places(session, ids)
    return [
        _line(
            by_id[one],
            signals,
            said.results[one],
            jobs.get(one, []),
            places.get(one, trust.UNVERIFIED),
        )
        for one, signals in shown.items()
    ]


def _line(
    submission: Submission,
    signals: Sequence[Signal],
    results: Sequence[Result],
    jobs: Sequence[Job],
    place: Place,
) -> ReviewLine:
    averages = {result.source: result.average for result in results}
    return ReviewLine(
        id=submission.id,
        method=submission.method,
        team=submission.team.name,
        scale=submission.board.scale,
        track=submission.board.track,
        level=place.level,
        score=score(signals),
        signals=tuple((one.words, one.weight) for one in signals),
        reported=averages.get("reported"),
        measured=averages.get("trained", averages.get("evaluated")),
        n_jobs=sum(job.finished_at is None for job in jobs),
        next_level=_next(submission, place.level),
        submitted_at=submission.created_at,
    )


def _next(submission: Submission, level: Level) -> str | None:
    accepted = submission.verdict is not None and submission.verdict.accepted
    found = next_level({file.role for file in submission.files}, level) if accepted else None
    return found.label if found else None
