"""How much subsets share, from their sketches; pure.

Both shares are estimates from 1,024 of all different uids (see `datacomp.submission.sketch`),
exact for subsets of at most so many; how often a sample repeats does not count.
"""

import math
from dataclasses import dataclass

from datacomp.submission.sketch import SIZE, Sketch, jaccard


@dataclass(frozen=True)
class Shared:
    """What two subsets share: the Jaccard index, and the share of each that is in the other.

    `stderr` is that of the index, 0 where it was counted.
    """

    jaccard: float
    of_a: float
    of_b: float
    stderr: float


def shared(a: Sketch, b: Sketch) -> Shared:
    """What the subsets of two sketches share."""
    j = jaccard(a, b)
    both = j / (1 + j) * (a.n_unique + b.n_unique)
    counted = max(a.n_unique, b.n_unique) <= SIZE
    return Shared(
        jaccard=j,
        of_a=min(both / a.n_unique, 1.0) if a.n_unique else 0.0,
        of_b=min(both / b.n_unique, 1.0) if b.n_unique else 0.0,
        stderr=0.0 if counted else math.sqrt(j * (1 - j) / SIZE),
    )
