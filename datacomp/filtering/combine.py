"""Combinations of filters: `and`, `or`, `minus`, `cap`; cascade.py and mix.py have two more.

They combine row by row, so that a pool row decides alone whether it is kept and how often, and
walk the pool part by part. Under `and`, `or`, `minus` and `mix` every filter sees the whole pool:
a fraction is one of the pool. Under `cascade` a filter sees what those before it left: a fraction
is one of the survivors. Dropped rows are counted under the filter's name and its reason; filters
of one name that stand side by side are numbered.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, UsageError
from datacomp.filtering.contract import Filter, Fit, Step
from datacomp.filtering.selection import MOST_COPIES, MOST_REASONS, Selection, as_copies
from datacomp.filtering.view import PartView, View

Times = npt.NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class Combination(Filter):
    """Filters under one name; it reads and computes what they do."""

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
        for child, name in zip(self.of, self.names(), strict=True):
            lines += [f"{name}:", *(f"  {rule}" for rule in child.rules())]
        return tuple(lines)

    def names(self) -> tuple[str, ...]:
        """What each is called: its name, with a number where that is not its alone."""
        names = [child.name for child in self.of]
        return tuple(
            f"{name} {names[: place + 1].count(name)}" if names.count(name) > 1 else name
            for place, name in enumerate(names)
        )

    def together(self, view: View) -> Iterator[tuple[PartView, list[Selection]]]:
        """Every part with what each child says of it."""
        each = [
            named(child, name, child.select(view.of(child)))
            for child, name in zip(self.of, self.names(), strict=True)
        ]
        yield from ((rows, list(said)) for rows, *said in zip(view.parts(), *each, strict=True))


@dataclass(frozen=True, kw_only=True)
class And(Combination):
    """Rows that all keep, as often as the one that keeps them least."""

    name = "and"
    summary = "Keep what all of these keep, each seeing the whole pool."

    def select(self, view: View) -> Iterator[Selection]:
        """A dropped row counts under the first that drops it."""
        for rows, said in self.together(view):
            times = np.minimum.reduce([one.times for one in said])
            yield first_reason(rows, said, times)


@dataclass(frozen=True, kw_only=True)
class Or(Combination):
    """Rows that any keeps, as often as the one that keeps them most."""

    name = "or"
    summary = "Keep what any of these keeps, each seeing the whole pool."

    def select(self, view: View) -> Iterator[Selection]:
        """A dropped row counts under the first's reason."""
        for rows, said in self.together(view):
            times = np.maximum.reduce([one.times for one in said])
            yield first_reason(rows, said, times)


@dataclass(frozen=True, kw_only=True)
class Minus(Combination):
    """Rows of the first that no other keeps."""

    name = "minus"
    summary = "Keep what the first keeps and none of the others does, each seeing the whole pool."

    def select(self, view: View) -> Iterator[Selection]:
        """Rows that another keeps count as "in" it."""
        for _, (first, *others) in self.together(view):
            code, reasons = first.code.astype(np.int64), list(first.reasons)
            for name, other in zip(self.names()[1:], others, strict=True):
                reasons.append(f"in {name}")
                code[(code == 0) & other.kept] = len(reasons)
            yield Selection(tuple(reasons), small(code, len(reasons)), first.copies)


@dataclass(frozen=True, kw_only=True)
class Cap(Combination):
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
            most = min(self.max_repeats, MOST_COPIES)
            copies = None if said.copies is None else np.minimum(said.copies, most)
            yield Selection(said.reasons, said.code, copies)


def named(child: Filter, name: str, said: Iterable[Selection]) -> Iterator[Selection]:
    """A filter's answers with a name before its reasons; a combination's have names already."""
    for one in said:
        reasons = one.reasons
        if not child.children():
            reasons = tuple(f"{name}: {reason}" for reason in reasons)
        yield Selection(reasons, one.code, one.copies)


def first_reason(rows: PartView, said: Sequence[Selection], times: npt.NDArray[Any]) -> Selection:
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
    return Selection(tuple(reasons), small(code, len(reasons)), copies_of(times))


def copies_of(times: npt.NDArray[Any]) -> Times | None:
    """For a Selection: None where nothing is repeated."""
    return None if (times <= 1).all() else as_copies(times)


def small(code: npt.NDArray[Any], n_reasons: int) -> npt.NDArray[np.uint8]:
    """The codes of a Selection; `FilterError` if there are more reasons than they can tell."""
    if n_reasons > MOST_REASONS:
        raise FilterError(f"{n_reasons} reasons are too many; at most {MOST_REASONS}")
    return code.astype(np.uint8)
