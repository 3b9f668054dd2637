"""When a check ends without a verdict: what is given back, and how to have it done again.

That it ended so is nobody's fault but the service's. The submission keeps its place and is
`unchecked`; whoever asks for another check makes the one that stands, never a second submission.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_server.audit import service as audit
from datacomp_server.budgets import service as budgets
from datacomp_server.identity.callers import Caller, TeamCaller
from datacomp_server.jobs import repository as jobs
from datacomp_server.jobs.models import Job
from datacomp_server.kit.errors import Conflict, Refused
from datacomp_server.submissions import intake, marks, repository, service
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.selected import SELECTED_BY
from datacomp_server.submissions.states import State, state_of


def ask(session: Session, submission: Submission, caller: Caller, *, moment: datetime) -> None:
    """As `check_again`; a team pays for it what it was given back, an organiser nothing."""
    charged = isinstance(caller, TeamCaller)
    check_again(session, submission, by=caller.actor, charged=charged, moment=moment)


def check_again(
    session: Session, submission: Submission, *, by: str, charged: bool = False, moment: datetime
) -> Job:
    """Plan the check of an unchecked submission.

    `Conflict` (not_unchecked) in any other state; `Refused`: withdrawn, disqualified,
    files_missing, budget_spent.
    """
    marks.demand_part(session, submission)
    known = jobs.of_submissions(session, [submission.id])[submission.id]
    state = state_of(submission, known, moment=moment)
    if state is not State.UNCHECKED:
        raise Conflict(
            f"submission {submission.id} is {state}; checked again is only what is "
            f"{State.UNCHECKED}",
            code="not_unchecked",
        )
    files = repository.files(session, submission.id)
    job = intake.check_if_whole(session, submission, files, by=by, moment=moment)
    if job is None:
        raise Refused("files of it are not here any more: hand it in anew", code="files_missing")
    if charged and not budgets.is_paid(session, submission):
        budgets.charge(
            session,
            team_id=submission.team_id,
            board_id=submission.board_id,
            unit="submissions",
            amount=1,
            job_id=job.id,
            submission_id=submission.id,
            by=by,
            moment=moment,
        )
    audit.record(
        session,
        tag="submission:check_asked",
        subject_id=submission.id,
        actor=by,
        facts={"job": job.id},
        moment=moment,
    )
    return job


def give_back(session: Session, job: Job, moment: datetime) -> None:
    """After a check that failed for good by infrastructure: its team gets its submission back."""
    if SELECTED_BY in job.params or job.submission_id is None:
        return
    submission = service.get(session, job.submission_id)
    budgets.refund_submission(session, submission, by="service", moment=moment)
