"""What the rows of a board tell of its tasks: what separates methods, and what follows the rest.

Pure. Every model that was asked takes part, also those that use the truth; withdrawn rows do not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datacomp.reports import Suite, TaskSpec
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.entries import Z95
from datacomp_leaderboard.rules import noise_floor
from datacomp_leaderboard.scores import Floats, task_means

# With fewer methods a correlation, or a ratio of variances, says nothing.
LEAST_METHODS = 5
# Few pictures, of which each moves the metric by 2 points and more.
FEW_DECIDE = 50
_LOUD = 0.25


@dataclass(frozen=True)
class TaskOnBoard:
    """A task on a board of `n` methods that have a number in it.

    `power` is how many times the variance between methods, less that of noise, is the variance of
    noise: 0 if nothing but noise separates them. `correlation` is Pearson's with the mean of all
    other tasks. Both None with fewer than five methods, or where noise is not known.
    """

    scale: str
    n: int
    lowest: float | None
    highest: float | None
    power: float | None
    correlation: float | None


@dataclass(frozen=True)
class TaskScores:
    """The tasks of a board as arrays: float64 of shape (rows, tasks), NaN where none is."""

    board: BoardData

    @cached_property
    def taking_part(self) -> list[int]:
        """The places of the rows that take part, among the board's."""
        rows = enumerate(self.board.rows)
        return [i for i, row in rows if not (row.withdrawn or row.published)]

    @cached_property
    def means(self) -> Floats:
        """The mean over seeds of the rows that take part."""
        return task_means(self.board.scores)[self.taking_part]

    @cached_property
    def noise(self) -> Floats:
        """The variance of a row's mean from test noise and seeds, by task, over all rows alike.

        Seeds add what rows of two or more show of them; NaN where test noise is not known.
        """
        scores = self.board.scores
        with np.errstate(invalid="ignore", divide="ignore"):
            known = np.isfinite(scores.stderrs)
            test = np.where(known, scores.stderrs**2, 0.0).sum(axis=0) / known.sum(axis=0)
            off = scores.values - task_means(scores)[scores.owners]
            squares = np.where(np.isfinite(off), off**2, 0.0).sum(axis=0)
            counts = np.bincount(scores.owners, minlength=len(scores.rows))
            freedom = int((counts - 1).clip(0).sum())
            seeds = squares / freedom / counts[counts > 0].mean() if freedom else 0.0
        noise: Floats = test + seeds
        return noise

    @cached_property
    def _whole(self) -> Floats:
        """The means of those that have every task."""
        whole: Floats = self.means[np.isfinite(self.means).all(axis=1)]
        return whole

    @cached_property
    def _totals(self) -> Floats:
        totals: Floats = self._whole.sum(axis=1)
        return totals

    def of(self, task: str) -> TaskOnBoard:
        """One task on this board."""
        place = self.board.tasks.index(task)
        here = self.means[:, place]
        here = here[np.isfinite(here)]
        enough = len(here) >= LEAST_METHODS
        return TaskOnBoard(
            scale=self.board.scale,
            n=len(here),
            lowest=float(here.min()) if len(here) else None,
            highest=float(here.max()) if len(here) else None,
            power=self._power(here, float(self.noise[place])) if enough else None,
            correlation=self._correlation(place),
        )

    def _power(self, means: Floats, noise: float) -> float | None:
        if not (np.isfinite(noise) and noise > 0):
            return None
        return max(0.0, float(means.var(ddof=1)) / noise - 1.0)

    def _correlation(self, place: int) -> float | None:
        whole = self._whole
        if len(whole) < LEAST_METHODS or whole.shape[1] < 2:
            return None
        here = whole[:, place]
        rest = (self._totals - here) / (whole.shape[1] - 1)
        if here.std() == 0 or rest.std() == 0:
            return None
        return float(np.corrcoef(here, rest)[0, 1])


def flags(task: TaskSpec, suite: Suite, on_boards: Sequence[TaskOnBoard] = ()) -> tuple[str, ...]:
    """What one should know before one reads a number of this task, as sentences."""
    found = []
    if not task.scored:
        found.append("It is not scored: no average counts it.")
    if task.n_deciding <= FEW_DECIDE:
        found.append(
            f"{task.n_deciding} picture{'' if task.n_deciding == 1 else 's'} "
            f"decide{'s' if task.n_deciding == 1 else ''} this metric: each moves it by "
            f"{100 / task.n_deciding:.3g} points."
        )
    noises = {one.key: noise_floor(one) ** 2 for one in suite.scored}
    share = noises.get(task.key, 0.0) / sum(noises.values()) if task.scored else 0.0
    if share > _LOUD:
        found.append(f"It makes {share:.0%} of the average's test noise (as variances).")
    guessing = _guessing(task)
    for one in on_boards:
        if one.power is not None and one.power < 1:
            found.append(f"At {one.scale}, methods differ by no more than noise would.")
        if guessing is not None and one.highest is not None and one.highest < guessing:
            found.append(f"At {one.scale}, no method is above chance beyond noise.")
    return tuple(found)


def _guessing(task: TaskSpec) -> float | None:
    """The upper end of what guessing scores, 95%; None where chance is not known."""
    chance = task.chance.get(task.main_metric or "")
    if chance is None:
        return None
    noise = task.noise or math.sqrt(chance * (1 - chance) / task.n_deciding)
    return chance + Z95 * noise
