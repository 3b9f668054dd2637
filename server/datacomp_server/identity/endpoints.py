"""Routes of tokens: get one for a password, ask who it is, list, revoke."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from datacomp_server.context import Context, get_context
from datacomp_server.identity import attempts, own_tokens, service
from datacomp_server.identity.auth import NEEDS_TOKEN, AnyCaller
from datacomp_server.identity.schemas import CallerOut, NewTokenOut, SignIn, TokenOut
from datacomp_server.kit.errors import ErrorOut

router = APIRouter(prefix="/api/v1", tags=["identity"])

ContextDep = Annotated[Context, Depends(get_context)]
_WRONG: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorOut, "description": "The body is not JSON"},
    401: {"model": ErrorOut, "description": "Name or password are wrong"},
    403: {"model": ErrorOut, "description": "Sent by a page of another site"},
    404: {"model": ErrorOut, "description": "No team of that name that the account is in"},
    413: {"model": ErrorOut, "description": "The body is too large"},
    422: {"model": ErrorOut, "description": "Refused, with the reason"},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut},
    422: {"model": ErrorOut},
}


@router.post("/tokens", status_code=201, responses=_WRONG)
def create_token(
    body: SignIn, request: Request, response: Response, context: ContextDep
) -> NewTokenOut:
    """A new token, for the name and password of an account: what `datacomp login` asks for."""
    account = attempts.sign_in(context, request, body.account, body.password)
    with context.database.writing() as session:
        team_id, scopes = own_tokens.wish_at_sign_in(session, account.id, body.team, body.scopes)
        wish = own_tokens.Wish(team_id, body.name, scopes, timedelta(days=body.days))
        made, secret = own_tokens.make(session, account.id, wish, moment=context.clock())
        out = asdict(service.info_of(made))
    response.headers["Cache-Control"] = "no-store"
    return NewTokenOut(**out, token=secret)


@router.get("/tokens", responses=NEEDS_TOKEN)
def list_tokens(caller: AnyCaller, context: ContextDep) -> list[TokenOut]:
    """The token that was sent; for an organiser's, every token of the service."""
    with context.database.reading() as session:
        return [TokenOut(**asdict(info)) for info in own_tokens.list_for(session, caller)]


@router.delete("/tokens/{token_id}", status_code=204, responses={**NEEDS_TOKEN, **_NOT_FOUND})
def revoke_token(token_id: str, caller: AnyCaller, context: ContextDep) -> Response:
    """End the token that was sent, for good; an organiser's ends any. Twice is no error.

    A token cannot end others, so that a leaked one does no more harm than it may.
    """
    with context.database.writing() as session:
        own_tokens.revoke_for(session, caller, token_id, moment=context.clock())
    return Response(status_code=204)


@router.get("/me", responses=NEEDS_TOKEN)
def get_caller(caller: AnyCaller) -> CallerOut:
    """Whom the token that was sent speaks for."""
    return CallerOut(
        actor=caller.actor,
        scopes=sorted(caller.scopes),
        token_id=caller.token_id,
        expires_at=caller.expires_at,
    )
