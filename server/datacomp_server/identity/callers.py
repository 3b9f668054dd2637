"""Who speaks through a token: a team, a machine that works for the service, or an organiser."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from datacomp_server.identity.tokens import Scope
from datacomp_server.kit.errors import Forbidden


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated token; made by `service.authenticate` only.

    `name` is the team's, the worker's or the organiser's; `account_id` is the person who made
    the token, if one did; `last_used_at` is of before this call.
    """

    kind: ClassVar[str]

    token_id: str
    name: str
    scopes: frozenset[Scope]
    account_id: str | None
    expires_at: datetime | None
    last_used_at: datetime | None

    @property
    def actor(self) -> str:
        """Who it is in events, jobs and the ledger: "team:Alpha"."""
        return f"{self.kind}:{self.name}"

    def require(self, scope: Scope) -> None:
        """`Forbidden` unless the token carries `scope`."""
        if scope not in self.scopes:
            raise Forbidden(f"this token does not carry the scope {scope.value!r}")

    def may_see(self, team_id: str) -> bool:
        """Whether this caller acts for that team: a route's type has asked for the scope."""
        return False

    def may_read(self, team_id: str) -> bool:
        """Whether what is private to that team may be shown, where no scope was asked for."""
        return self.may_see(team_id) and not self.scopes.isdisjoint({Scope.READ, Scope.ADMIN})


@dataclass(frozen=True, kw_only=True)
class TeamCaller(Caller):
    """A token that speaks for a team."""

    kind = "team"

    team_id: str

    @property
    def team(self) -> str:
        """The team's name."""
        return self.name

    def may_see(self, team_id: str) -> bool:
        """Its own team's."""
        return team_id == self.team_id


@dataclass(frozen=True, kw_only=True)
class MachineCaller(Caller):
    """A token of a machine that works for the service."""

    kind = "worker"


@dataclass(frozen=True, kw_only=True)
class OrganiserCaller(Caller):
    """A token of a person who organises the competition."""

    kind = "organiser"

    def may_see(self, team_id: str) -> bool:
        """Everything."""
        return True
