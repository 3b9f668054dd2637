"""Rules of tokens: who may have one, which one is good, how it ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.audit import service as audit
from datacomp_server.identity import repository, tokens
from datacomp_server.identity.accounts import OPERATOR
from datacomp_server.identity.callers import Caller, MachineCaller, OrganiserCaller, TeamCaller
from datacomp_server.identity.models import Account, ApiToken, Team
from datacomp_server.identity.names import checked_name, key_of
from datacomp_server.identity.tokens import TEAM_SCOPES, Scope
from datacomp_server.kit.db import Database
from datacomp_server.kit.errors import NotFound, Refused, Unauthorised

DEFAULT_LIFETIME = timedelta(days=90)
# a busy client must not cost one write per request
_LAST_USED_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True)
class TokenInfo:
    """A token as its owner and organisers may see it: everything but its text."""

    id: str
    owner: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, moment: datetime) -> str:
        """`good`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= moment else "good"


def create_token(
    session: Session,
    team: str,
    *,
    moment: datetime,
    name: str = "default",
    scopes: frozenset[Scope] = TEAM_SCOPES,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> str:
    """A new token of `team`, which is founded if there is none of that name; returned once.

    `Refused` if a name is empty, too long, or holds characters that could mislead, or if a
    scope is not a team's.
    """
    found = _found_team(session, checked_name("team", team), moment)
    _, secret = add_team_token(
        session, found, name=name, scopes=scopes, lifetime=lifetime, moment=moment
    )
    return secret


def add_team_token(
    session: Session,
    team: Team,
    *,
    name: str,
    scopes: frozenset[Scope],
    lifetime: timedelta,
    moment: datetime,
    by: Account | None = None,
) -> tuple[ApiToken, str]:
    """A token that speaks for a team, made by one of its members if `by` is given."""
    if not scopes <= TEAM_SCOPES:
        raise Refused(
            f"a team's token carries {' or '.join(sorted(TEAM_SCOPES))}, "
            f"not {', '.join(sorted(scopes - TEAM_SCOPES))}",
            code="not_a_teams_scope",
        )
    return _add(session, team, by, name, scopes, moment, lifetime)


def create_worker_token(
    session: Session, name: str, *, moment: datetime, lifetime: timedelta = DEFAULT_LIFETIME
) -> str:
    """A new token with which a machine may work for the service; returned once."""
    scopes = frozenset({Scope.WORK})
    return _add(session, None, None, name, scopes, moment, lifetime)[1]


def create_organiser_token(
    session: Session,
    account: Account,
    *,
    moment: datetime,
    name: str = "default",
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> str:
    """A new token of an organiser; returned once. It is good as long as the account organises."""
    return add_organiser_token(session, account, name=name, lifetime=lifetime, moment=moment)[1]


def add_organiser_token(
    session: Session, account: Account, *, name: str, lifetime: timedelta, moment: datetime
) -> tuple[ApiToken, str]:
    """The same, and its row; `Refused` if the account does not organise."""
    if not account.organiser:
        raise Refused(
            f"{account.name!r} organises nothing; see: datacomp admin account organiser",
            code="not_an_organiser",
        )
    scopes = frozenset({Scope.ADMIN})
    return _add(session, None, account, name, scopes, moment, lifetime)


def recognise(database: Database, secret: str, *, moment: datetime) -> Caller:
    """The caller behind a token, its use noted; `Unauthorised` if it is not good."""
    with database.reading() as session:
        caller = authenticate(session, secret, moment=moment)
    last = caller.last_used_at
    if last is None or moment - last > _LAST_USED_PRECISION:
        with database.writing() as session:
            repository.note_use(session, caller.token_id, moment)
    return caller


def authenticate(session: Session, secret: str, *, moment: datetime) -> Caller:
    """The caller behind a token; `Unauthorised`, always in the same words, if it is not good."""
    token = None
    if tokens.is_well_formed(secret):
        token = repository.token_by_digest(session, tokens.digest(secret))
    if token is None or not _is_good(token, moment):
        raise Unauthorised("the token is unknown, expired or revoked")
    return _caller(token)


def list_tokens(session: Session) -> list[TokenInfo]:
    """Every token, revoked ones too, oldest first."""
    return [info_of(token) for token in repository.tokens(session)]


def info_of(token: ApiToken) -> TokenInfo:
    """What may be shown of a token."""
    return TokenInfo(
        id=token.id,
        owner=actor_of(token),
        name=token.name,
        hint=token.hint,
        scopes=tuple(token.scopes.split()),
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )


def actor_of(token: ApiToken) -> str:
    """Who a token speaks for: "team:Alpha"."""
    return _caller(token).actor


def revoke_token(session: Session, token_id: str, *, moment: datetime) -> None:
    """End a token for good; `NotFound` if there is none of that id. Twice is no error."""
    token = repository.token_by_id(session, token_id)
    if token is None:
        raise NotFound(f"no token has the id {token_id!r}; see: datacomp admin token list")
    end_token(session, token, by=OPERATOR, moment=moment)


def end_token(session: Session, token: ApiToken, *, by: str, moment: datetime) -> None:
    """End a token for good; `by` is the actor. Twice is no error."""
    if token.revoked_at is None:
        token.revoked_at = moment
        audit.record(
            session, tag="token:revoked", subject_id=token.id, actor=by, facts={}, moment=moment
        )


def _add(
    session: Session,
    team: Team | None,
    account: Account | None,
    name: str,
    scopes: frozenset[Scope],
    moment: datetime,
    lifetime: timedelta,
) -> tuple[ApiToken, str]:
    secret = tokens.generate()
    token = ApiToken(
        team=team,
        account=account,
        name=checked_name("token", name),
        hint=tokens.hint(secret),
        digest=tokens.digest(secret),
        scopes=" ".join(sorted(scopes)),
        created_at=moment,
        expires_at=moment + lifetime,
    )
    session.add(token)
    session.flush()
    facts = {"scopes": sorted(scopes)}
    actor = actor_of(token)
    audit.record(
        session,
        tag="token:created",
        subject_id=token.id,
        actor=actor,
        facts=facts,
        moment=moment,
    )
    return token, secret


def _is_good(token: ApiToken, moment: datetime) -> bool:
    if token.revoked_at is not None:
        return False
    if token.expires_at is not None and token.expires_at <= moment:
        return False
    if token.account is not None and token.account.disabled_at is not None:
        return False
    is_admin = Scope.ADMIN in token.scopes.split()
    return not is_admin or (token.account is not None and token.account.organiser)


def _caller(token: ApiToken) -> Caller:
    facts: dict[str, Any] = {
        "token_id": token.id,
        "scopes": frozenset(Scope(scope) for scope in token.scopes.split()),
        "account_id": token.account_id,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
    if token.team is not None:
        return TeamCaller(name=token.team.name, team_id=token.team.id, **facts)
    if token.account is not None:
        return OrganiserCaller(name=token.account.name, **facts)
    return MachineCaller(name=token.name, **facts)


def _found_team(session: Session, name: str, moment: datetime) -> Team:
    key = key_of(name)
    team = repository.team_by_key(session, key)
    if team is None:
        team = Team(name=name, key=key, created_at=moment)
        session.add(team)
        session.flush()
    return team
