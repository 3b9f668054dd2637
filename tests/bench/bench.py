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


def ratio(bench: Bench) -> list[float]:
    """Limit time over our time, a round each; one round before is not counted."""
    found = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        bench.limit()
        between = time.perf_counter()
        bench.ours()
        found.append((between - started) / (time.perf_counter() - between))
    return found[1:]
