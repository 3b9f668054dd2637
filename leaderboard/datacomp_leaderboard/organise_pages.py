"""Pages of organisers: one frozen dataclass each, as in `pages`.

`error` is what went wrong with the form that was just sent, as a sentence.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from datacomp.submission.levels import Level
from datacomp_leaderboard.rules import Rule, RuleDiff
from datacomp_leaderboard.trust import EvidenceLine


@dataclass(frozen=True)
class ReviewLine:
    """A submission to look at. `signals` say why, as (words, weight), the heaviest first.

    `measured` is the average of a worker's result, `n_jobs` how many jobs of it are under way,
    `next_level` what its files could be verified to next, as a level's label.
    """

    id: str
    method: str
    team: str
    scale: str
    track: str
    level: Level
    score: int
    signals: tuple[tuple[str, int], ...]
    reported: float | None
    measured: float | None
    n_jobs: int
    next_level: str | None
    submitted_at: datetime


@dataclass(frozen=True)
class ReviewPage:
    """What organisers should look at, the most suspicious first; `n` is how many there are."""

    template: ClassVar[str] = "organise_review.html"

    title: str
    error: str | None
    lines: tuple[ReviewLine, ...]
    n: int


@dataclass(frozen=True)
class WayLine:
    """A level that jobs lead to; `refusal` says why there is no way to it now."""

    level: str
    kinds: tuple[str, ...]
    refusal: str | None


@dataclass(frozen=True)
class ReviewedPage:
    """One submission for organisers: what speaks for and against it, and what can be done."""

    template: ClassVar[str] = "organise_submission.html"

    title: str
    error: str | None
    line: ReviewLine
    state: str
    unchecked: bool
    evidence: tuple[EvidenceLine, ...]
    marks: tuple[tuple[datetime, str, str | None, str], ...]
    results: tuple[tuple[str, int, float | None], ...]
    jobs: tuple[tuple[str, str, str, str], ...]
    twins: tuple[tuple[str, str, str], ...]
    ways: tuple[WayLine, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class BudgetLine:
    """What a team has on a board; `used` are shares of what was granted, from 0 to 1."""

    team: str
    scale: str
    track: str
    submissions_left: int
    submissions_granted: int
    seconds_left: int
    seconds_granted: int
    seconds_used: float


@dataclass(frozen=True)
class BudgetsPage:
    """What teams have, of boards that they used, and a form to grant more."""

    template: ClassVar[str] = "organise_budgets.html"

    title: str
    error: str | None
    lines: tuple[BudgetLine, ...]
    n: int
    teams: tuple[str, ...]
    boards: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MachineToken:
    """A token with which machines work; `state` is good, expired or revoked."""

    id: str
    name: str
    hint: str
    state: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    workers: tuple[str, ...]


@dataclass(frozen=True)
class MachineLine:
    """A worker; `facts` are what it says of itself."""

    name: str
    classes: tuple[str, ...]
    n_pools: int
    seen: str
    state: str
    job_id: str | None
    token: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class WorkersPage:
    """The machines that work for the service, and the tokens that let them."""

    template: ClassVar[str] = "organise_workers.html"

    title: str
    error: str | None
    workers: tuple[MachineLine, ...]
    tokens: tuple[MachineToken, ...]
    days: int
    max_days: int


@dataclass(frozen=True)
class RuledBoard:
    """A board, its rule, and its past: (rule, since, by)."""

    id: str
    scale: str
    track: str
    rule: Rule
    history: tuple[tuple[str, datetime, str], ...]
    others: tuple[Rule, ...]


@dataclass(frozen=True)
class RulesForBoardsPage:
    """Which rule each board ranks by; `diff` is what another one would move on `chosen`."""

    template: ClassVar[str] = "organise_rules.html"

    title: str
    error: str | None
    boards: tuple[RuledBoard, ...]
    chosen: RuledBoard | None
    diff: RuleDiff | None
    n_shown: int


@dataclass(frozen=True)
class RoundLine:
    """A random audit: committed to, then drawn; `may_draw` says that its seed is here."""

    id: str
    board: str
    share: float
    commitment: str
    created_at: datetime
    drawn_at: datetime | None
    chosen: tuple[str, ...]
    problems: tuple[str, ...]
    may_draw: bool


@dataclass(frozen=True)
class AuditsPage:
    """Random audits, newest first; `told` are (submission, what became of it) of the last one."""

    template: ClassVar[str] = "organise_audits.html"

    title: str
    error: str | None
    rounds: tuple[RoundLine, ...]
    boards: tuple[tuple[str, str], ...]
    told: tuple[tuple[str, str], ...]
