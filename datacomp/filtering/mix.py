"""The combination `mix`: multiplicities added up, or drawn in given shares."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, UsageError
from datacomp.filtering.combine import Combination, Times, first_reason
from datacomp.filtering.contract import Filter
from datacomp.filtering.selection import Selection
from datacomp.filtering.view import PartView, View
from datacomp.subset import UidArray
from datacomp.subset.cuts import find_cut
from datacomp.subset.selectors import uid_draws

Drawn = npt.NDArray[np.uint64]
MOST_ENTRIES = 10**15
"""A bound that keeps sums of 64 bits far from their end."""


@dataclass(frozen=True, kw_only=True)
class Mix(Combination):
    """Multiplicities added; with `size`, of shares that `weights` set.

    With `size` a child with weight w gives floor(size * w / sum) entries (what rounding leaves goes
    to the largest remainders): each of its own entries equally often, and once more those that the
    draw by uid and `seed` takes.
    """

    name = "mix"
    summary = "Add up what these keep."

    weights: tuple[float, ...] | None = None
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.weights is None) != (self.size is None):
            raise UsageError("'mix' needs both size and weights, or neither")
        if self.weights is not None and (
            len(self.weights) != len(self.of) or min(self.weights) <= 0
        ):
            raise UsageError("'mix' needs one weight above 0 for each of its parts")
        if self.size is not None and self.size < 1:
            raise UsageError(f"size is 1 or more, got {self.size}")
        if self.size is not None and self.size > MOST_ENTRIES:
            raise UsageError(f"size is at most {MOST_ENTRIES:,}, got {self.size:,}")

    def params(self) -> Any:
        """The trees below with their weights, and the size."""
        parts: list[dict[str, Any]] = [
            {"select": {child.name: child.params()}} for child in self.of
        ]
        if self.weights is None:
            return {"parts": parts}
        for part, weight in zip(parts, self.weights, strict=True):
            part["weight"] = weight
        return {"parts": parts, "size": self.size, "seed": self.seed}

    def rules(self) -> tuple[str, ...]:
        """The shares, then the children's."""
        own = "Adds up how often each of these keeps a row."
        if self.size is not None:
            shares = ", ".join(
                f"{n:,} of {name}" for n, name in zip(self.quotas(), self.names(), strict=True)
            )
            own = f"{self.size:,} entries: {shares}; drawn evenly by uid, seed {self.seed}."
        return (own, *super().rules()[1:])

    def quotas(self) -> tuple[int, ...]:
        """Entries that each child gives; they add up to `size`."""
        assert self.size is not None, "only a mix with a size has quotas"
        assert self.weights is not None, "size comes with weights"
        exact = [Fraction(repr(float(weight))) for weight in self.weights]
        shares = [self.size * weight / sum(exact) for weight in exact]
        floors = [int(share) for share in shares]
        order = sorted(range(len(shares)), key=lambda i: (floors[i] - shares[i], i))
        for i in order[: self.size - sum(floors)]:
            floors[i] += 1
        return tuple(floors)

    def select(self, view: View) -> Iterator[Selection]:
        """A dropped row counts under the first's reason, or as not drawn."""
        drawn: Sequence[Callable[[PartView, Times], Drawn]] = [_as_is for _ in self.of]
        if self.size is not None:
            drawn = [
                _evenly(child, view, quota, self.seed)
                for child, quota in zip(self.of, self.quotas(), strict=True)
            ]
        for rows, said in self.together(view):
            times = np.zeros(rows.n_rows, np.uint64)
            for draw, one in zip(drawn, said, strict=True):
                times += draw(rows, one.times)
            yield first_reason(rows, said, times)


def _as_is(rows: PartView, times: Times) -> Drawn:
    return times.astype(np.uint64)


def _evenly(child: Filter, view: View, quota: int, seed: int) -> Callable[[PartView, Times], Drawn]:
    """How often each row is drawn, so that `quota` entries come from the child's own."""
    total = sum(int(said.times.sum()) for said in child.select(view.of(child)))
    if not total:
        raise FilterError(f"{child.name!r} keeps nothing, so that 'mix' cannot draw from it")
    often, extra = divmod(quota, total)

    def entries() -> Iterator[tuple[npt.NDArray[np.uint64], Callable[[], UidArray]]]:
        for rows, said in zip(view.parts(), child.select(view.of(child)), strict=True):
            places, draws = _entry_draws(rows.uids, said.times, seed)
            yield draws, partial(_taken, rows.uids, places)

    cut = find_cut(entries, extra)

    def draw(rows: PartView, times: Times) -> Drawn:
        places, draws = _entry_draws(rows.uids, times, seed)
        more = places[cut.keeps(draws, partial(_taken, rows.uids, places))]
        drawn = times * np.uint64(often)
        drawn += np.bincount(more, minlength=len(times)).astype(np.uint64)
        return drawn

    return draw


def _entry_draws(
    uids: UidArray, times: Times, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Every entry's row, and the number that decides on it: its own for each copy of a uid."""
    places = [np.flatnonzero(times > copy) for copy in range(int(times.max(initial=0)))]
    draws = [~uid_draws(uids[rows], seed + copy) for copy, rows in enumerate(places)]
    if not places:
        return np.empty(0, np.int64), np.empty(0, np.uint64)
    return np.concatenate(places), np.concatenate(draws)


def _taken(uids: UidArray, places: npt.NDArray[np.int64]) -> UidArray:
    return uids[places]
