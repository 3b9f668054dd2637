"""Statements about accounts, teams, tokens and sessions; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, bindparam, delete, select, update
from sqlalchemy.orm import Session

from datacomp_server.identity.models import (
    Account,
    ApiToken,
    Membership,
    Team,
    TeamInvite,
    WebSession,
)


def account_by_key(session: Session, key: str) -> Account | None:
    """The account of that key."""
    return session.scalars(select(Account).where(Account.key == key)).one_or_none()


def account_by_subject(session: Session, subject: str) -> Account | None:
    """The account that signs in by that subject of the provider."""
    return session.scalars(select(Account).where(Account.oidc_subject == subject)).one_or_none()


def accounts(session: Session) -> Sequence[Account]:
    """Every account, by name."""
    return session.scalars(select(Account).order_by(Account.key)).all()


def team_by_key(session: Session, key: str) -> Team | None:
    """The team of that key."""
    return session.scalars(select(Team).where(Team.key == key)).one_or_none()


def teams(session: Session) -> Sequence[Team]:
    """Every team, by name."""
    return session.scalars(select(Team).order_by(Team.key)).all()


def membership(session: Session, team_id: str, account_id: str) -> Membership | None:
    """That account in that team."""
    return session.get(Membership, (team_id, account_id))


def members(session: Session, team_id: str) -> Sequence[Membership]:
    """Everybody in a team, who joined first first."""
    statement = select(Membership).where(Membership.team_id == team_id)
    return session.scalars(statement.order_by(Membership.created_at, Membership.account_id)).all()


def memberships_of(session: Session, account_id: str) -> Sequence[Membership]:
    """Every team of an account."""
    return session.scalars(select(Membership).where(Membership.account_id == account_id)).all()


def invite_by_digest(session: Session, digest: str) -> TeamInvite | None:
    """The invite of that digest; used and expired ones too."""
    return session.scalars(select(TeamInvite).where(TeamInvite.digest == digest)).one_or_none()


def unused_invites(session: Session, team_id: str) -> Sequence[TeamInvite]:
    """The invites of a team that nobody used; expired ones too; oldest first."""
    statement = select(TeamInvite).filter_by(team_id=team_id, used_at=None)
    return session.scalars(statement.order_by(TeamInvite.created_at, TeamInvite.id)).all()


def delete_invite(session: Session, team_id: str, invite_id: str) -> bool:
    """Delete one unused invite of a team; False if there is none of that id."""
    statement = delete(TeamInvite).where(
        TeamInvite.id == invite_id, TeamInvite.team_id == team_id, TeamInvite.used_at.is_(None)
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def delete_invites(session: Session, team_id: str) -> None:
    """Delete every unused invite of a team."""
    session.execute(
        delete(TeamInvite).where(TeamInvite.team_id == team_id, TeamInvite.used_at.is_(None))
    )


_BY_DIGEST = select(ApiToken).where(ApiToken.digest == bindparam("digest"))


def token_by_digest(session: Session, digest: str) -> ApiToken | None:
    """The token of that digest, with its owners; revoked and expired ones too."""
    return session.scalars(_BY_DIGEST, {"digest": digest}).one_or_none()


def token_by_id(session: Session, token_id: str) -> ApiToken | None:
    """The token of that id."""
    return session.get(ApiToken, token_id)


def note_use(session: Session, token_id: str, moment: datetime) -> None:
    """Write down when a token was last used."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=moment))


def tokens(
    session: Session, *, team_id: str | None = None, account_id: str | None = None
) -> Sequence[ApiToken]:
    """Every token, or every one of a team or of an account; oldest first."""
    statement = select(ApiToken)
    if team_id is not None:
        statement = statement.where(ApiToken.team_id == team_id)
    if account_id is not None:
        statement = statement.where(ApiToken.account_id == account_id)
    return session.scalars(statement.order_by(ApiToken.created_at, ApiToken.id)).all()


def revoke_tokens_of(session: Session, account_id: str, team_id: str, moment: datetime) -> None:
    """End every token that an account made for a team."""
    statement = update(ApiToken).where(
        ApiToken.account_id == account_id,
        ApiToken.team_id == team_id,
        ApiToken.revoked_at.is_(None),
    )
    session.execute(statement.values(revoked_at=moment))


def delete_session(session: Session, digest: str) -> None:
    """Delete one web session, if it is there."""
    session.execute(delete(WebSession).where(WebSession.digest == digest))


def delete_sessions(session: Session, account_id: str) -> None:
    """Delete every web session of an account."""
    session.execute(delete(WebSession).where(WebSession.account_id == account_id))


def delete_sessions_before(session: Session, moment: datetime) -> None:
    """Delete every web session that was over by then."""
    session.execute(delete(WebSession).where(WebSession.expires_at <= moment))
