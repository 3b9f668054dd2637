"""How boards rank and what a team may spend, as a page: from the rules themselves; pure.

Prose and formulas stand in the template; what can change stands here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from datacomp.reports import Suite, load_suite
from datacomp.submission.levels import Level
from datacomp_leaderboard.ranking import PODIUM
from datacomp_leaderboard.rules import RULES, Rule, left_out
from datacomp_leaderboard.scales import SCALES

TOC = (
    ("boards", "Boards, and their rules"),
    ("average", "The average"),
    ("noise", "The noise"),
    ("rank", "The rank"),
    ("levels", "How far numbers are verified"),
    ("suites", "The suites"),
    ("budgets", "Budgets and costs"),
    ("line", "The line"),
)


@dataclass(frozen=True)
class BoardTerms:
    """A board: what it ranks by since when (None: since it opened), and what it grants a team."""

    scale: str
    track: str
    href: str
    rule: str
    since: datetime | None
    opens_at: datetime
    closes_at: datetime | None
    submissions: int
    compute_seconds: int


@dataclass(frozen=True)
class RuleText:
    """A ranking rule; `without` are (suite, tasks that it gives no weight)."""

    id: str
    title: str
    words: str
    without: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SuiteText:
    """A suite of tasks, and the scales that are ranked by it."""

    name: str
    scales: tuple[str, ...]
    n_tasks: int
    n_scored: int
    groups: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class JobCost:
    """What a job of each kind costs at a scale, in worker seconds."""

    scale: str
    filter: int
    train: int
    evaluate: int


@dataclass(frozen=True)
class RulesPage:
    """What decides ranks, levels and budgets; ranks up to `podium` want a verified row."""

    template: ClassVar[str] = "docs_rules.html"

    title: str
    toc: tuple[tuple[str, str], ...]
    boards: tuple[BoardTerms, ...]
    rules: tuple[RuleText, ...]
    levels: tuple[Level, ...]
    suites: tuple[SuiteText, ...]
    costs: tuple[JobCost, ...]
    podium: int
    podium_level: Level


def rules_page(boards: Iterable[BoardTerms], costs: Iterable[JobCost]) -> RulesPage:
    """The page for a service with these boards and costs."""
    suites = {scale.suite: load_suite(scale.suite) for scale in SCALES.values()}
    return RulesPage(
        title="Rules",
        toc=TOC,
        boards=tuple(boards),
        rules=tuple(
            RuleText(rule.id, rule.title, rule.words, tuple(_without(rule, suites)))
            for rule in RULES
        ),
        levels=tuple(Level),
        suites=tuple(_suite(name, suite) for name, suite in suites.items()),
        costs=tuple(costs),
        podium=PODIUM,
        podium_level=RULES[0].podium_level,
    )


def _without(rule: Rule, suites: Mapping[str, Suite]) -> Iterable[tuple[str, str]]:
    for name, suite in suites.items():
        if tasks := left_out(rule, suite):
            yield name, ", ".join(task.name for task in tasks)


def _suite(name: str, suite: Suite) -> SuiteText:
    return SuiteText(
        name=name,
        scales=tuple(scale for scale, one in SCALES.items() if one.suite == name),
        n_tasks=len(suite.tasks),
        n_scored=len(suite.scored),
        groups=tuple(suite.groups),
        sha256=suite.sha256,
    )
