"""Submissions as the API shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.identity.callers import Caller
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Result, Submission
from datacomp_server.submissions.schemas import (
    EstimateOut,
    FileOut,
    MarkOut,
    OverlapOut,
    ReasonOut,
    SubmissionOut,
    SubmissionsOut,
)
from datacomp_server.submissions.states import State, state_of

_OWN = ("id", "kind", "method", "description", "oracle", "attempt", "seed", "pool_id")
_STORED = ("report_sha256", "lock_sha256", "files_until", "validator", "created_at")
_OF_RESULT = ("recipe_id", "pool_size", "subset_sha256", "subset_n", "subset_unique")


def as_json(
    session: Session,
    submission: Submission,
    caller: Caller | None,
    *,
    uploads: Mapping[str, str | None] | None = None,
    moment: datetime,
) -> SubmissionOut:
    """A submission as `caller` may see it; `uploads` are the ids of its files' uploads by role."""
    state = current_state(session, submission, moment)
    said = repository.said_of(session, [submission.id])
    return _as_json(submission, said, caller, state, uploads or {})


def page_as_json(
    session: Session,
    found: Sequence[Submission],
    caller: Caller | None,
    *,
    limit: int,
    moment: datetime,
) -> SubmissionsOut:
    """The first `limit` of these submissions; there are more if more were found."""
    shown = found[:limit]
    ids = [one.id for one in shown]
    checked, said = repository.with_check(session, ids), repository.said_of(session, ids)
    return SubmissionsOut(
        submissions=[
            _as_json(
                one,
                said,
                caller,
                state_of(one, has_check=one.id in checked, moment=moment),
                {},
            )
            for one in shown
        ],
        next=shown[-1].id if len(found) > limit else None,
    )


def current_state(session: Session, submission: Submission, moment: datetime) -> State:
    """Where a submission stands now."""
    decided = submission.verdict is not None
    checked = not decided and bool(repository.with_check(session, [submission.id]))
    return state_of(submission, has_check=checked, moment=moment)


def _as_json(
    submission: Submission,
    said: repository.Said,
    caller: Caller | None,
    state: State,
    uploads: Mapping[str, str | None],
) -> SubmissionOut:
    result = next(iter(said.results[submission.id]), None)
    owns = caller is not None and caller.may_see(submission.team_id)
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
