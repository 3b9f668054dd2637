"""What all views of one board share: its rows and their order, and what is computed of them; pure.

Made once from the entries; everything costly is computed when it is first asked for, and kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from datacomp.reports import Suite
from datacomp_leaderboard.entries import Entry, Row, group_seeds, superseded_rows
from datacomp_leaderboard.frontier import Entered, entered
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import RankedRow, Ranks, rank
from datacomp_leaderboard.rules import OFFICIAL, ROBUST, Rule, chance_of, rank_by
from datacomp_leaderboard.scores import Scores, scores_of, spreads, with_robust
from datacomp_leaderboard.sensitivity import (
    WithoutTask,
    contenders,
    leave_one_task_out,
    stability,
)
from datacomp_leaderboard.standing import Standings, standings


@dataclass(frozen=True)
class Counts:
    """Submissions of a board, their teams, pools and recipes."""

    submissions: int
    teams: int
    pools: int
    recipes: int


@dataclass(frozen=True, kw_only=True)
class BoardData:
    """The board of a scale and track, from entries of one version of its suite.

    `suite` is that version, None where there is none; `rule` is the rule in force. `n_outdated`
    counts submissions that are left out because they were evaluated with another version of the
    suite. `tracks` are those that the scale has a board of. `until` is the moment that it is as
    of, None for now.
    """

    scale: str
    track: str = FILTERING
    suite: Suite | None = None
    rule: Rule = OFFICIAL
    entries: tuple[Entry, ...] = ()
    n_outdated: int = 0
    tracks: tuple[str, ...] = (FILTERING,)
    until: datetime | None = None

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """One row per method, in no particular order of merit; with the robust average."""
        rows = group_seeds(self.entries)
        return self._with_robust(rows, scores_of(rows, self.tasks))

    @cached_property
    def superseded(self) -> tuple[Row, ...]:
        """The rows of entries that newer ones of the same seed replaced."""
        rows = superseded_rows(self.entries)
        return self._with_robust(rows, scores_of(rows, self.tasks))

    @cached_property
    def history(self) -> Mapping[str, tuple[float, ...]]:
        """The averages of the reports of a row, oldest first, where more came than it has seeds.

        By row id.
        """
        of: dict[tuple[str, ...], list[Entry]] = {}
        for entry in self.entries:
            key = (entry.team, entry.method, entry.recipe_id, entry.pool_id)
            of.setdefault(key, []).append(entry)
        found = {}
        for row in self.rows:
            if row.attempts > len(row.seeds) and not row.published:
                reports = of[row.team, row.method, row.recipe_id, row.pool_id]
                reports.sort(key=lambda entry: (entry.submitted_at, entry.id))
                found[row.id] = tuple(e.average.value for e in reports if e.average)
        return found

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The scored tasks of the suite, in its order."""
        return tuple(task.key for task in self.suite.scored) if self.suite else ()

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The task groups: the suite's in its order, then any others that rows name."""
        named = {name for row in self.rows for name in row.groups}
        known = self.suite.groups if self.suite else ()
        return (*(g for g in known if g in named), *sorted(named - set(known)))

    @cached_property
    def scores(self) -> Scores:
        """What the rows scored, in the order of `rows`."""
        return scores_of(self.rows, self.tasks)

    @cached_property
    def ranked(self) -> tuple[RankedRow, ...]:
        """The order by the rule in force."""
        return self.ranked_by(self.rule)

    def ranked_by(self, rule: Rule, *, superseded: bool = False) -> tuple[RankedRow, ...]:
        """The order by another rule, or with the rows that were replaced, which have no rank."""
        rows, scores = self.rows, self.scores
        if superseded and self.superseded:
            rows = (*rows, *self.superseded)
            scores = scores_of(rows, self.tasks)
        if self.suite is None:
            return rank(rows, rule.podium_level)
        return rank_by(rule, self.suite, rows, scores)

    @cached_property
    def ranks(self) -> Ranks:
        """The rank of each row under the rule in force, by row id."""
        return {r.row.id: r.rank for r in self.ranked}

    @cached_property
    def standings(self) -> Standings:
        """Rank intervals and tiers under the rule in force."""
        return standings(self.ranked)

    @cached_property
    def without_task(self) -> tuple[WithoutTask, ...]:
        """Who would lead without each of the tasks; nothing where one row alone could lead."""
        if self.suite is None or len(contenders(self.ranked, self.rule)) < 2:
            return ()
        weights = self.rule.weights(self.suite)
        return leave_one_task_out(self.ranked, self.scores, self.rule, weights)

    @cached_property
    def stability(self) -> Mapping[str, float]:
        """The share of random weightings under which a row is among the best three, by row id."""
        if self.suite is None:
            return {}
        return stability(self.ranked, self.scores, self.rule, self.rule.weights(self.suite))

    @cached_property
    def entered(self) -> tuple[Entered, ...]:
        """The methods as they came, and who was the best then."""
        return entered(self.rows)

    @cached_property
    def chance(self) -> float | None:
        """What guessing scores under the rule in force, if it is known."""
        return chance_of(self.rule, self.suite) if self.suite else None

    @cached_property
    def counts(self) -> Counts:
        """How many of what was handed in; what is copied from papers does not count."""
        handed_in = [entry for entry in self.entries if not entry.published]
        return Counts(
            len({entry.id for entry in handed_in}),
            len({entry.team for entry in handed_in}),
            len({entry.pool_id for entry in handed_in}),
            len({entry.recipe_id for entry in handed_in}),
        )

    @cached_property
    def updated_at(self) -> datetime | None:
        """When the newest submission came in."""
        return max((entry.submitted_at for entry in self.entries), default=None)

    def _with_robust(self, rows: tuple[Row, ...], scores: Scores) -> tuple[Row, ...]:
        if self.suite is None:
            return rows
        return with_robust(rows, spreads(scores, ROBUST.weights(self.suite)))
