"""What of a board is shown, and in which order: a query string as a value, and back; pure.

Every link of a board's page is made here, so that one view has one address: defaults are left out,
keys are sorted.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from datacomp.errors import UnknownNameError, UsageError
from datacomp.reports import Suite
from datacomp.submission.levels import Level, parse_level
from datacomp_leaderboard.ranking import DEFAULT_SORT, RankedRow, column, sort_rows
from datacomp_leaderboard.rules import Rule, lab_rule, rule_of

FILTERING, OWN_DATA = "filtering", "byod"
TRACKS = (FILTERING, OWN_DATA)
KINDS = ("baselines", "oracle", "superseded", "withdrawn")
SHOWN = frozenset({"baselines", "oracle", "withdrawn"})
PAGE_ROWS = 200
WEIGHT_PREFIX = "w."
_LONGEST_TEXT = 100
_LARGEST_WEIGHT = 1000.0

_ALWAYS = ("method", "team", "average", "level")
# columns by preset; `group:*` and `task:*` stand for all of the suite
PRESETS: dict[str, tuple[str, ...]] = {
    "official": (*_ALWAYS, "seeds", "group:*", "subset", "share", "date"),
    "robustness": (*_ALWAYS, "robust", "seeds", "attempts"),
    "economy": (*_ALWAYS, "subset", "share", "seeds", "date"),
    "tasks": (*_ALWAYS, "task:*"),
    "everything": (
        *(*_ALWAYS, "robust", "seeds", "attempts", "group:*", "subset", "share", "date"),
        "task:*",
    ),
}
DEFAULT_PRESET = "official"


@dataclass(frozen=True, kw_only=True)
class BoardQuery:
    """A view of a board. `parse` makes it, and checks all names against the suite.

    `rule` None is the one in force. `columns` take the place of the preset's. `level` is the
    lowest that is shown. `weights` are (task, weight) by task, where they differ from the rule's;
    0 leaves the task out. `at` is a day whose end (UTC) the board is shown as of. Pages count
    from 1.
    """

    scale: str
    track: str = FILTERING
    rule: str | None = None
    sort: str = DEFAULT_SORT
    preset: str = DEFAULT_PRESET
    columns: tuple[str, ...] = ()
    level: Level = Level.REPORTED
    team: str = ""
    text: str = ""
    show: frozenset[str] = SHOWN
    weights: tuple[tuple[str, float], ...] = ()
    at: date | None = None
    page: int = 1

    def params(self) -> list[tuple[str, str]]:
        """The query string as pairs, canonical: without defaults, sorted."""
        plain = {
            "track": (self.track, FILTERING),
            "rule": (self.rule, None),
            "sort": (self.sort, DEFAULT_SORT),
            "preset": (self.preset, DEFAULT_PRESET),
            "level": (self.level.label, Level.REPORTED.label),
            "team": (self.team, ""),
            "q": (self.text, ""),
            "at": (self.at.isoformat() if self.at else None, None),
            "page": (str(self.page), "1"),
        }
        pairs = [(key, value) for key, (value, default) in plain.items() if value != default]
        pairs += [("column", name) for name in self.columns]
        if self.show != SHOWN:
            pairs += [("show", kind) for kind in self.show or {"none"}]
        pairs += [("drop", task) for task, weight in self.weights if weight == 0]
        pairs += [(WEIGHT_PREFIX + task, f"{w:.12g}") for task, w in self.weights if w > 0]
        # the order of columns means something
        pairs.sort(key=lambda pair: pair if pair[0] != "column" else (pair[0], ""))
        return [(key, value) for key, value in pairs if value is not None]

    def href(self, suffix: str = "", **changes: Any) -> str:
        """The address of this view with some fields changed; a change goes back to page 1.

        `suffix` names another form of it: `.csv`.
        """
        changed = replace(self, **{"page": 1, **changes}) if changes else self
        query = urlencode(changed.params(), safe=":/")
        return f"/b/{changed.scale}{suffix}" + (f"?{query}" if query else "")

    def named_rule(self, in_force: Rule, suite: Suite) -> Rule:
        """The rule of this view, with own weights if it has some."""
        base = rule_of(self.rule) if self.rule else in_force
        return lab_rule(base, suite, dict(self.weights)) if self.weights else base

    def shown_columns(self, suite: Suite) -> tuple[str, ...]:
        """The keys of the columns, in order."""
        every = {
            "group:*": tuple(f"group:{group}" for group in suite.groups),
            "task:*": tuple(f"task:{task.key}" for task in suite.scored),
        }
        chosen = self.columns or PRESETS[self.preset]
        return tuple(name for key in chosen for name in every.get(key, (key,)))


def board_href(scale: str, track: str) -> str:
    """The address of a board."""
    return BoardQuery(scale=scale, track=track).href()


def parse(
    scale: str, params: Iterable[tuple[str, str]], suite: Suite | None, in_force: Rule
) -> BoardQuery:
    """The view that a query string names; empty values are as if they were not there.

    `suite` is the scale's, None if there is none. `UnknownNameError` or `UsageError` for what
    means nothing: nothing is ignored.
    """
    groups = suite.groups if suite else ()
    tasks = tuple(task.key for task in suite.scored) if suite else ()
    single: dict[str, str] = {}
    repeated: dict[str, list[str]] = {"column": [], "show": [], "drop": []}
    weights: dict[str, float] = {}
    for key, value in params:
        if key in repeated:
            repeated[key] += [value] if value else []
        elif key.startswith(WEIGHT_PREFIX):
            task = _known("scored task", key.removeprefix(WEIGHT_PREFIX), tasks)
            if value:
                weights[task] = _weight(task, value)
        elif key not in _SINGLE:
            names = [*_SINGLE, *repeated, *(WEIGHT_PREFIX + task for task in tasks)]
            raise UnknownNameError("part of a board's address", key, names)
        elif key in single:
            raise UsageError(f"{key!r} is there twice, as {single[key]!r} and {value!r}")
        elif value:
            single[key] = value
    weights |= {_known("scored task", task, tasks): 0.0 for task in repeated["drop"]}
    rule = single.get("rule")
    base = rule_of(rule) if rule else in_force
    sort = single.get("sort", DEFAULT_SORT)
    for name in (sort.removeprefix("-"), *repeated["column"]):
        column(name, groups, tasks)
    if repeated["column"] and "preset" in single:
        raise UsageError("preset and column exclude each other: leave one of them out")
    found = BoardQuery(
        scale=scale,
        track=_known("track", single.get("track", FILTERING), TRACKS),
        rule=base.id if base.id != in_force.id else None,
        sort=sort,
        preset=_known("preset", single.get("preset", DEFAULT_PRESET), PRESETS),
        columns=tuple(dict.fromkeys(repeated["column"])),
        level=parse_level(single.get("level", Level.REPORTED.label)),
        team=single.get("team", ""),
        text=_text(single.get("q", "")),
        show=_kinds(repeated["show"]),
        weights=_own(weights, base, suite),
        at=_day(single.get("at")),
        page=_page(single.get("page", "1")),
    )
    if suite is not None:
        found.named_rule(in_force, suite)
    return found


_SINGLE = ("at", "level", "page", "preset", "q", "rule", "sort", "team", "track")


def select(
    ranked: Sequence[RankedRow], query: BoardQuery, groups: Sequence[str], tasks: Sequence[str]
) -> tuple[RankedRow, ...]:
    """The rows that a query shows, in its order, all pages of them; ranks stay as they are."""
    text = query.text.casefold()
    hidden = frozenset(KINDS) - query.show
    kept = [r for r in ranked if _is_shown(r, query, text, hidden)]
    if query.sort == DEFAULT_SORT:
        return tuple(kept)
    return sort_rows(kept, query.sort, groups, tasks)


def n_pages(n_rows: int) -> int:
    """How many pages `n_rows` rows take; one, if there is none."""
    return max(math.ceil(n_rows / PAGE_ROWS), 1)


def page_of(rows: Sequence[RankedRow], page: int) -> Sequence[RankedRow]:
    """One page of rows; empty beyond the last."""
    return rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]


def _is_shown(r: RankedRow, query: BoardQuery, text: str, hidden: frozenset[str]) -> bool:
    row = r.row
    if row.level < query.level or (query.team and row.team != query.team):
        return False
    kinds = {
        "baselines": row.baseline,
        "oracle": row.oracle,
        "superseded": row.superseded,
        "withdrawn": row.withdrawn,
    }
    if any(kinds[kind] for kind in hidden):
        return False
    return not text or text in row.method.casefold() or text in row.team.casefold()


def _known(kind: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise UnknownNameError(kind, name, names)
    return name


def _weight(task: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= _LARGEST_WEIGHT:
        raise UsageError(
            f"the weight of {task!r} is {text!r}, expected a number from 0 to {_LARGEST_WEIGHT:g}"
        )
    return float(f"{weight:.12g}")


def _own(
    weights: dict[str, float], base: Rule, suite: Suite | None
) -> tuple[tuple[str, float], ...]:
    standard = base.weights(suite) if suite else {}
    own = {task: w for task, w in weights.items() if w != standard.get(task, 0.0)}
    return tuple(sorted(own.items()))


def _kinds(shown: Sequence[str]) -> frozenset[str]:
    named = {_known("kind of row", kind, (*KINDS, "none")) for kind in shown}
    return frozenset(named - {"none"}) if named else SHOWN


def _text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise UsageError(f"q has {len(text)} characters, expected at most {_LONGEST_TEXT}")
    return text


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"at is {text!r}, expected a day such as 2027-01-31") from error


def _page(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:10]) <= 10**6):
        raise UsageError(f"page is {text!r}, expected a whole number from 1 to 1000000")
    return int(text)
