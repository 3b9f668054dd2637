"""Who looks at a page: the session cookie, read and written in one place.

`MaybePerson` is None for whoever is not signed in; a route that takes a `SignedIn` sends them to
the sign-in page and back. Only pages know cookies: the API takes tokens.
"""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from datacomp_server.context import Context, get_context
from datacomp_server.identity import sessions
from datacomp_server.identity.people import Person
from datacomp_server.kit.errors import NotFound, ServerError

HOME = "/account"
_LONGEST_PATH = 500


class SignInNeeded(ServerError):
    """Nobody is signed in: the browser is sent to the sign-in page."""

    status, code = 303, "sign_in_needed"

    def __init__(self, back_to: str) -> None:
        super().__init__("sign in first")
        self.back_to = back_to

    @property
    def headers(self) -> dict[str, str]:
        """Where the sign-in page is, and where it leads back to."""
        return {"Location": f"/sign-in?{urlencode({'next': self.back_to})}"}


def _maybe_person(
    request: Request, context: Annotated[Context, Depends(get_context)]
) -> Person | None:
    secret = request.cookies.get(cookie_name(request))
    if not secret:
        return None
    with context.database.reading() as session:
        return sessions.person_of(session, secret, moment=context.clock())


MaybePerson = Annotated[Person | None, Depends(_maybe_person)]


def _signed_in(request: Request, person: MaybePerson) -> Person:
    if person is None:
        raise SignInNeeded(request.url.path if request.method == "GET" else HOME)
    return person


SignedIn = Annotated[Person, Depends(_signed_in)]


def _organising(person: SignedIn) -> Person:
    if not person.organiser:
        raise NotFound("there is no such page, or it is not for you")
    return person


Organising = Annotated[Person, Depends(_organising)]
"""Somebody who is signed in and organises; for everybody else there is no such page."""


def let_in(context: Context, request: Request, account_id: str, response: Response) -> Response:
    """Sign this browser in as the account; the session it had before ends."""
    lifetime = timedelta(days=context.settings.session_days)
    before = request.cookies.get(cookie_name(request))
    with context.database.writing() as session:
        if before:
            sessions.end(session, before)
        secret = sessions.start(session, account_id, moment=context.clock(), lifetime=lifetime)
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="strict",
    )
    return response


def let_out(context: Context, request: Request) -> Response:
    """Sign this browser out, and send it to the boards."""
    response = RedirectResponse("/", 303)
    if secret := request.cookies.get(cookie_name(request)):
        with context.database.writing() as session:
            sessions.end(session, secret)
    response.delete_cookie(
        cookie_name(request), path="/", secure=is_https(request), httponly=True, samesite="strict"
    )
    return response


def cookie_name(request: Request) -> str:
    """On HTTPS a name that browsers let nobody but this very host set."""
    return "__Host-datacomp" if is_https(request) else "datacomp"


def own_path(path: str) -> str:
    """`path` if it leads to a page of ours and nowhere else; otherwise the account's page."""
    parts = urlsplit(path) if path.isascii() and path.isprintable() else None
    leads_here = (
        parts is not None
        and not parts.scheme
        and not parts.netloc
        and path.startswith("/")
        and not path.startswith("//")
        and "\\" not in path
        and len(path) <= _LONGEST_PATH
    )
    return path if leads_here else HOME


def is_https(request: Request) -> bool:
    """Whether the browser speaks HTTPS, to us or to a proxy that we trust."""
    return request.url.scheme == "https"
