"""What a board's order hangs on: single tasks, and the choice of weights; pure.

Both look at the rows that could lead: those that compete, have a number under the rule, and may
stand on its podium; where none may, at all that compete with a number.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datacomp_leaderboard.ranking import RankedRow
from datacomp_leaderboard.rules import Rule, Weights
from datacomp_leaderboard.scores import Floats, Scores, task_means, weight_vector

# Kendall's tau is of the best rows alone: nobody asks for the order of the four-hundredth
_BEST = 200
_CHUNK = 200
# averages that differ by less differ by rounding alone
_EQUAL = 1e-12


@dataclass(frozen=True)
class WithoutTask:
    """The board without one task: who leads, and how alike the order is (Kendall's tau-b).

    `tau` is of the best 200 rows, from -1 to 1; None with fewer than two or all alike.
    """

    task: str
    leader: RankedRow
    changes_leader: bool
    tau: float | None


def leave_one_task_out(
    ranked: Sequence[RankedRow], scores: Scores, rule: Rule, weights: Weights
) -> tuple[WithoutTask, ...]:
    """One for each task that has a weight, in their order.

    `ranked` is the order under the rule, `scores` those of its rows in any order. Empty where
    nobody leads, or only one task has a weight.
    """
    leading, values, vector = _complete(contenders(ranked, rule), scores, weights)
    if not leading or len(vector) < 2:
        return ()
    names = [task for task in scores.tasks if weights.get(task, 0.0) > 0]
    official = np.array([r.row.average.mean for r in leading if r.row.average])
    found = []
    for i, task in enumerate(names):
        others = np.delete(vector, i)
        averages = (np.delete(values, i, axis=1) * others).sum(axis=1) / others.sum()
        # the first in order of merit among those that are as good as the best
        first = int(np.argmax(averages >= averages.max() - _EQUAL))
        tau = kendall_tau(official[:_BEST], averages[:_BEST])
        found.append(WithoutTask(task, leading[first], first != 0, tau))
    return tuple(found)


def stability(
    ranked: Sequence[RankedRow],
    scores: Scores,
    rule: Rule,
    weights: Weights,
    *,
    weightings: int = 2000,
    top: int = 3,
    seed: int = 0,
) -> dict[str, float]:
    """The share of random weightings under which a row is among the `top` best, by row id.

    Weightings are uniform over all that sum to 1 (Dirichlet), of the tasks that have a weight, and
    the same for every board with these tasks. A row is among the best if fewer than `top` are
    better, so that rows that are alike share their place. Rows that cannot lead are left out.
    """
    leading, values, vector = _complete(contenders(ranked, rule), scores, weights)
    if not leading or not len(vector):
        return {}
    content = f"{weightings} {len(vector)} {seed}".encode()
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:8], "little"))
    drawn = rng.dirichlet(np.ones(len(vector)), weightings)
    within = np.zeros(len(leading), np.int64)
    last = max(len(leading) - top, 0)
    for start in range(0, weightings, _CHUNK):
        averages = drawn[start : start + _CHUNK] @ values.T
        limit = np.partition(averages, last, axis=1)[:, last, None]
        within += (averages >= limit - _EQUAL).sum(axis=0)
    shares = (within / weightings).tolist()
    return {r.row.id: share for r, share in zip(leading, shares, strict=True)}


def contenders(ranked: Sequence[RankedRow], rule: Rule) -> list[RankedRow]:
    """The rows that could lead, in the order of `ranked`."""
    competing = [r for r in ranked if r.row.competes and r.row.average is not None]
    on_podium = [r for r in competing if r.row.level >= rule.podium_level]
    return on_podium or competing


def kendall_tau(a: Floats, b: Floats) -> float | None:
    """Kendall's tau-b of two float64 arrays of one length; None if one of them is all alike."""
    above = np.triu_indices(len(a), 1)
    signs_a, signs_b = (_signs(x[above[0]] - x[above[1]]) for x in (a, b))
    pairs = np.sqrt(np.count_nonzero(signs_a) * float(np.count_nonzero(signs_b)))
    return float((signs_a * signs_b).sum() / pairs) if pairs else None


def _signs(differences: Floats) -> Floats:
    return np.sign(np.where(np.abs(differences) < _EQUAL, 0.0, differences))


def _complete(
    leading: Sequence[RankedRow], scores: Scores, weights: Weights
) -> tuple[list[RankedRow], Floats, Floats]:
    """The rows that have every task with a weight, their means in these tasks, and the weights."""
    vector = weight_vector(scores, weights)
    places = {(r.id, r.recipe_id, r.pool_id): i for i, r in enumerate(scores.rows)}
    order = [places[r.row.id, r.row.recipe_id, r.row.pool_id] for r in leading]
    means = task_means(scores)[order][:, vector > 0]
    whole = np.flatnonzero(np.isfinite(means).all(axis=1))
    return [leading[i] for i in whole.tolist()], means[whole], vector[vector > 0]
