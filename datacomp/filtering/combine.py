"""Combinations of filters: `and`, `or`, `minus`, `cascade`, `mix`, `cap`.

They combine row by row, so that a pool row decides alone whether it is kept and how often, and
walk the pool part by part. Under `and`, `or`, `minus` and `mix` every filter sees the whole pool:
a fraction is one of the pool. Under `cascade` a filter sees what those before it left: a fraction
is one of the survivors. Dropped rows are counted under the filter's name and its reason.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, UsageError
from datacomp.filtering.contract import Filter, Fit, Step
from datacomp.filtering.selection import MOST_REASONS, Selection
from datacomp.filtering.view import Mask, PartView, View
from datacomp.subset import UidArray
from datacomp.subset.cuts import find_cut
from datacomp.subset.selectors import uid_draws

Times = npt.NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class _Combination(Filter):
    of: tuple[Filter, ...]
    least: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if len(self.of) < self.least:
            raise UsageError(f"{self.name!r} combines {self.least} or more, got {len(self.of)}")

    def children(self) -> tuple[Filter, ...]:
        """What it combines."""
        return self.of

    def columns(self) -> tuple[str, ...]:
        """Those of all."""
        return tuple(dict.fromkeys(name for child in self.of for name in child.columns()))

    def steps(self) -> tuple[Step, ...]:
        """Those of all."""
        return tuple(step for child in self.of for step in child.steps())

    def fits(self) -> tuple[Fit, ...]:
        """Those of all."""
        return tuple(fit for child in self.of for fit in child.fits())

    def params(self) -> Any:
        """The trees of all."""
        return [{child.name: child.params()} for child in self.of]

    def rules(self) -> tuple[str, ...]:
        """Its own, then those of all, indented under their names."""
        lines = [self.summary]
        for child in self.of:
            lines += [f"{child.name}:", *(f"  {rule}" for rule in child.rules())]
        return tuple(lines)

    def together(self, view: View) -> Iterator[tuple[PartView, list[Selection]]]:
        """Every part with what each child says of it."""
        each = [_named(child, child.select(view.of(child))) for child in self.of]
        yield from ((rows, list(said)) for rows, *said in zip(view.parts(), *each, strict=True))


@dataclass(frozen=True, kw_only=True)
class And(_Combination):
    """Rows that all keep, as often as the one that keeps them least."""

    name = "and"
    summary = "Keep what all of these keep, each seeing the whole pool."

    def select(self, view: View) -> Iterator[Selection]:
        """A dropped row counts under the first that drops it."""
        for rows, said in self.together(view):
            times = np.minimum.reduce([one.times for one in said])
            yield _first_reason(rows, said, times)


@dataclass(frozen=True, kw_only=True)
class Or(_Combination):
    """Rows that any keeps, as often as the one that keeps them most."""

    name = "or"
    summary = "Keep what any of these keeps, each seeing the whole pool."

    def select(self, view: View) -> Iterator[Selection]:
        """A dropped row counts under the first's reason."""
        for rows, said in self.together(view):
            times = np.maximum.reduce([one.times for one in said])
            yield _first_reason(rows, said, times)


@dataclass(frozen=True, kw_only=True)
class Minus(_Combination):
    """Rows of the first that no other keeps."""

    name = "minus"
    summary = "Keep what the first keeps and none of the others does, each seeing the whole pool."

    def select(self, view: View) -> Iterator[Selection]:
        """Rows that another keeps count as "in" it."""
        for _, (first, *others) in self.together(view):
            code, reasons = first.code.astype(np.int64), list(first.reasons)
            for child, other in zip(self.of[1:], others, strict=True):
                reasons.append(f"in {child.name}")
                code[(code == 0) & other.kept] = len(reasons)
            yield Selection(tuple(reasons), _small(code, len(reasons)), first.copies)


@dataclass(frozen=True, kw_only=True)
class Cascade(_Combination):
    """Filters in order, each seeing only the rows that those before it left."""

    name = "cascade"
    summary = "One after another: each sees what those before it left."

    def select(self, view: View) -> Iterator[Selection]:
        """Filter after filter; what the earlier ones left waits in a temporary file."""
        with _Spilled() as so_far:
            for rows in view.parts():
                so_far.append(np.zeros(rows.n_rows, np.uint8), np.ones(rows.n_rows, np.uint32))
            reasons: list[str] = []
            for child in self.of:
                left = view.of(child, _within(view, so_far))
                offset = len(reasons)
                for number, said in enumerate(_named(child, child.select(left))):
                    code, times = so_far.read(number)
                    alive = np.flatnonzero(code == 0)
                    shifted = np.where(said.code > 0, said.code.astype(int) + offset, 0)
                    code[alive] = _small(shifted, offset + len(said.reasons))
                    times[alive] *= said.times
                    so_far.replace(number, code, times)
                    fresh = said.reasons
                reasons += fresh
            for number, _ in enumerate(view.parts()):
                code, times = so_far.read(number)
                yield Selection(tuple(reasons), code, _copies(times))


