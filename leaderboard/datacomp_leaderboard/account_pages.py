"""Pages of accounts and teams: one frozen dataclass each, as in `pages`.

`error` is what went wrong with the form that was just sent, as a sentence.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from datacomp.submission.levels import Level


@dataclass(frozen=True)
class SignInPage:
    """Sign in by name and password, or by a provider; `back_to` is the page that wanted it."""

    template: ClassVar[str] = "sign_in.html"

    title: str
    error: str | None
    name: str
    back_to: str
    provider: str | None
    may_register: bool


@dataclass(frozen=True)
class RegisterPage:
    """Make an account, and found a team or join one by an invite."""

    template: ClassVar[str] = "register.html"

    title: str
    error: str | None
    name: str
    team: str
    needs_invite: bool
    min_password: int
    provider: str | None


@dataclass(frozen=True)
class TokenLine:
    """A token; `may_end` says whether this person may revoke it."""

    id: str
    owner: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    may_end: bool


@dataclass(frozen=True)
class TeamLine:
    """One team of a person."""

    id: str
    name: str
    role: str


@dataclass(frozen=True)
class AccountPage:
    """A person's own page: teams, tokens, password."""

    template: ClassVar[str] = "account.html"

    title: str
    error: str | None
    name: str
    organiser: bool
    has_password: bool
    min_password: int
    teams: tuple[TeamLine, ...]
    may_found: bool
    tokens: tuple[TokenLine, ...]
    scopes: tuple[tuple[str, str], ...]
    days: int
    max_days: int


@dataclass(frozen=True)
class NextStep:
    """What somebody may do next with a submission: a sentence, and a command if there is one."""

    words: str
    command: str | None = None


@dataclass(frozen=True)
class OwnLine:
    """A submission as its team sees it. `findings` are (code, sentence) for which it was refused,
    `jobs` the (id, kind, status) of those that have not ended.
    """

    id: str
    method: str
    team: str
    scale: str
    track: str
    state: str
    marks: tuple[str, ...]
    level: Level
    rank: int | None
    average: float | None
    seed: int
    attempt: int
    submitted_at: datetime
    findings: tuple[tuple[str, str], ...]
    jobs: tuple[tuple[str, str, str], ...]
    step: NextStep


@dataclass(frozen=True)
class OwnSubmissionsPage:
    """What a person's teams handed in, newest first; `teams` are (id, name) to choose from."""

    template: ClassVar[str] = "account_submissions.html"

    title: str
    organiser: bool
    teams: tuple[tuple[str, str], ...]
    team_id: str | None
    lines: tuple[OwnLine, ...]
    older_href: str | None


@dataclass(frozen=True)
class MemberLine:
    """Somebody in a team; `this` is the reader."""

    account_id: str
    name: str
    role: str
    since: datetime
    this: bool


@dataclass(frozen=True)
class InviteLine:
    """An invite that nobody has used yet."""

    id: str
    role: str
    expires_at: datetime


@dataclass(frozen=True)
class KeyLine:
    """A key that the team signs its submissions with; `revoked_at` if it no longer does."""

    id: str
    name: str
    public_key: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class TeamPage:
    """A team as its members see it; `owns` says whether the reader may change it."""

    template: ClassVar[str] = "team.html"

    title: str
    error: str | None
    id: str
    name: str
    owns: bool
    members: tuple[MemberLine, ...]
    invites: tuple[InviteLine, ...]
    tokens: tuple[TokenLine, ...]
    keys: tuple[KeyLine, ...]


@dataclass(frozen=True)
class SecretPage:
    """A token or an invite, shown this once; `hints` say what to do with it."""

    template: ClassVar[str] = "secret.html"

    title: str
    secret: str
    hints: tuple[str, ...]
    back_href: str
    back_label: str


@dataclass(frozen=True)
class ContinuePage:
    """Leads on by itself: a strict cookie is not sent along a redirect from another site."""

    template: ClassVar[str] = "continue.html"

    title: str
    href: str
