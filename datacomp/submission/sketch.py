"""How alike two subsets are, from 8 KiB of each: bottom-k sketches of their different uids.

A uid's place is a fixed 64-bit hash of it; the sketch keeps the `SIZE` lowest (Broder 1997). Of
the lowest `SIZE` places of two sketches together, the share that stands in both estimates the
Jaccard index J with a standard error of sqrt(J (1 - J) / SIZE), at most 0.016; subsets of at most
`SIZE` different uids are compared exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datacomp.subset import UidArray
from datacomp.subset.uids import starts_of_runs

SIZE = 1024

U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Sketch:
    """The lowest places (uint64, ascending, at most `SIZE`) of `n_unique` different uids."""

    n_unique: int
    places: U64

    @classmethod
    def of(cls, blocks: Iterable[UidArray]) -> "Sketch":
        """The sketch of a subset that comes in sorted blocks of dtype `u8,u8`."""
        lowest, n_unique = np.empty(0, np.uint64), 0
        last: tuple[int, int] | None = None
        for block in blocks:
            if not len(block):
                continue
            starts = starts_of_runs(block)
            starts[0] = block[0].item() != last
            last = block[-1].item()
            n_unique += int(np.count_nonzero(starts))
            lowest = np.union1d(lowest, _lowest(_places(block[starts])))[:SIZE]
        return cls(n_unique, lowest)

    def to_bytes(self) -> bytes:
        """The places, little-endian."""
        return self.places.astype("<u8").tobytes()

    @classmethod
    def from_bytes(cls, n_unique: int, data: bytes) -> "Sketch":
        """The inverse of `to_bytes`."""
        return cls(n_unique, np.frombuffer(data, "<u8").astype(np.uint64))


def jaccard(a: Sketch, b: Sketch) -> float:
    """The estimated share of all different uids that both subsets have; 0 for empty ones."""
    lowest = np.union1d(a.places, b.places)[:SIZE]
    if not len(lowest):
        return 0.0
    both = np.isin(lowest, a.places) & np.isin(lowest, b.places)
    return float(np.count_nonzero(both)) / len(lowest)


def _lowest(places: U64) -> U64:
    return np.partition(places, SIZE)[:SIZE] if len(places) > SIZE else places


def _places(uids: UidArray) -> U64:
    return _mixed(_mixed(uids["f0"].astype(np.uint64)) ^ uids["f1"].astype(np.uint64))


def _mixed(x: U64) -> U64:
    """The finalizer of splitmix64 ("mix13" of Stafford); a bijection."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
