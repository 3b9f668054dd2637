"""Which sample stands at which position of a run: `uniform-permutation/1`.

Position p of a run belongs to epoch p // n; inside an epoch every entry of the subset comes once,
in the order of a permutation keyed by (seed, epoch). Nothing else enters, so batches do not depend
on the number of processes, threads, or restarts, and resuming needs one integer.
"""

import numpy as np
import numpy.typing as npt

from datacomp.training.counter import permute, random_u64

VERSION = "uniform-permutation/1"
# Streams of the run's seed; permutations take one stream an epoch from EPOCHS on.
CROP, REPLACEMENT, EPOCHS = 0, 1, 16


def entries_at(positions: npt.NDArray[np.int64], n: int, seed: int) -> npt.NDArray[np.int64]:
    """Index into the subset's n entries for each position of a run."""
    epochs = positions // n
    result = np.empty(len(positions), np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        result[here] = permute(positions[here] % n, n, seed, EPOCHS + int(epoch))
    return result


def replacement_at(position: int, attempt: int, n: int, seed: int) -> int:
    """Entry that stands in for a broken sample at `position`; `attempt` counts from 0."""
    counter = np.uint64(position) * np.uint64(2**16) + np.uint64(attempt)
    return int(random_u64(seed, REPLACEMENT, counter) % np.uint64(n))
