"""Persons who are signed in, and what they may see."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["owner", "member"]


@dataclass(frozen=True)
class Member:
    """One team of a person."""

    team_id: str
    team: str
    role: str


@dataclass(frozen=True)
class Person:
    """Who is signed in; made by `sessions.person_of` only. `teams` are in order of names."""

    account_id: str
    name: str
    organiser: bool
    has_password: bool
    teams: tuple[Member, ...]

    @property
    def office(self) -> str:
        """Who an organiser is in events, marks and jobs: "organiser:Ada"."""
        return f"organiser:{self.name}"

    def may_see(self, team_id: str) -> bool:
        """Whether what is private to that team may be shown to this person."""
        return self.organiser or any(member.team_id == team_id for member in self.teams)
