"""What the board knows of a submission, and how submissions of one method become one row.

Pure: no database, no HTML. Averages and task values are fractions in the units of their metric;
standard errors are in the same units.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from statistics import fmean
from typing import Self

from datacomp.submission.levels import Level

# two-sided 95% of a normal distribution
Z95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """One measured number; `stderr` is the test noise, None where it is not known."""

    value: float
    stderr: float | None = None


class TaskValues(Mapping[str, Estimate | None]):
    """The main metric of each scored task; None for a task that failed.

    Kept as two plain mappings, of values and of standard errors, and made an `Estimate` when it is
    asked for: of the 38 of each of thousands of entries, a page shows a few.
    """

    def __init__(
        self, values: Mapping[str, float | None], stderrs: Mapping[str, float | None]
    ) -> None:
        self.values_by_task, self.stderrs_by_task = values, stderrs

    @classmethod
    def of(cls, estimates: Mapping[str, Estimate | None]) -> Self:
        """The same of estimates."""
        return cls(
            {task: None if e is None else e.value for task, e in estimates.items()},
            {task: None if e is None else e.stderr for task, e in estimates.items()},
        )

    def __getitem__(self, task: str) -> Estimate | None:
        value = self.values_by_task[task]
        return None if value is None else Estimate(value, self.stderrs_by_task.get(task))

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_task)

    def __len__(self) -> int:
        return len(self.values_by_task)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One training seed of one submission. `average` is None where it is incomplete.

    `tasks` has the main metric of every scored task, None where it failed; it is empty where only
    the average is known. `withdrawn`: by its team, or disqualified by an organiser. `published`:
    copied from a paper, a baseline without a submission; then recipe, pool and seed are not known.
    """

    id: str
    team: str
    method: str
    scale: str
    recipe_id: str
    pool_id: str
    pool_size: int
    seed: int | None
    average: Estimate | None
    groups: Mapping[str, Estimate | None]
    tasks: TaskValues = field(default_factory=lambda: TaskValues({}, {}))
    subset_size: int
    subset_unique: int
    oracle: bool
    level: Level
    submitted_at: datetime
    baseline: bool = False
    withdrawn: bool = False
    published: bool = False


