"""Statements about teams and tokens; decides nothing."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from datacomp_server.identity.models import ApiToken, Team


def team_by_key(session: Session, key: str) -> Team | None:
    """The team of that key."""
    return session.scalars(select(Team).where(Team.key == key)).one_or_none()


def token_by_digest(session: Session, digest: str) -> ApiToken | None:
    """The token of that digest, with its team; revoked and expired ones too."""
    return session.scalars(select(ApiToken).where(ApiToken.digest == digest)).one_or_none()


def token_by_id(session: Session, token_id: str) -> ApiToken | None:
    """The token of that id."""
    return session.get(ApiToken, token_id)


def note_use(session: Session, token_id: str, moment: datetime) -> None:
    """Write down when a token was last used."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=moment))


def tokens(session: Session) -> Sequence[ApiToken]:
    """Every token, oldest first."""
    return session.scalars(select(ApiToken).order_by(ApiToken.created_at, ApiToken.id)).all()
