"""Routes of the pages that let people in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.requests import Request
from starlette.responses import Response

from datacomp_leaderboard.pages import Page
from datacomp_leaderboard.render import render
from datacomp_server.context import Context, get_context
from datacomp_server.identity import accounts, attempts, registration, views
from datacomp_server.identity.visitors import HOME, MaybePerson, let_in, let_out, own_path
from datacomp_server.kit.errors import ServerError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ContextDep = Annotated[Context, Depends(get_context)]
Text = Annotated[str, Form(max_length=500)]


def private(page: Page, refused: ServerError | None = None) -> Response:
    """A page that no cache keeps; with the status of what was refused, if anything was."""
    headers = {"Cache-Control": "no-store"}
    if refused is None:
        return HTMLResponse(render(page), headers=headers)
    return HTMLResponse(render(page), refused.status, headers | refused.headers)


@router.get("/sign-in")
def sign_in_form(context: ContextDep, person: MaybePerson, next: str = HOME) -> Response:
    """The form; whoever is signed in is sent on."""
    if person is not None:
        return RedirectResponse(own_path(next), 303)
    return private(views.sign_in_page(context.settings, back_to=own_path(next)))


@router.post("/sign-in")
def sign_in(
    context: ContextDep, request: Request, name: Text = "", password: Text = "", next: Text = HOME
) -> Response:
    """Sign in, and go where one wanted to go."""
    back_to = own_path(next)
    try:
        account = attempts.sign_in(context, request, name, password)
    except ServerError as error:
        page = views.sign_in_page(context.settings, back_to=back_to, name=name, error=error.detail)
        return private(page, error)
    return let_in(context, request, account.id, RedirectResponse(back_to, 303))


@router.post("/sign-out")
def sign_out(context: ContextDep, request: Request) -> Response:
    """Sign this browser out."""
    return let_out(context, request)


@router.get("/register")
def register_form(context: ContextDep, person: MaybePerson) -> Response:
    """The form; whoever is signed in is sent to their account."""
    if person is not None:
        return RedirectResponse(HOME, 303)
    registration.require_open(context.settings)
    return private(views.register_page(context.settings))


@router.post("/register")
def register(
    context: ContextDep,
    request: Request,
    name: Text = "",
    password: Text = "",
    team: Text = "",
    invite: Text = "",
) -> Response:
    """Make an account, and sign in."""
    settings = context.settings
    try:
        attempts.count(context, request)
        registration.require_open(settings)
        stored, facts = accounts.new_password(name, password), {"team": team, "invite": invite}
        attempts.count_new_account(context, request)
        with context.database.writing() as session:
            made = registration.register(
                session,
                settings,
                name=name,
                password_hash=stored,
                moment=context.clock(),
                **facts,
            )
    except ServerError as error:
        page = views.register_page(settings, name=name, team=team, error=error.detail)
        return private(page, error)
    return let_in(context, request, made.id, RedirectResponse(HOME, 303))
