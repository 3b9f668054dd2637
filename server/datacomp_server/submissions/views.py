"""Submissions as the API shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.budgets import service as budgets
from datacomp_server.identity.callers import Caller
from datacomp_server.jobs.costs import Costs
from datacomp_server.jobs.repository import of_submissions
from datacomp_server.submissions import repository
from datacomp_server.submissions.marks import OUT
from datacomp_server.submissions.models import Result, Submission
from datacomp_server.submissions.notices import Notice, notice_of
from datacomp_server.submissions.schemas import (
    EstimateOut,
    FileOut,
    MarkOut,
    NoticeOut,
    OverlapOut,
    ReasonOut,
    SubmissionOut,
    SubmissionsOut,
)
from datacomp_server.submissions.states import State, state_of

_OWN = ("id", "kind", "method", "description", "oracle", "attempt", "seed", "pool_id")
_STORED = (
    "report_sha256",
    "lock_sha256",
    "profile_sha256",
    "files_until",
    "validator",
    "created_at",
)
_OF_RESULT = ("recipe_id", "pool_size", "subset_sha256", "subset_n", "subset_unique")


def as_json(
    session: Session,
    submission: Submission,
    caller: Caller | None,
    *,
    uploads: Mapping[str, str | None] | None = None,
    said: repository.Said | None = None,
    costs: Costs,
    moment: datetime,
) -> SubmissionOut:
    """A submission as `caller` may see it; `uploads` are the ids of its files' uploads by role.

    `said` is all that stands beside a report that was accepted just now, and has no job yet.
    """
    known = _Known(session, [submission.id], costs, moment, said)
    return _as_json(submission, known, caller, uploads or {})


def page_as_json(
    session: Session,
    found: Sequence[Submission],
    caller: Caller | None,
    *,
    limit: int,
    costs: Costs,
    moment: datetime,
) -> SubmissionsOut:
    """The first `limit` of these submissions; there are more if more were found."""
    shown = found[:limit]
    known = _Known(session, [one.id for one in shown], costs, moment)
    return SubmissionsOut(
        submissions=[_as_json(one, known, caller, {}) for one in shown],
        next=shown[-1].id if len(found) > limit else None,
    )


def where_they_stand(
    session: Session, found: Sequence[Submission], costs: Costs, moment: datetime
) -> list[tuple[State, Notice | None]]:
    """The state of each of these submissions now, and what keeps it there."""
    known = _Known(session, [one.id for one in found], costs, moment)
    return [known.standing(one) for one in found]


def where_it_stands(
    session: Session, submission: Submission, costs: Costs, moment: datetime
) -> tuple[State, Notice | None]:
    """The state of a submission now, and what keeps it there."""
    return where_they_stand(session, [submission], costs, moment)[0]


class _Known:
    """What stands beside some submissions, read in one statement a table."""

    def __init__(
        self,
        session: Session,
        ids: Sequence[str],
        costs: Costs,
        moment: datetime,
        said: repository.Said | None = None,
    ) -> None:
        self._session, self._costs, self._moment = session, costs, moment
        self._left: dict[tuple[str, str], int] = {}
        self.said = said or repository.said_of(session, ids)
        self._jobs = {} if said else of_submissions(session, ids)

    def standing(self, submission: Submission) -> tuple[State, Notice | None]:
        """State and notice; of one that has numbers, or is out, nothing more is to be said."""
        jobs = self._jobs.get(submission.id, [])
        state = state_of(submission, jobs, moment=self._moment)
        out = any(mark.kind in OUT for mark in self.said.marks[submission.id])
        if out or self.said.results[submission.id]:
            return state, None
        return state, notice_of(submission, state, jobs, self._costs, self._seconds_left)

    def _seconds_left(self, submission: Submission) -> int:
        whose = (submission.team_id, submission.board_id)
        if whose not in self._left:
            self._left[whose] = budgets.balance(self._session, *whose, "compute_seconds")
        return self._left[whose]


def _as_json(
    submission: Submission,
    known: _Known,
    caller: Caller | None,
    uploads: Mapping[str, str | None],
) -> SubmissionOut:
    said, (state, notice) = known.said, known.standing(submission)
    result = next(iter(said.results[submission.id]), None)
    owns = caller is not None and caller.may_read(submission.team_id)
    verdict = submission.verdict
    return SubmissionOut(
        page=f"/s/{submission.id}",
        team=submission.team.name,
        track=submission.board.track,
        scale=submission.board.scale,
        suite=submission.board.suite,
        state=state,
        findings=[
            ReasonOut(code=one["code"], message=one["message"] if owns else None)
            for one in (verdict.findings if verdict is not None else ())
        ],
        notice=NoticeOut(**vars(notice)) if notice else None,
        average=EstimateOut(
            value=result.average if result else None,
            stderr=result.average_stderr if result else None,
        ),
        groups=_groups(result),
        files=[
            FileOut(
                role=file.role,
                sha256=file.sha256,
                size=file.size,
                upload=uploads.get(file.role),
            )
            for file in sorted(submission.files, key=lambda file: file.role)
        ],
        overlaps=[
            OverlapOut(submission=one.other_id, jaccard=one.jaccard, exact=one.exact)
            for one in said.overlaps[submission.id]
        ],
        marks=[
            MarkOut(kind=one.kind, reason=one.reason, created_at=one.created_at)
            for one in said.marks[submission.id]
        ],
        **{name: getattr(submission, name) for name in (*_OWN, *_STORED)},
        **_of_result(result),
    )


def _of_result(result: Result | None) -> dict[str, Any]:
    return {name: getattr(result, name) if result else None for name in _OF_RESULT}


def _groups(result: Result | None) -> dict[str, EstimateOut]:
    if result is None:
        return {}
    return {
        name: EstimateOut(value=group["value"], stderr=group["stderr"])
        for name, group in result.groups.items()
    }
