"""What a board's page shows: frozen values, everything computed, addresses and words made."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from datacomp_leaderboard.charting import Figure
from datacomp_leaderboard.charts import Axis, Whisker
from datacomp_leaderboard.entries import Row


@dataclass(frozen=True)
class Heading:
    """A column by which one can sort; `direction` is None, `ascending` or `descending`."""

    key: str
    label: str
    href: str
    direction: str | None


@dataclass(frozen=True)
class Cell:
    """A number of a row in the column `key`; `note` stands small beside it.

    `shade` is from 0 (lowest of its column on this page) to 6 (highest), 0 where all are alike.
    """

    key: str
    label: str
    text: str
    note: str = ""
    shade: int = 0


@dataclass(frozen=True)
class Spark:
    """The averages of a row's reports in the order in which they came: points of a 60 by 16 box."""

    points: str
    words: str


@dataclass(frozen=True)
class Line:
    """A row as it is drawn. `place` is its rank as an interval, or the mark of what has none.

    `why` says the place in words. `tier` is set where a tier begins. `kind` is the row's style.
    """

    row: Row
    place: str
    why: str
    tier: int | None
    kind: str
    marks: tuple[str, ...]
    whisker: Whisker | None
    spark: Spark | None
    share_units: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Link:
    """A choice as a link; `current` if it is the one that is shown."""

    text: str
    href: str
    current: bool = False


@dataclass(frozen=True)
class Option:
    """A choice in a form; `checked` if it is taken."""

    value: str
    text: str
    checked: bool


@dataclass(frozen=True)
class LabTask:
    """A task in the weight lab: its weight in this view, and the rule's own."""

    key: str
    name: str
    weight: str
    standard: str
    changed: bool


@dataclass(frozen=True)
class Without:
    """The order without one task: who would lead, and how alike it is (Kendall's tau)."""

    name: str
    leader: str
    leader_href: str
    changes: bool
    tau: float | None


@dataclass(frozen=True)
class Choices:
    """What the forms above the table offer; `kept` are the parts of the address they do not change.

    `hidden` goes with the form of filters and weights, `kept` with that of columns.
    """

    text: str
    team: str
    at: str
    levels: tuple[Option, ...]
    kinds: tuple[Option, ...]
    rules: tuple[Option, ...]
    rule_in_force: str
    columns: tuple[Option, ...]
    tasks: tuple[LabTask, ...]
    hidden: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class BoardPage:
    """The board of one scale in one view; ranks do not change with sorting and filters.

    `is_there` says whether an organiser opened it, `other` is the scale's board of the other track,
    `command` is how to hand in here, `canonical` is the view's one address, `plain` that of the
    board without any choice. `own_rule` says in words how the view's average differs from the one
    in force, `as_of` the day it is as of. `first` and `last` count the shown rows of `n_shown`;
    `n_leaders` tasks without which another method leads.
    """

    template: ClassVar[str] = "board.html"

    title: str
    scale: str
    track: str
    is_there: bool
    other: Link | None
    command: str
    description: str
    canonical: str
    plain: str
    files: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    updated_at: datetime | None
    n_outdated: int
    n_rows: int
    n_shown: int
    first: int
    last: int
    earlier: str | None
    later: str | None
    as_of: str | None
    own_rule: str | None
    active: tuple[Link, ...]
    presets: tuple[Link, ...]
    sorts: tuple[Heading, ...]
    choices: Choices
    choices_open: bool
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    axis: Axis
    chance: float | None
    chance_x: float | None
    share: Figure | None
    rule_id: str
    rule_words: str
    noise_words: str
    without: tuple[Without, ...]
    n_leaders: int
    n_pools: int
    n_recipes: int
    stability_shown: bool
