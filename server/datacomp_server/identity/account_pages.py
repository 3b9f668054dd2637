"""Routes of a person's own page: teams, tokens, password."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from datacomp_leaderboard.account_pages import SecretPage
from datacomp_server.context import Context
from datacomp_server.identity import (
    accounts,
    attempts,
    own_tokens,
    registration,
    teams,
    views,
)
from datacomp_server.identity.pages import ContextDep, Text, private
from datacomp_server.identity.people import Person
from datacomp_server.identity.tokens import Scope
from datacomp_server.identity.visitors import HOME, SignedIn, let_in
from datacomp_server.kit.errors import ServerError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_TOKEN_HINTS = (
    "On the machine that needs it: datacomp login --token - and paste it.",
    "In a job's environment: DATACOMP_TOKEN.",
    "If it gets into wrong hands, revoke it on your account's page.",
)


@router.get("/account")
def account(context: ContextDep, person: SignedIn) -> Response:
    """One's own page."""
    return _account(context, person)


@router.post("/teams")
def found_team(context: ContextDep, person: SignedIn, name: Text = "") -> Response:
    """Found a team."""

    def work(session: Session) -> str:
        moment = context.clock()
        made = registration.found_team(
            session, context.settings, person.account_id, name, moment=moment
        )
        return f"/teams/{made.id}"

    return _done(context, person, work)


@router.post("/account/join")
def join_team(
    context: ContextDep, request: Request, person: SignedIn, invite: Text = ""
) -> Response:
    """Use an invite."""

    def work(session: Session) -> str:
        attempts.count(context, request)
        joined = teams.join(session, person.account_id, invite, moment=context.clock())
        return f"/teams/{joined.id}"

    return _done(context, person, work)


@router.post("/account/tokens")
def make_token(
    context: ContextDep,
    person: SignedIn,
    name: Text = "",
    team_id: Annotated[str, Form(pattern="^([0-9A-Z]{26})?$")] = "",
    scopes: Annotated[list[Scope], Form()] = [],  # noqa: B006  # FastAPI copies it
    days: Annotated[int, Form(ge=1, le=own_tokens.MAX_DAYS)] = 90,
) -> Response:
    """Make a token, and show it this once."""
    wanted = frozenset(scopes) if team_id else frozenset({Scope.ADMIN})
    wish = own_tokens.Wish(team_id or None, name, wanted, timedelta(days=days))
    try:
        with context.database.writing() as session:
            _, secret = own_tokens.make(session, person.account_id, wish, moment=context.clock())
    except ServerError as error:
        return _account(context, person, error)
    return private(SecretPage("Your new token", secret, _TOKEN_HINTS, HOME, "Back to your account"))


@router.post("/account/tokens/{token_id}/revoke")
def revoke_own_token(context: ContextDep, person: SignedIn, token_id: str) -> Response:
    """End a token for good."""

    def work(session: Session) -> str:
        moment = context.clock()
        own_tokens.revoke_by_person(session, person.account_id, token_id, moment=moment)
        return HOME

    return _done(context, person, work)


@router.post("/account/password")
def change_password(
    context: ContextDep, request: Request, person: SignedIn, present: Text = "", new: Text = ""
) -> Response:
    """Change the password; every other browser is signed out."""
    try:
        attempts.sign_in(context, request, person.name, present)
        stored = accounts.new_password(person.name, new)
        with context.database.writing() as session:
            accounts.change_password(session, person.account_id, stored)
    except ServerError as error:
        return _account(context, person, error)
    return let_in(context, request, person.account_id, RedirectResponse(HOME, 303))


def _done(context: Context, person: Person, work: Callable[[Session], str]) -> Response:
    """Run a form's work in one transaction, then go where it says; or say what was wrong."""
    try:
        with context.database.writing() as session:
            where = work(session)
    except ServerError as error:
        return _account(context, person, error)
    return RedirectResponse(where, 303)


def _account(context: Context, person: Person, refused: ServerError | None = None) -> Response:
    with context.database.reading() as session:
        page = views.account_page(
            session,
            context.settings,
            person,
            moment=context.clock(),
            error=refused.detail if refused else None,
        )
    return private(page, refused)
