"""Tokens that people make for themselves: of a team that they are in, or of an organiser."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from datacomp_server.identity import repository, service, teams
from datacomp_server.identity.callers import Caller, OrganiserCaller
from datacomp_server.identity.models import Account, ApiToken
from datacomp_server.identity.tokens import TEAM_SCOPES, Scope
from datacomp_server.kit.errors import NotFound, Refused

MAX_DAYS = 366
_MAX_TOKENS = 100
_ADMIN = frozenset({Scope.ADMIN})


@dataclass(frozen=True)
class Wish:
    """What token a person wants; `team_id` is None for an organiser's."""

    team_id: str | None
    name: str
    scopes: frozenset[Scope]
    lifetime: timedelta


def make(
    session: Session, account_id: str, wish: Wish, *, moment: datetime
) -> tuple[ApiToken, str]:
    """A token and its text, which is shown once.

    `NotFound` for a team that the account is not in, `Refused` for scopes that it cannot give
    away, or with too many tokens.
    """
    account = session.get_one(Account, account_id)
    live = [t for t in repository.tokens(session, account_id=account_id) if not t.revoked_at]
    if sum(t.expires_at is None or t.expires_at > moment for t in live) >= _MAX_TOKENS:
        raise Refused(f"you have {_MAX_TOKENS} tokens, revoke some", code="too_many_tokens")
    if wish.team_id is not None:
        team = teams.of_member(session, wish.team_id, account_id).team
        return service.add_team_token(
            session,
            team,
            name=wish.name,
            scopes=wish.scopes,
            lifetime=wish.lifetime,
            moment=moment,
            by=account,
        )
    if wish.scopes != _ADMIN:
        raise Refused("a token without a team is an organiser's and carries admin", code="no_team")
    return service.add_organiser_token(
        session, account, name=wish.name, lifetime=wish.lifetime, moment=moment
    )


def wish_at_sign_in(
    session: Session, account_id: str, team: str | None, scopes: frozenset[Scope] | None
) -> tuple[str | None, frozenset[Scope]]:
    """The team and scopes of a token that is asked for by name and password.

    Without a team's name it is the only one that the account is in; `Refused` if there is not
    exactly one. Without scopes they are a team's.
    """
    scopes = TEAM_SCOPES if scopes is None else scopes
    if scopes == _ADMIN and team is None:
        return None, scopes
    mine = {m.team.key: m.team for m in repository.memberships_of(session, account_id)}
    if team is not None:
        return teams.of_name_among(mine, team).id, scopes
    if len(mine) != 1:
        names = ", ".join(sorted(repr(found.name) for found in mine.values()))
        raise Refused(
            f"name the team that the token is for; you are in {names}"
            if mine
            else "you are in no team yet: found one on your account's page, or join one there",
            code="team_needed" if mine else "no_team",
        )
    return next(iter(mine.values())).id, scopes


def list_for(session: Session, caller: Caller) -> list[service.TokenInfo]:
    """The tokens that the caller may see and end: itself; for an organiser every one."""
    return [service.info_of(token) for token in _own(session, caller)]


def revoke_for(session: Session, caller: Caller, token_id: str, *, moment: datetime) -> None:
    """End one of them; `NotFound` for any other."""
    for token in _own(session, caller):
        if token.id == token_id:
            return service.end_token(session, token, by=caller.actor, moment=moment)
    raise NotFound("there is no such token")


def revoke_by_person(session: Session, account_id: str, token_id: str, *, moment: datetime) -> None:
    """End a token that the account made, or that is of a team which it owns; else `NotFound`."""
    token = repository.token_by_id(session, token_id)
    if token is None or not _may_end(session, token, account_id):
        raise NotFound("there is no such token")
    service.end_token(session, token, by=service.actor_of(token), moment=moment)


def _own(session: Session, caller: Caller) -> list[ApiToken]:
    if isinstance(caller, OrganiserCaller):
        return list(repository.tokens(session))
    itself = repository.token_by_id(session, caller.token_id)
    return [itself] if itself is not None else []


def _may_end(session: Session, token: ApiToken, account_id: str) -> bool:
    if token.account_id == account_id:
        return True
    if token.team_id is None:
        return False
    membership = repository.membership(session, token.team_id, account_id)
    return membership is not None and membership.role == "owner"
