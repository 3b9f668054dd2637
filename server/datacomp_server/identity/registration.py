"""Registering by web: who may, and what an account begins with.

The default is open: a competition that nobody can enter is none, the service listens on the own
machine unless told otherwise, and an account can do nothing but submit within its team's quotas.
No account organises by having been the first; only `datacomp admin account` makes organisers.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.submission import text
from datacomp_server.identity import accounts, repository, teams
from datacomp_server.identity.models import Account, Team
from datacomp_server.identity.names import MAX_NAME_LENGTH, key_of
from datacomp_server.kit.errors import Forbidden, Refused
from datacomp_server.kit.ids import new_id
from datacomp_server.settings import Settings

_LONGEST_SUGGESTION = 50


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


def by_subject(
    session: Session, settings: Settings, subject: str, name: str, *, moment: datetime
) -> Account:
    """The account of a provider's subject, made if there is none.

    Its name is the provider's suggestion, with a number if that is taken: names and addresses
    never lead into an account that is there. `Forbidden` if it was ended, or nobody may register.
    """
    account = repository.account_by_subject(session, subject)
    if account is None:
        require_open(settings)
        name = _free_name(session, name)
        return accounts.create(session, name, oidc_subject=subject, moment=moment)
    if account.disabled_at is not None:
        raise Forbidden("this account was ended", code="account_ended")
    return account


def _free_name(session: Session, wish: str) -> str:
    base = text.clean(wish)[:_LONGEST_SUGGESTION]
    if any(text.problems(base, limit=MAX_NAME_LENGTH)) or len(key_of(base)) > MAX_NAME_LENGTH:
        base = "user"
    candidates = (base, *(f"{base} {number}" for number in range(2, 100)))
    for name in candidates:
        if repository.account_by_key(session, key_of(name)) is None:
            return name
    return f"{base[:20]} {new_id()}"


def found_team(
    session: Session, settings: Settings, account_id: str, name: str, *, moment: datetime
) -> Team:
    """A new team of an account; `Forbidden` where teams are founded by organisers only."""
    if settings.registration != "open":
        raise Forbidden("the organisers found the teams here", code="registration_closed")
    at_most = settings.teams_per_account
    return teams.found(session, account_id, name, at_most=at_most, moment=moment)
