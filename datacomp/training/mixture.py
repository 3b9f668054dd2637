"""How a run's batches are made of several sources by weight, and which rows are whose.

Of every batch a source gets its share, rounded down; the rows that are left go to the sources that
are owed most so far, one each. So a batch is within one row of every weight, and over the run
nothing is lost. In a batch the rows stand by lane, sources mixed: each process takes neighbouring
rows, and so reads lanes of its own from every source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datacomp.training.sequential import LaneOrder, WindowKey, source_seed

Longs = npt.NDArray[np.int64]


def whole_weights(weights: Sequence[int | float]) -> list[int]:
    """Whole numbers in the same proportion, as the weights are written (0.1 is a tenth)."""
    exact = [Fraction(str(weight)) for weight in weights]
    scale = lcm(*(weight.denominator for weight in exact))
    return [int(weight * scale) for weight in exact]


def shares(batch: int, weights: Sequence[int], steps: int) -> Longs:
    """(steps, sources) rows of each batch that are each source's; every line sums to `batch`."""
    total = sum(weights)
    least = np.array([batch * weight // total for weight in weights], np.int64)
    table = np.tile(least, (steps, 1))
    left = batch - int(least.sum())
    if left:
        owed = [0] * len(weights)
        for line in table:
            owed = [debt + batch * w % total for debt, w in zip(owed, weights, strict=True)]
            for source in sorted(range(len(owed)), key=lambda s: (-owed[s], s))[:left]:
                line[source] += 1
                owed[source] -= total
    return table


class Row(NamedTuple):
    """Whose sample stands in a row of a batch, in which window, and where in the window's order."""

    source: int
    key: WindowKey
    place: int


@dataclass(frozen=True, eq=False)
class Mixture:
    """The rows of every batch of a run."""

    orders: tuple[LaneOrder, ...]
    table: Longs
    """(steps, sources) rows of a batch."""
    before: Longs
    """(steps, sources) rows of all batches before."""

    def rows(self, step: int, first: int, last: int) -> list[Row]:
        """The rows from `first` to before `last` of the batch of a step."""
        source = np.repeat(np.arange(len(self.orders)), self.table[step])
        position = np.concatenate(
            [
                np.arange(begin, begin + n)
                for begin, n in zip(self.before[step], self.table[step], strict=True)
            ]
        )
        lanes = np.array([order.lanes for order in self.orders])[source]
        chosen = np.lexsort((position, source, position % lanes / lanes))[first:last]
        source, position = source[chosen], position[chosen]
        keys, places = np.empty((len(chosen), 3), np.int64), np.empty(len(chosen), np.int64)
        for number, order in enumerate(self.orders):
            mine = source == number
            keys[mine], places[mine] = order.locate(position[mine])
        return [
            Row(number, WindowKey(*key), place)
            for number, key, place in zip(
                source.tolist(), keys.tolist(), places.tolist(), strict=True
            )
        ]


def mix(
    counts: Sequence[npt.ArrayLike],
    weights: Sequence[int | float],
    batch: int,
    steps: int,
    seed: int,
) -> Mixture:
    """The mixture of sources whose tars hold these `counts` of samples."""
    whole = whole_weights(weights)
    orders = tuple(
        LaneOrder(each, batch * weight // sum(whole), source_seed(seed, number))
        for number, (each, weight) in enumerate(zip(counts, whole, strict=True))
    )
    table = shares(batch, whole, steps)
    return Mixture(orders, table, np.cumsum(table, axis=0) - table)
