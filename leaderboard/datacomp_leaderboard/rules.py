"""Ranking rules: what the average of a board is of, by name and version; and what a change moves.

A rule is never changed: another one gets another version, and the old one stays here as long as
some board's history names it. Weights come from the suite alone, never from what was submitted, so
that no entry can move the rule that it is ranked by.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from datacomp.errors import UnknownNameError, UsageError
from datacomp.reports import Suite, TaskSpec
from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Estimate, Row
from datacomp_leaderboard.ranking import PODIUM_LEVEL, RankedRow, rank
from datacomp_leaderboard.scores import Scores, scores_of, spreads, with_averages

# the accuracy at which tasks are compared, near the published averages
_TYPICAL = 0.3
# of the variance of the average's test noise
_LARGEST_SHARE = 0.25
LAB = "lab"

Weights = Mapping[str, float]


@dataclass(frozen=True)
class Rule:
    """How rows are ordered: `weights` gives each scored task's weight, left out where it is 0.

    `id` is name and version. `words` is what it does as a sentence, for visitors. Ranks 1 to 3
    are for rows of `podium_level` or more.
    """

    id: str
    title: str
    words: str
    weights: Callable[[Suite], Weights]
    podium_level: Level = PODIUM_LEVEL


def noise_floor(task: TaskSpec) -> float:
    """Standard error of the main metric from its number of pictures alone, at accuracy 0.3.

    Of the worst of groups, that of the smallest group.
    """
    return math.sqrt(_TYPICAL * (1 - _TYPICAL) / task.n_deciding)


def average_of(tasks: Mapping[str, Estimate | None], weights: Weights) -> Estimate | None:
    """The weighted mean of the tasks; with equal weights the report's own average, to the bit.

    None if nothing is weighed, or a task with a weight has no number. Its standard error takes the
    tasks as independent, and is None where one of them has none.
    """
    weighed = [(weight, tasks.get(task)) for task, weight in weights.items() if weight > 0]
    found = [(weight, task) for weight, task in weighed if task is not None]
    if not found or len(found) < len(weighed):
        return None
    total = math.fsum(weight for weight, _ in found)
    value = math.fsum(weight * task.value for weight, task in found) / total
    errors = [weight * task.stderr for weight, task in found if task.stderr is not None]
    if len(errors) < len(found):
        return Estimate(value)
    return Estimate(value, math.sqrt(math.fsum(error * error for error in errors)) / total)


def _equal(suite: Suite) -> Weights:
    return {task.key: 1.0 for task in suite.scored}


def _without_the_loudest(suite: Suite) -> Weights:
    """Equal weights, after the loudest task was left out as often as it drowns the others."""
    kept = sorted(suite.scored, key=lambda task: (noise_floor(task), task.key))
    variance = [noise_floor(task) ** 2 for task in kept]
    while len(kept) > 1 and variance[-1] > _LARGEST_SHARE * math.fsum(variance):
        del kept[-1], variance[-1]
    quiet = {task.key for task in kept}
    return {task.key: 1.0 for task in suite.scored if task.key in quiet}


OFFICIAL = Rule(
    "official/2",
    "Official",
    "The mean of all scored tasks, each with the same weight, as the report states it.",
    _equal,
)
ROBUST = Rule(
    "robust/1",
    "Robust",
    "The mean of the scored tasks without those whose test noise alone would make more than a "
    "quarter of the average's (as variances, from numbers of pictures only).",
    _without_the_loudest,
)
RULES = (OFFICIAL, ROBUST)


def rule_of(rule_id: str) -> Rule:
    """The rule of that id; `UnknownNameError` if there is none."""
    for rule in RULES:
        if rule.id == rule_id:
            return rule
    raise UnknownNameError("rule", rule_id, (rule.id for rule in RULES))


def left_out(rule: Rule, suite: Suite) -> tuple[TaskSpec, ...]:
    """The scored tasks that a rule gives no weight."""
    weights = rule.weights(suite)
    return tuple(task for task in suite.scored if not weights.get(task.key))


def lab_rule(base: Rule, suite: Suite, changed: Weights) -> Rule:
    """`base` with other weights for some tasks: anybody's own rule, made of an address.

    `UnknownNameError` for a task that the suite does not score, `UsageError` for a weight that is
    negative or not finite, or if no task is left.
    """
    known = [task.key for task in suite.scored]
    for task, weight in changed.items():
        if task not in known:
            raise UnknownNameError("scored task", task, known)
        if not (math.isfinite(weight) and weight >= 0):
            raise UsageError(f"the weight of {task!r} is {weight}, expected 0 or a positive number")
    weights = {**base.weights(suite), **changed}
    weights = {task: weights[task] for task in known if weights.get(task, 0.0) > 0}
    if not weights:
        raise UsageError(f"every one of the {len(known)} tasks has weight 0: nothing is left")
    names = {task.key: task.name for task in suite.scored}
    parts = [
        f"{names[task]} left out" if changed[task] == 0 else f"{names[task]} × {changed[task]:g}"
        for task in known
        if task in changed
    ]
    words = f"{base.title} average with own weights: {', '.join(parts)}."
    return Rule(LAB, "Own weights", words, lambda _: weights, base.podium_level)


def chance_of(rule: Rule, suite: Suite) -> float | None:
    """What guessing scores under a rule; None where that is not known of a task with a weight."""
    weights = rule.weights(suite)
    levels = {
        task.key: Estimate(chance)
        for task in suite.scored
        if (chance := task.chance.get(task.main_metric or "")) is not None
    }
    found = average_of(levels, weights)
    return found.value if found else None


def rank_by(
    rule: Rule, suite: Suite, rows: Iterable[Row], scores: Scores | None = None
) -> tuple[RankedRow, ...]:
    """The order of `rows` under a rule; their averages become the rule's.

    `scores` of these very rows in the suite's scored tasks, where somebody has them already. The
    official average is the report's own and needs none.
    """
    rows = tuple(rows)
    if rule.id != OFFICIAL.id:
        scores = scores or scores_of(rows, [task.key for task in suite.scored])
        rows = with_averages(rows, spreads(scores, rule.weights(suite)))
    return rank(rows, rule.podium_level)


@dataclass(frozen=True)
class Move:
    """A row whose rank another rule changes; None is no rank."""

    row: Row
    before: int | None
    after: int | None


@dataclass(frozen=True)
class RuleDiff:
    """What putting another rule in force would change; `moves` in the new order."""

    old: Rule
    new: Rule
    n_ranked: int
    moves: tuple[Move, ...]

    @property
    def gained(self) -> tuple[Move, ...]:
        """Rows that would get a rank."""
        return tuple(move for move in self.moves if move.before is None)

    @property
    def lost(self) -> tuple[Move, ...]:
        """Rows that would lose theirs."""
        return tuple(move for move in self.moves if move.after is None)

    @property
    def sentence(self) -> str:
        """The change in one sentence."""
        if not self.moves:
            return f"This change moves none of {self.n_ranked} ranks."
        told = f"This change moves {len(self.moves)} of {self.n_ranked} ranks"
        leader = next((move for move in self.moves if move.after == 1), None)
        if leader is not None:
            told += f"; {leader.row.method} by {leader.row.team} takes the first"
        for moves, verb in ((self.gained, "gain"), (self.lost, "lose")):
            if moves:
                told += f"; {len(moves)} {verb}{'s' if len(moves) == 1 else ''} a rank"
        return told + "."


def preview(rows: Sequence[Row], suite: Suite, old: Rule, new: Rule) -> RuleDiff:
    """What ranking `rows` by `new` instead of `old` would move; changes nothing."""
    before = {_key(r.row): r.rank for r in rank_by(old, suite, rows)}
    after = rank_by(new, suite, rows)
    moves = [Move(r.row, before[_key(r.row)], r.rank) for r in after]
    return RuleDiff(
        old,
        new,
        sum(move.before is not None or move.after is not None for move in moves),
        tuple(move for move in moves if move.before != move.after),
    )


def _key(row: Row) -> tuple[str, str, str]:
    return (row.id, row.recipe_id, row.pool_id)
