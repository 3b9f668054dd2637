"""Browsers that are signed in: a random cookie, known here by its hash only."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from datacomp_server.identity import repository
from datacomp_server.identity.models import Account, WebSession
from datacomp_server.identity.people import Member, Person


def start(session: Session, account_id: str, *, moment: datetime, lifetime: timedelta) -> str:
    """A new session's cookie value. Always a new one: nobody can plant it beforehand.

    Sessions that are over are removed on the way.
    """
    repository.delete_sessions_before(session, moment)
    secret = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            digest=_digest(secret),
            account_id=account_id,
            created_at=moment,
            expires_at=moment + lifetime,
        )
    )
    return secret


def person_of(session: Session, secret: str, *, moment: datetime) -> Person | None:
    """Who is signed in with that cookie value; None if nobody is any more."""
    found = session.get(WebSession, _digest(secret))
    if found is None or found.expires_at <= moment or found.account.disabled_at is not None:
        return None
    return _person(session, found.account)


def end(session: Session, secret: str) -> None:
    """Sign one browser out; no error if it is out already."""
    repository.delete_session(session, _digest(secret))


def _person(session: Session, account: Account) -> Person:
    teams = (
        Member(membership.team_id, membership.team.name, membership.role)
        for membership in repository.memberships_of(session, account.id)
    )
    return Person(
        account_id=account.id,
        name=account.name,
        organiser=account.organiser,
        has_password=account.password_hash is not None,
        teams=tuple(sorted(teams, key=lambda member: member.team.casefold())),
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
