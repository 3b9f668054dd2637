"""From stored submissions to what their team sees of them, and what it may do next."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp.submission.levels import Level
from datacomp_leaderboard.account_pages import NextStep, OwnLine, OwnSubmissionsPage
from datacomp_leaderboard.ranking import PODIUM, Ranks
from datacomp_server.boards.trust import UNVERIFIED
from datacomp_server.identity.people import Person
from datacomp_server.jobs.costs import Costs
from datacomp_server.jobs.models import Job
from datacomp_server.jobs.repository import of_submissions
from datacomp_server.kit.errors import NotFound
from datacomp_server.submissions import repository
from datacomp_server.submissions.marks import OUT
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.notices import Notice
from datacomp_server.submissions.states import State
from datacomp_server.submissions.views import where_they_stand
from datacomp_server.verification import service as verification
from datacomp_server.verification.levels import next_level

PAGE_LINES = 50


def submissions_of(
    session: Session, person: Person, team_id: str | None, before: str | None
) -> Sequence[Submission]:
    """Up to 51 submissions of a person's teams, or of one; `NotFound` for another's team."""
    teams = [team.team_id for team in person.teams]
    if team_id is not None:
        if team_id not in teams:
            raise NotFound("you are in no such team")
        teams = [team_id]
    statement = select(Submission).where(Submission.team_id.in_(teams))
    if before is not None:
        statement = statement.where(Submission.id < before)
    found = statement.order_by(Submission.id.desc()).limit(PAGE_LINES + 1)
    return session.scalars(found).all()


def page(
    session: Session,
    person: Person,
    team_id: str | None,
    found: Sequence[Submission],
    ranks: Mapping[tuple[str, str], Ranks],
    costs: Costs,
    moment: datetime,
) -> OwnSubmissionsPage:
    """The page of what `submissions_of` found; `ranks` by scale and track."""
    shown = found[:PAGE_LINES]
    ids = [one.id for one in shown]
    said, jobs = repository.said_of(session, ids), of_submissions(session, ids)
    places = verification.places(session, ids)
    standings = where_they_stand(session, shown, costs, moment)
    lines = []
    for one, (state, notice) in zip(shown, standings, strict=True):
        result = next(iter(said.results[one.id]), None)
        level = places.get(one.id, UNVERIFIED).level
        marks = tuple(mark.kind for mark in said.marks[one.id])
        waiting = [job for job in jobs.get(one.id, []) if job.finished_at is None]
        lines.append(
            OwnLine(
                id=one.id,
                method=one.method,
                team=one.team.name,
                scale=one.board.scale,
                track=one.board.track,
                state=state,
                marks=marks,
                level=level,
                rank=ranks.get((one.board.scale, one.board.track), {}).get(one.id),
                average=result.average if result else None,
                seed=one.seed,
                attempt=one.attempt,
                submitted_at=one.created_at,
                findings=_findings(one),
                jobs=tuple((job.id, job.kind, job.status) for job in waiting),
                step=next_step(one, state, notice, level, marks, waiting),
            )
        )
    query = f"team={team_id}&" if team_id else ""
    older = (
        f"/account/submissions?{query}before={shown[-1].id}" if len(found) > len(shown) else None
    )
    return OwnSubmissionsPage(
        title="Your submissions",
        organiser=person.organiser,
        teams=tuple((team.team_id, team.team) for team in person.teams),
        team_id=team_id,
        lines=tuple(lines),
        older_href=older,
    )


_STEPS = {
    State.CHECKING: "The service checks its files; nothing is to be done.",
    State.REFUSED: "Put right what is said below, and hand it in again.",
    State.EXPIRED: "Its files did not come in time: hand it in again.",
}


def next_step(
    submission: Submission,
    state: State,
    notice: Notice | None,
    level: Level,
    marks: Sequence[str],
    waiting: Sequence[Job],
) -> NextStep:
    """What its team may do; the first that holds."""
    if out := [kind for kind in marks if kind in OUT]:
        return NextStep(f"It was {out[0]}, and takes part no more.")
    if notice is not None:
        return NextStep(notice.text, notice.command)
    if state is State.UPLOADING:
        until = submission.files_until
        return NextStep(
            f"Files of it are missing, and may come until {until:%Y-%m-%d %H:%M} UTC: give the "
            "same datacomp submit again, which goes on where it was."
        )
    if state in _STEPS:
        return NextStep(_STEPS[state])
    if waiting:
        return NextStep("Workers are to do what is planned; nothing is to be done.")
    return _verifying(submission.id, {file.role for file in submission.files}, level)


def _verifying(submission_id: str, roles: Set[str], level: Level) -> NextStep:
    to = next_level(roles, level)
    if to is not None:
        why = "" if level.verified else f"; ranks 1 to {PODIUM} are for those that were"
        return NextStep(
            f"It can be {to.label}{why}.", f"datacomp request {submission_id} {to.label}"
        )
    if level.verified:
        return NextStep("It is verified as far as its files let it be.")
    return NextStep(
        "Nobody can verify it: it was handed in without weights or subset. Withdraw it, and hand "
        "the same report in again with them.",
        f"datacomp withdraw {submission_id}",
    )


def _findings(submission: Submission) -> tuple[tuple[str, str], ...]:
    verdict = submission.verdict
    found = verdict.findings if verdict is not None else ()
    return tuple((one["code"], one["message"]) for one in found)
