"""Who calls, as a type: a route that takes one of these cannot be reached without such a token.

| type of a route's parameter | who | token needs |
|---|---|---|
| `Submitter` | a team | submissions:write |
| `Reader` | a team; or an organiser, who may see every team's | submissions:read; or admin |
| `Steward` | a team; or an organiser, who may act for every team | submissions:write; or admin |
| `Uploader` | a team; or a worker | submissions:write; or worker |
| `WorkerCaller` | a worker | worker |
| `Organiser` | an organiser | admin |
| `AnyCaller` | whoever has a good token | nothing |
| `MaybeCaller` | the same, or None without a token: public routes that show owners more | nothing |

Every one but `Submitter`, `WorkerCaller` and `Organiser` is a `Caller` of several kinds: ask
`caller.may_see(team_id)`, or match on its class. Routes declare `responses={**NEEDS_TOKEN, ...}`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from datacomp_server.context import Context, get_context
from datacomp_server.identity import service
from datacomp_server.identity.callers import Caller, MachineCaller, OrganiserCaller, TeamCaller
from datacomp_server.identity.tokens import Scope
from datacomp_server.kit.errors import ErrorOut, Forbidden, Unauthorised
from datacomp_server.kit.limits import Rate
from datacomp_server.kit.middleware import ADDRESS_REQUESTS, address_of

_bearer = HTTPBearer(auto_error=False, description="A token: dcp_...")
_NEEDED = {
    TeamCaller: "a team's token",
    MachineCaller: "a worker's token",
    OrganiserCaller: "an organiser's token",
}

NEEDS_TOKEN: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorOut, "description": "No token, or not a good one"},
    403: {"model": ErrorOut, "description": "The token may not do this"},
}


def _maybe_caller(
    request: Request,
    context: Annotated[Context, Depends(get_context)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller | None:
    if credentials is None:
        return None
    caller = service.recognise(context.database, credentials.credentials, moment=context.clock())
    settings, limiter = context.settings, context.limiter
    limiter.take(
        "requests of this token", caller.token_id, Rate(settings.token_requests_per_minute, 60)
    )
    address_rate = Rate(settings.address_requests_per_minute, 60)
    limiter.give_back(ADDRESS_REQUESTS, address_of(request), address_rate)
    return caller


MaybeCaller = Annotated[Caller | None, Depends(_maybe_caller)]


async def _any_caller(caller: MaybeCaller) -> Caller:
    if caller is None:
        raise Unauthorised("this needs a token: send it as 'Authorization: Bearer dcp_...'")
    return caller


AnyCaller = Annotated[Caller, Depends(_any_caller)]


def _one_of(needs: dict[type[Caller], Scope]) -> Callable[..., Awaitable[Caller]]:
    async def check(caller: AnyCaller) -> Caller:
        if type(caller) not in needs:
            allowed = " or ".join(_NEEDED[kind] for kind in needs)
            raise Forbidden(f"this needs {allowed}; the token given is of {caller.actor!r}")
        caller.require(needs[type(caller)])
        return caller

    return check


_TEAM_WRITES, _TEAM_READS = {TeamCaller: Scope.SUBMIT}, {TeamCaller: Scope.READ}
_WORKER, _ORGANISER = {MachineCaller: Scope.WORK}, {OrganiserCaller: Scope.ADMIN}

Submitter = Annotated[TeamCaller, Depends(_one_of({**_TEAM_WRITES}))]
Reader = Annotated[Caller, Depends(_one_of({**_TEAM_READS, **_ORGANISER}))]
Steward = Annotated[Caller, Depends(_one_of({**_TEAM_WRITES, **_ORGANISER}))]
Uploader = Annotated[Caller, Depends(_one_of({**_TEAM_WRITES, **_WORKER}))]
WorkerCaller = Annotated[MachineCaller, Depends(_one_of({**_WORKER}))]
Organiser = Annotated[OrganiserCaller, Depends(_one_of({**_ORGANISER}))]
