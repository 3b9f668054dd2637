"""What the demo found: a row a method, and whether the gaps are larger than the seeds' spread.

Pure functions of reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

from datacomp.reports import Report


@dataclass(frozen=True)
class MethodResult:
    """A method over its seeds; averages are fractions, `share` is entries over rows of the pool."""

    name: str
    oracle: bool
    subset_size: int
    share: float
    averages: tuple[float, ...]
    groups: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean of the average over seeds."""
        return fmean(self.averages)

    @property
    def spread(self) -> float:
        """Seed spread: the standard deviation of the average over seeds; 0 for one seed.

        The range would grow with the number of seeds.
        """
        return stdev(self.averages) if len(self.averages) > 1 else 0.0


@dataclass(frozen=True)
class Gap:
    """How far one method is above another, and the larger of their seed spreads."""

    above: str
    below: str
    gap: float
    spread: float

    @property
    def holds(self) -> bool:
        """Whether the gap is larger than twice the seed spread."""
        return self.gap > 2 * self.spread

    @property
    def reversed(self) -> bool:
        """Whether it is the other way round, by more than twice the seed spread."""
        return -self.gap > 2 * self.spread


def method_result(name: str, oracle: bool, reports: Sequence[Report]) -> MethodResult:
    """Join the complete reports of one subset's seeds."""
    provenance = reports[0].run
    averages = []
    for report in reports:
        assert report.aggregates.average.value is not None  # the demo stops at a failed task
        averages.append(report.aggregates.average.value)
    groups = {
        group: fmean(report.aggregates.groups[group].value or 0.0 for report in reports)
        for group in reports[0].aggregates.groups
    }
    subset = provenance.subset
    return MethodResult(
        name, oracle, subset.n, subset.n / provenance.pool_size, tuple(averages), groups
    )


def gaps(results: Sequence[MethodResult], order: Sequence[str]) -> list[Gap]:
    """The gap between each method of `order` and the next one, where both have results."""
    by_name = {result.name: result for result in results}
    return [
        _gap(by_name[above], by_name[below])
        for above, below in pairwise(order)
        if above in by_name and below in by_name
    ]


def gaps_to(results: Sequence[MethodResult], name: str) -> list[Gap]:
    """The gap of every other method above the one of that name; none if it has no result."""
    below = [result for result in results if result.name == name]
    return [_gap(above, *below) for above in results if below and above.name != name]


def _gap(high: MethodResult, low: MethodResult) -> Gap:
    return Gap(high.name, low.name, high.mean - low.mean, max(high.spread, low.spread))
