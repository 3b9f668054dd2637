"""Steps of the tiny scale in two processes, against half of the time of one.

A ratio of 0.80 is 1.6 times the speed of one process. It says something on two idle cores only.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from datacomp.pool import open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.progress import NoProgress
from datacomp.training import Systems, load_scale, train, whole_pool

PICTURES, STEPS, WARM_UP_STEPS, ROUNDS = 2_000, 30, 6, 3


class Clock(NoProgress):
    """When each step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def advance(self, n: int = 1, note: str = "") -> None:
        """A step of `n` samples is done."""
        self.times.append(time.perf_counter())


@dataclass(frozen=True)
class TwoProcesses:
    """As `Bench`, with times that the processes take themselves: a start is not a step."""

    folder: Path
    name: str = "tiny in two processes"
    limit_name: str = "half of one process's time"

    def ratios(self) -> list[float]:
        """Half of the median step of one process over that of two, a round each."""
        return [self._step(1, n) / 2 / self._step(2, n) for n in range(ROUNDS)]

    def _step(self, world: int, number: int) -> float:
        torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
        run = self.folder / f"run-{world}-{number}"
        words = (*torchrun, f"--nproc-per-node={world}", __file__, self.folder / "pool", run)
        done = subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True)
        return max(map(float, done.stdout.split()))


def benches(folder: Path) -> Iterator[TwoProcesses]:
    """On a small tiny pool."""
    build_tiny(folder / "pool", TinyConfig(rows=PICTURES))
    yield TwoProcesses(folder)


def main(pool_folder: str, run: str) -> None:
    """One process of a short run; prints the median seconds of its steps."""
    recipe, pool, clock = load_scale("tiny"), open_pool(pool_folder), Clock()
    recipe = replace(recipe, samples_seen=STEPS * recipe.global_batch_size)
    whole = whole_pool(pool)
    train(recipe, pool, whole, Path(run), subset_name="all", systems=Systems(), progress=clock)
    times = clock.times[WARM_UP_STEPS:]
    step = statistics.median(after - before for before, after in pairwise(times))
    sys.stdout.write(f"{step}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
