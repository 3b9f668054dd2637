"""Filters without steps that break a rule each; loaded as a plugin by test_conformance.py.

`bad_<check>` fails the check of that name. bad_steps.py has those whose steps do.
"""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from datacomp.filtering import Filter, Selection, keep_unless

TIMES = itertools.count()


class Plain:
    """Selects without a step: drops what `dropped(rows)` says."""

    summary = "Keep some rows."

    def select(self, view):
        for rows in view.parts():
            yield keep_unless(rows, {"dropped": self.dropped(rows)})

    def dropped(self, rows):
        return np.zeros(rows.n_rows, bool)


@dataclass(frozen=True, kw_only=True)
class Declaration(Plain, Filter):
    name = "bad_declaration"
    summary = "no full stop"


@dataclass(frozen=True, kw_only=True)
class Example(Plain, Filter):
    name = "bad_example"
    example = "least=low"
    least: float = 0.5


@dataclass(kw_only=True)
class Frozen(Plain, Filter):
    name = "bad_frozen"


@dataclass(frozen=True, kw_only=True)
class Clone(Plain, Filter):
    name = "bad_clone"
    least: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "least", self.least / 2)


@dataclass(frozen=True, kw_only=True)
class DeclaredInputsOfSelect(Plain, Filter):
    name = "bad_declared_inputs_select"

    def dropped(self, rows):
        return np.array([len(x) > 20 for x in rows.column("text").to_pylist()])


@dataclass(frozen=True, kw_only=True)
class DeclaredInputsAround(Plain, Filter):
    name = "bad_declared_inputs_around"

    def select(self, view):
        for part, rows in zip(view.pool.parts, view.parts(), strict=True):
            texts = view.pool.read(part, ["text"]).column(0).to_pylist()
            yield keep_unless(rows, {"long": np.array([len(x) > 20 for x in texts], bool)})


@dataclass(frozen=True, kw_only=True)
class PartSplit(Plain, Filter):
    name = "bad_part_split"

    def dropped(self, rows):
        return np.arange(rows.n_rows) >= 5


@dataclass(frozen=True, kw_only=True)
class Exits(Plain, Filter):
    name = "bad_exits"

    def rules(self):
        raise SystemExit(0)


@dataclass(frozen=True, kw_only=True)
class OddRows(Plain, Filter):
    name = "bad_odd_rows"

    def columns(self):
        return ("text",)

    def dropped(self, rows):
        return np.array([len(text) > 20 for text in rows.column("text").to_pylist()], bool)


@dataclass(frozen=True, kw_only=True)
class EmptyPool(Plain, Filter):
    name = "bad_empty_pool"

    def columns(self):
        return ("clip_l14_similarity_score",)

    def select(self, view):
        scores = [rows.scores(*self.columns()) for rows in view.parts()]
        highest = np.nanmax(np.concatenate(scores)) if view.n_rows else max([])
        for rows, own in zip(view.parts(), scores, strict=True):
            yield keep_unless(rows, {"not_highest": ~(own == highest)})


@dataclass(frozen=True, kw_only=True)
class SelectionTypes(Plain, Filter):
    name = "bad_selection"

    def select(self, view):
        for rows in view.parts():
            yield Selection((), np.zeros(rows.n_rows, np.uint8), np.ones(rows.n_rows, np.int64))


@dataclass(frozen=True, kw_only=True)
class Reasons(Plain, Filter):
    name = "bad_reasons"

    def select(self, view):
        for rows in view.parts():
            yield keep_unless(rows, {"Way too short!": np.zeros(rows.n_rows, bool)})


@dataclass(frozen=True, kw_only=True)
class ViewTwice(Plain, Filter):
    name = "bad_view_twice"

    def select(self, view):
        odd = next(TIMES) % 2
        for rows in view.parts():
            yield keep_unless(rows, {"every_other_time": np.full(rows.n_rows, bool(odd))})


@dataclass(frozen=True, kw_only=True)
class Waives(PartSplit):
    name = "waives"
    waives: ClassVar = {"part_split": "it draws by position, as its paper does"}


@dataclass(frozen=True, kw_only=True)
class WaivesNothing(Plain, Filter):
    name = "waives_nothing"
    waives: ClassVar = {"no_such_check": "because"}
