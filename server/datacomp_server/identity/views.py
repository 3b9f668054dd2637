"""From stored accounts and teams to what their pages need."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_leaderboard.account_pages import (
    AccountPage,
    InviteLine,
    KeyLine,
    MemberLine,
    RegisterPage,
    SignInPage,
    TeamLine,
    TeamPage,
    TokenLine,
)
from datacomp_server.identity import passwords, repository, service, teams
from datacomp_server.identity.models import ApiToken
from datacomp_server.identity.own_tokens import MAX_DAYS
from datacomp_server.identity.people import Person
from datacomp_server.identity.tokens import Scope
from datacomp_server.settings import Settings
from datacomp_server.verification import repository as signing

_SCOPES = (
    (Scope.SUBMIT.value, "submit, and act on the team's submissions"),
    (Scope.READ.value, "read the team's logs, files and drafts"),
)


def sign_in_page(
    settings: Settings, *, back_to: str, name: str = "", error: str | None = None
) -> SignInPage:
    """The form to sign in by."""
    return SignInPage(
        title="Sign in",
        error=error,
        name=name,
        back_to=back_to,
        provider=_provider(settings),
        may_register=settings.registration != "closed",
    )


def register_page(
    settings: Settings, *, name: str = "", team: str = "", error: str | None = None
) -> RegisterPage:
    """The form to register by."""
    return RegisterPage(
        title="Register",
        error=error,
        name=name,
        team=team,
        needs_invite=settings.registration == "invite",
        min_password=passwords.MIN_LENGTH,
        provider=_provider(settings),
    )


def account_page(
    session: Session,
    settings: Settings,
    person: Person,
    *,
    moment: datetime,
    error: str | None = None,
) -> AccountPage:
    """A person's own page, with the tokens that are good."""
    found = repository.tokens(session, account_id=person.account_id)
    return AccountPage(
        title="Your account",
        error=error,
        name=person.name,
        organiser=person.organiser,
        has_password=person.has_password,
        min_password=passwords.MIN_LENGTH,
        teams=tuple(TeamLine(t.team_id, t.team, t.role) for t in person.teams),
        may_found=settings.registration == "open",
        tokens=_good(found, person, moment, owns=False),
        scopes=_SCOPES,
        days=service.DEFAULT_LIFETIME.days,
        max_days=MAX_DAYS,
    )


def team_page(
    session: Session,
    person: Person,
    team_id: str,
    *,
    moment: datetime,
    error: str | None = None,
) -> TeamPage:
    """A team as a member sees it; `NotFound` for everybody else."""
    mine = teams.of_member(session, team_id, person.account_id)
    owns = mine.role == "owner"
    invites = teams.open_invites(session, team_id, moment) if owns else []
    return TeamPage(
        title="Your team",
        error=error,
        id=team_id,
        name=mine.team.name,
        owns=owns,
        members=tuple(
            MemberLine(
                m.account_id,
                m.account.name,
                m.role,
                m.created_at,
                m.account_id == person.account_id,
            )
            for m in repository.members(session, team_id)
        ),
        invites=tuple(InviteLine(i.id, i.role, i.expires_at) for i in invites),
        tokens=_good(repository.tokens(session, team_id=team_id), person, moment, owns=owns),
        keys=tuple(
            KeyLine(one.id, one.name, one.public_key, one.created_at, one.revoked_at)
            for one in signing.keys(session, team_id)
        ),
    )


def _good(
    found: Sequence[ApiToken], person: Person, moment: datetime, *, owns: bool
) -> tuple[TokenLine, ...]:
    infos = [(token, service.info_of(token)) for token in found]
    return tuple(
        TokenLine(
            id=info.id,
            owner=info.owner,
            name=info.name,
            hint=info.hint,
            scopes=info.scopes,
            created_at=info.created_at,
            last_used_at=info.last_used_at,
            expires_at=info.expires_at,
            may_end=owns or token.account_id == person.account_id,
        )
        for token, info in infos
        if info.state(moment) == "good"
    )


def _provider(settings: Settings) -> str | None:
    return settings.oidc_label if settings.oidc_issuer else None
