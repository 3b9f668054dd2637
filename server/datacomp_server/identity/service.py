"""Rules of identity: who may have a token, which one is good, how it ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from datacomp.errors import UsageError
from datacomp_server.identity import repository, tokens
from datacomp_server.identity.models import ApiToken, Team
from datacomp_server.identity.tokens import Scope
from datacomp_server.kit import text
from datacomp_server.kit.clock import now
from datacomp_server.kit.errors import Forbidden, Unauthorised

MAX_NAME_LENGTH = 60
# a busy client must not cost one write per request
_LAST_USED_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True)
class Caller:
    """An authenticated token and the team it speaks for; made by `authenticate` only."""

    token_id: str
    team_id: str
    team: str
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """`Forbidden` unless the token carries `scope`."""
        if scope not in self.scopes:
            raise Forbidden(f"this token does not carry the scope {scope.value!r}")


@dataclass(frozen=True)
class TokenInfo:
    """A token as an organiser may see it: everything but its text."""

    id: str
    team: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


def create_token(
    session: Session,
    team: str,
    *,
    name: str = "default",
    scopes: frozenset[Scope] = frozenset(Scope),
    lifetime: timedelta | None = None,
) -> str:
    """A new token of `team`, which is founded if there is none of that name; returned once.

    `UsageError` if a name is empty, too long, or holds characters that could mislead.
    """
    secret = tokens.generate()
    session.add(
        ApiToken(
            team=_found_team(session, _name("team", team)),
            name=_name("token", name),
            hint=tokens.hint(secret),
            digest=tokens.digest(secret),
            scopes=" ".join(sorted(scopes)),
            expires_at=None if lifetime is None else now() + lifetime,
        )
    )
    return secret


def authenticate(session: Session, secret: str) -> Caller:
    """The caller behind a token; `Unauthorised`, always in the same words, if it is not good."""
    refusal = Unauthorised("the token is unknown, expired or revoked")
    if not tokens.is_well_formed(secret):
        raise refusal
    token = repository.token_by_digest(session, tokens.digest(secret))
    moment = now()
    if token is None or token.revoked_at is not None:
        raise refusal
    if token.expires_at is not None and token.expires_at <= moment:
        raise refusal
    if token.last_used_at is None or moment - token.last_used_at > _LAST_USED_PRECISION:
        token.last_used_at = moment
    if token.team is None:
        raise refusal
    scopes = frozenset(Scope(scope) for scope in token.scopes.split())
    return Caller(token.id, token.team.id, token.team.name, scopes)


def list_tokens(session: Session) -> list[TokenInfo]:
    """Every token, revoked ones too."""
    return [
        TokenInfo(
            id=token.id,
            team=token.team.name if token.team else "",
            name=token.name,
            hint=token.hint,
            scopes=tuple(token.scopes.split()),
            created_at=token.created_at,
            last_used_at=token.last_used_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
        )
        for token in repository.tokens(session)
    ]


def revoke_token(session: Session, token_id: str) -> None:
    """End a token for good; `UsageError` if there is none of that id. Twice is no error."""
    token = repository.token_by_id(session, token_id)
    if token is None:
        raise UsageError(f"no token has the id {token_id!r}; see: datacomp serve token list")
    token.revoked_at = token.revoked_at or now()


def _found_team(session: Session, name: str) -> Team:
    key = name.casefold()
    team = repository.team_by_key(session, key)
    if team is None:
        team = Team(name=name, key=key)
        session.add(team)
        session.flush()
    return team


def _name(what: str, value: str) -> str:
    value = text.clean(value)
    problems = list(text.problems(value, limit=MAX_NAME_LENGTH))
    if problems:
        raise UsageError(f"the {what}'s name {problems[0]}")
    return value