@dataclass(frozen=True, kw_only=True)
class Cap(_Combination):
    """Rows as often as the child says, but no more than `max_repeats` times."""

    name = "cap"
    summary = "Repeat no row too often."
    least: ClassVar[int] = 1

    max_repeats: int

    def __post_init__(self) -> None:
        if len(self.of) != 1:
            raise UsageError(f"'cap' caps one selection, got {len(self.of)}")
        if self.max_repeats < 1:
            raise UsageError(f"max_repeats is 1 or more, got {self.max_repeats}")

    def params(self) -> Any:
        """The tree below, and the cap."""
        (child,) = self.of
        return {"of": {child.name: child.params()}, "max_repeats": self.max_repeats}

    def rules(self) -> tuple[str, ...]:
        """The cap, then the child's."""
        (child,) = self.of
        cap = f"Keeps every row at most {self.max_repeats} times."
        return (cap, f"{child.name}:", *(f"  {rule}" for rule in child.rules()))

    def select(self, view: View) -> Iterator[Selection]:
        """Cap."""
        for _, (said,) in self.together(view):
            copies = None if said.copies is None else np.minimum(said.copies, self.max_repeats)
            yield Selection(said.reasons, said.code, copies)


@dataclass(frozen=True, kw_only=True)
class Mix(_Combination):
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
                f"{n:,} of {c.name}" for n, c in zip(self.quotas(), self.of, strict=True)
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
        drawn: Sequence[Callable[[PartView, Times], Times]] = [_as_is for _ in self.of]
        if self.size is not None:
            drawn = [
                _evenly(child, view, quota, self.seed)
                for child, quota in zip(self.of, self.quotas(), strict=True)
            ]
        for rows, said in self.together(view):
            times = np.zeros(rows.n_rows, np.uint32)
            for draw, one in zip(drawn, said, strict=True):
                times += draw(rows, one.times)
            yield _first_reason(rows, said, times)


def _named(child: Filter, said: Iterable[Selection]) -> Iterator[Selection]:
    """A filter's answers with its name before its reasons; a combination's have names already."""
    for one in said:
        reasons = one.reasons
        if not child.children():
            reasons = tuple(f"{child.name}: {reason}" for reason in reasons)
        yield Selection(reasons, one.code, one.copies)


def _first_reason(rows: PartView, said: Sequence[Selection], times: Times) -> Selection:
    """Rows with `times` 0 are dropped for the first answer's reason that drops them."""
    reasons: list[str] = []
    code = np.zeros(rows.n_rows, np.int64)
    for one in said:
        here = (code == 0) & (one.code > 0)
        code[here] = one.code[here].astype(np.int64) + len(reasons)
        reasons += one.reasons
    code[times > 0] = 0
    reasons.append("not_drawn")
    code[(times == 0) & (code == 0)] = len(reasons)
    if (code < len(reasons)).all():
        reasons.pop()
    return Selection(tuple(reasons), _small(code, len(reasons)), _copies(times))


def _copies(times: Times) -> Times | None:
    return None if (times <= 1).all() else times


def _small(code: npt.NDArray[Any], n_reasons: int) -> npt.NDArray[np.uint8]:
    if n_reasons > MOST_REASONS:
        raise FilterError(f"{n_reasons} reasons are too many; at most {MOST_REASONS}")
    return code.astype(np.uint8)


def _as_is(rows: PartView, times: Times) -> Times:
    return times


def _evenly(child: Filter, view: View, quota: int, seed: int) -> Callable[[PartView, Times], Times]:
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

    def draw(rows: PartView, times: Times) -> Times:
        places, draws = _entry_draws(rows.uids, times, seed)
        more = places[cut.keeps(draws, partial(_taken, rows.uids, places))]
        drawn = times * np.uint32(often)
        drawn += np.bincount(more, minlength=len(times)).astype(np.uint32)
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


class _Spilled:
    """Code and times of every row, by part, in a temporary file: 5 bytes a row."""

    def __enter__(self) -> "_Spilled":
        self._file: IO[bytes] = tempfile.TemporaryFile()
        self._places: list[tuple[int, int]] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, code: npt.NDArray[np.uint8], times: Times) -> None:
        """Add a part."""
        self._places.append((self._file.seek(0, 2), len(code)))
        self._write(code, times)

    def replace(self, number: int, code: npt.NDArray[np.uint8], times: Times) -> None:
        """Overwrite a part, of as many rows."""
        self._file.seek(self._places[number][0])
        self._write(code, times)

    def read(self, number: int) -> tuple[npt.NDArray[np.uint8], Times]:
        """A part's arrays, writable."""
        start, n = self._places[number]
        self._file.seek(start)
        code = np.frombuffer(bytearray(self._file.read(n)), np.uint8)
        return code, np.frombuffer(bytearray(self._file.read(4 * n)), np.uint32)

    def _write(self, code: npt.NDArray[np.uint8], times: Times) -> None:
        self._file.write(code.tobytes() + times.tobytes())


def _within(view: View, so_far: _Spilled) -> Callable[[int], Mask]:
    """Masks over the parts' rows, where the rows so far are those that `view` has left."""

    def mask(number: int) -> Mask:
        alive = np.asarray(so_far.read(number)[0] == 0)
        if view.only is None:
            return alive
        rows = view.only(number).copy()
        rows[rows] = alive
        return rows

    return mask
