"""Routes of a team's page, for its members: who is in it, invites, roles."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session
from starlette.responses import Response

from datacomp_leaderboard.account_pages import SecretPage
from datacomp_server.context import Context
from datacomp_server.identity import teams, views
from datacomp_server.identity.pages import ContextDep, private
from datacomp_server.identity.people import Person, Role
from datacomp_server.identity.visitors import HOME, SignedIn
from datacomp_server.kit.errors import NotFound, ServerError
from datacomp_server.verification import keys
from datacomp_server.verification import repository as signing

router = APIRouter(
    prefix="/teams/{team_id}", include_in_schema=False, default_response_class=HTMLResponse
)

_INVITE_HINTS = (
    "Send it to the one person that it is for, by a way that you trust.",
    "It is entered at Register, or under Teams on the account's page.",
    "It lets one person in, within seven days.",
)
RoleField = Annotated[Role, Form()]


@router.get("")
def team(context: ContextDep, person: SignedIn, team_id: str) -> Response:
    """The team."""
    return _team(context, person, team_id)


@router.post("/invites")
def invite(context: ContextDep, person: SignedIn, team_id: str, role: RoleField) -> Response:
    """Make an invite, and show it this once."""
    try:
        with context.database.writing() as session:
            moment = context.clock()
            secret = teams.invite(session, team_id, role, by=person.account_id, moment=moment)
    except ServerError as error:
        return _team(context, person, team_id, error)
    return private(
        SecretPage("A new invite", secret, _INVITE_HINTS, f"/teams/{team_id}", "Back to the team")
    )


@router.post("/invites/{invite_id}/withdraw")
def withdraw(context: ContextDep, person: SignedIn, team_id: str, invite_id: str) -> Response:
    """Make an invite useless."""

    def work(session: Session) -> None:
        teams.withdraw_invite(session, team_id, invite_id, by=person.account_id)

    return _done(context, person, team_id, work)


@router.post("/members/{account_id}/role")
def set_role(
    context: ContextDep, person: SignedIn, team_id: str, account_id: str, role: RoleField
) -> Response:
    """Make a member an owner, or the other way round."""

    def work(session: Session) -> None:
        by, moment = person.account_id, context.clock()
        teams.set_role(session, team_id, account_id, role, by=by, moment=moment)

    return _done(context, person, team_id, work)


@router.post("/members/{account_id}/remove")
def remove(context: ContextDep, person: SignedIn, team_id: str, account_id: str) -> Response:
    """Take a member out, or leave."""

    def work(session: Session) -> None:
        by, moment = person.account_id, context.clock()
        teams.remove(session, team_id, account_id, by=by, moment=moment)

    return _done(context, person, team_id, work, leaves=account_id == person.account_id)


@router.post("/keys/{key_id}/revoke")
def end_key(context: ContextDep, person: SignedIn, team_id: str, key_id: str) -> Response:
    """Let nothing new count as signed by a key of the team."""

    def work(session: Session) -> None:
        mine = teams.of_member(session, team_id, person.account_id)
        key = signing.key_by_id(session, key_id)
        if key is None or key.team_id != team_id:
            raise NotFound("the team has no such key")
        keys.revoke(session, key, by=f"team:{mine.team.name}", moment=context.clock())

    return _done(context, person, team_id, work)


def _done(
    context: Context,
    person: Person,
    team_id: str,
    work: Callable[[Session], None],
    *,
    leaves: bool = False,
) -> Response:
    """Run a form's work in one transaction; show the team, or what was wrong."""
    try:
        with context.database.writing() as session:
            work(session)
    except ServerError as error:
        return _team(context, person, team_id, error)
    return RedirectResponse(HOME if leaves else f"/teams/{team_id}", 303)


def _team(
    context: Context, person: Person, team_id: str, refused: ServerError | None = None
) -> Response:
    if isinstance(refused, NotFound):
        raise refused
    with context.database.reading() as session:
        page = views.team_page(
            session,
            person,
            team_id,
            moment=context.clock(),
            error=refused.detail if refused else None,
        )
    return private(page, refused)
