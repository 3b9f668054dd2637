"""Routes of signing in by a provider: there and back."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.requests import Request
from starlette.responses import Response

from datacomp_leaderboard.account_pages import ContinuePage
from datacomp_server.identity import attempts, registration
from datacomp_server.identity.pages import ContextDep, private
from datacomp_server.identity.provider import CALLBACK, FLOW_LIFETIME, Provider
from datacomp_server.identity.visitors import HOME, cookie_name, is_https, let_in, own_path
from datacomp_server.kit.errors import Forbidden, NotFound

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def _provider(context: ContextDep) -> Provider:
    if context.provider is None:
        raise NotFound("this service has no provider to sign in by")
    return context.provider


ProviderDep = Annotated[Provider, Depends(_provider)]


@router.get("/sign-in/provider")
def begin(
    context: ContextDep, provider: ProviderDep, request: Request, next: str = HOME
) -> Response:
    """Send the browser to the provider."""
    attempts.count(context, request)
    flow, address = provider.begin(own_path(next), moment=context.clock())
    response = RedirectResponse(address, 303)
    response.set_cookie(
        _flow_cookie(request),
        flow.state,
        max_age=int(FLOW_LIFETIME.total_seconds()),
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="lax",  # a strict one does not come back from another site
    )
    return response


@router.get(CALLBACK)
def come_back(
    context: ContextDep,
    provider: ProviderDep,
    request: Request,
    state: str = "",
    code: str = "",
    iss: str | None = None,
) -> Response:
    """The provider sends the browser here: sign it in, if all of it is as it was begun."""
    cookie, moment = request.cookies.get(_flow_cookie(request)), context.clock()
    flow = provider.take(state, cookie, moment=moment)
    if not code or iss not in (None, provider.issuer):
        raise Forbidden("the provider did not sign you in", code="sign_in_refused")
    subject = provider.subject(flow, code, clock=context.clock)
    with context.database.writing() as session:
        account = registration.by_subject(
            session, context.settings, subject.key, subject.name, moment=moment
        )
    leads_on = private(ContinuePage("Signed in", flow.back_to))
    response = let_in(context, request, account.id, leads_on)
    response.delete_cookie(_flow_cookie(request), path="/", secure=is_https(request))
    return response


def _flow_cookie(request: Request) -> str:
    return cookie_name(request) + "-flow"
