"""A benchmark: something of ours, and a limit that is measured in the same run."""

import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Bench:
    """Something we do, and a limit that nothing in Python could beat by much."""

    name: str
    limit_name: str
    ours: Callable[[], object]
    limit: Callable[[], object]

    def ratios(self) -> list[float]:
        """Limit time over our time, a round each; one round before is not counted."""
        found = []
        for _ in range(ROUNDS + 1):
            started = time.perf_counter()
            self.limit()
            between = time.perf_counter()
            self.ours()
            found.append((between - started) / (time.perf_counter() - between))
        return found[1:]


@dataclass(frozen=True)
class PeakBench:
    """Something we do in a process of its own, and another; both answer with their peak bytes."""

    name: str
    limit_name: str
    ours: Callable[[], int]
    limit: Callable[[], int]

    def ratios(self) -> list[float]:
        """The limit's peak memory over ours."""
        return [self.limit() / self.ours() for _ in range(3)]
