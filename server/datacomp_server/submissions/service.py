"""Finding submissions."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from datacomp_server.identity.callers import Caller
from datacomp_server.identity.names import key_of
from datacomp_server.identity.repository import team_by_key
from datacomp_server.kit.errors import NotFound
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Submission


def get(session: Session, submission_id: str) -> Submission:
    """The submission of that public id; `NotFound` if there is none."""
    found = repository.by_id(session, submission_id)
    if found is None:
        raise NotFound("there is no such submission")
    return found


def get_own(session: Session, submission_id: str, caller: Caller) -> Submission:
    """The same, if the caller may act for its team; else `NotFound`, in the same words."""
    found = get(session, submission_id)
    if not caller.may_see(found.team_id):
        raise NotFound("there is no such submission")
    return found


def newest(
    session: Session, *, team: str | None, before: str | None, limit: int
) -> Sequence[Submission]:
    """Submissions from new to old, of a team if one is named; `NotFound` if there is none such."""
    team_id = None
    if team is not None:
        found = team_by_key(session, key_of(team))
        if found is None:
            raise NotFound("there is no such team")
        team_id = found.id
    return repository.newest(session, team_id=team_id, before=before, limit=limit)
