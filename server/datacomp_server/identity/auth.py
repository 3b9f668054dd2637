"""Who calls, as a type: a route that takes a `Submitter` cannot be reached without a token."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from datacomp_server.context import Context, get_context
from datacomp_server.identity.service import Caller, authenticate
from datacomp_server.identity.tokens import Scope
from datacomp_server.kit.errors import Unauthorised

_bearer = HTTPBearer(auto_error=False, description="A token: dcp_...")


def _submitter(
    context: Annotated[Context, Depends(get_context)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    if credentials is None:
        raise Unauthorised("this needs a token: send it as 'Authorization: Bearer dcp_...'")
    with context.database.writing() as session:
        caller = authenticate(session, credentials.credentials)
    caller.require(Scope.SUBMIT)
    return caller


Submitter = Annotated[Caller, Depends(_submitter)]
