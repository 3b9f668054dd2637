"""Registering by web: who may, and what an account begins with.

The default is open: a competition that nobody can enter is none, the service listens on the own
machine unless told otherwise, and an account can do nothing but submit within its team's quotas.
No account organises by having been the first; only `datacomp admin account` makes organisers.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_server.identity import accounts, teams
from datacomp_server.identity.models import Account, Team
from datacomp_server.kit.errors import Forbidden, Refused
from datacomp_server.settings import Settings


def require_open(settings: Settings) -> None:
    """`Forbidden` if nobody may register by web."""
    if settings.registration == "closed":
        raise Forbidden(
            "registration is closed here; ask the organisers for an account",
            code="registration_closed",
        )


def register(
    session: Session,
    settings: Settings,
    *,
    name: str,
    password_hash: str,
    team: str,
    invite: str,
    moment: datetime,
) -> Account:
    """A new account, in a team that it founds, joins, or neither; all of it or nothing.

    `Refused` or `Conflict` with the reason: a bad invite, a name that is taken, ...
    """
    require_open(settings)
    if settings.registration == "invite" and not invite.strip():
        raise Refused("registration needs an invite here", code="invite_needed")
    if team.strip() and invite.strip():
        raise Refused("found a team or join one, not both", code="two_teams")
    account = accounts.create(session, name, password_hash=password_hash, moment=moment)
    if invite.strip():
        teams.join(session, account.id, invite, moment=moment)
    elif team.strip():
        found_team(session, settings, account.id, team, moment=moment)
    return account


def found_team(
    session: Session, settings: Settings, account_id: str, name: str, *, moment: datetime
) -> Team:
    """A new team of an account; `Forbidden` where teams are founded by organisers only."""
    if settings.registration != "open":
        raise Forbidden("the organisers found the teams here", code="registration_closed")
    at_most = settings.teams_per_account
    return teams.found(session, account_id, name, at_most=at_most, moment=moment)