@dataclass(frozen=True)
class Spread:
    """A mean over training seeds.

    `stderr` joins the test noise with the noise of the seeds. The seeds answer the same test
    items, so their test noise is taken as fully shared: it is the mean of the seeds' standard
    errors, not divided by the root of their number. To it `sd / sqrt(seeds)` is added in
    quadrature. None where no seed states its test noise.
    """

    mean: float
    stderr: float | None
    sd: float | None
    values: tuple[float, ...]

    @property
    def low(self) -> float:
        """The lowest seed."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The highest seed."""
        return max(self.values)

    @property
    def test_noise(self) -> float | None:
        """The part of `stderr` that comes from the tests' finite size."""
        if self.stderr is None:
            return None
        seeds = (self.sd or 0.0) / math.sqrt(len(self.values))
        return math.sqrt(max(self.stderr**2 - seeds**2, 0.0))

    @property
    def half_width(self) -> float | None:
        """Half the width of the 95% interval."""
        return None if self.stderr is None else Z95 * self.stderr


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a board: a team's method on one pool, averaged over its training seeds.

    `id` and `submitted_at` are those of the first submission; `submissions` lists the ones that
    count, by seed. `attempts` counts all, those replaced by a newer one of the same seed too.
    The subset's size is that of the newest, for a method may draw another subset for each seed.
    Its level is the lowest of the seeds that count. `counted` are the entries behind `seeds`, one
    each. `robust` is the average under the robust rule, None where it was not asked for, too.
    `superseded` is a row of its own for entries that newer ones of the same seed replaced. A
    `published` row has neither seeds nor submissions.
    """

    id: str
    team: str
    method: str
    scale: str
    recipe_id: str
    pool_id: str
    pool_size: int
    average: Spread | None
    groups: Mapping[str, Spread | None]
    seeds: tuple[int, ...]
    submissions: tuple[str, ...]
    attempts: int
    subset_size: int
    subset_unique: int
    oracle: bool
    level: Level
    submitted_at: datetime
    baseline: bool = False
    withdrawn: bool = False
    superseded: bool = False
    published: bool = False
    robust: Spread | None = None
    counted: tuple[Entry, ...] = field(default=(), repr=False)

    @property
    def competes(self) -> bool:
        """Whether it may have a rank: standing, no baseline, chosen without the truth."""
        return not (self.oracle or self.baseline or self.withdrawn or self.superseded)

    @cached_property
    def tasks(self) -> Mapping[str, Spread | None]:
        """The main metric of each scored task over the seeds; None where one of them failed."""
        names = dict.fromkeys(name for entry in self.counted for name in entry.tasks)
        return {name: spread([e.tasks.get(name) for e in self.counted]) for name in names}

    @property
    def share(self) -> float:
        """Unique samples of the subset as a fraction of the pool."""
        return self.subset_unique / self.pool_size if self.pool_size else 0.0


def spread(estimates: Sequence[Estimate | None]) -> Spread | None:
    """Mean over seeds; None when there is none, or one of them is missing or not finite."""
    present = [e for e in estimates if e is not None and math.isfinite(e.value)]
    if not present or len(present) < len(estimates):
        return None
    values = tuple(e.value for e in present)
    mean = fmean(values)
    sd = _sd(values, mean) if len(values) > 1 else None
    noises = [e.stderr for e in present if e.stderr is not None and math.isfinite(e.stderr)]
    stderr = math.hypot(fmean(noises), (sd or 0.0) / math.sqrt(len(values))) if noises else None
    return Spread(mean, stderr, sd, values)


def _sd(values: Sequence[float], mean: float) -> float:
    """As `statistics.stdev`, which counts in fractions: a third of what a board would cost."""
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def group_seeds(entries: Iterable[Entry]) -> tuple[Row, ...]:
    """One row per team, method, scale, recipe and pool, in no particular order of merit.

    Of several submissions with the same seed the newest counts. A row in which a seed is
    incomplete has no average: a failed seed is not averaged away.
    """
    rows: dict[tuple[str, ...], list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: (e.submitted_at, e.id)):
        key = (entry.team, entry.method, entry.scale, entry.recipe_id, entry.pool_id)
        rows.setdefault(key, []).append(entry)
    return tuple(_row(members) for members in rows.values())


def superseded_rows(entries: Iterable[Entry]) -> tuple[Row, ...]:
    """One row for each entry that a newer one of the same method and seed replaced."""
    entries = list(entries)
    counted = {id(entry) for row in group_seeds(entries) for entry in row.counted}
    older = (e for e in entries if id(e) not in counted and not e.withdrawn)
    return tuple(replace(_row([entry]), superseded=True) for entry in older)


def _row(members: list[Entry]) -> Row:
    first = members[0]
    # Withdrawn ones count only where nothing else is left: then the row is struck out.
    live = [entry for entry in members if not entry.withdrawn] or members
    newest = live[-1]
    by_seed = {entry.seed: entry for entry in live}
    counted = [by_seed[seed] for seed in sorted(by_seed, key=lambda seed: seed or 0)]
    names = dict.fromkeys(name for entry in counted for name in entry.groups)
    return Row(
        id=first.id,
        team=first.team,
        method=first.method,
        scale=first.scale,
        recipe_id=first.recipe_id,
        pool_id=first.pool_id,
        pool_size=newest.pool_size,
        average=spread([entry.average for entry in counted]),
        groups={name: spread([e.groups.get(name) for e in counted]) for name in names},
        seeds=tuple(entry.seed for entry in counted if entry.seed is not None),
        submissions=tuple(entry.id for entry in counted if not entry.published),
        attempts=len({entry.id for entry in members if not entry.published}),
        subset_size=newest.subset_size,
        subset_unique=newest.subset_unique,
        oracle=any(entry.oracle for entry in counted),
        level=min(entry.level for entry in counted),
        submitted_at=first.submitted_at,
        baseline=any(entry.baseline for entry in counted),
        withdrawn=all(entry.withdrawn for entry in counted),
        published=first.published,
        counted=tuple(counted),
    )
