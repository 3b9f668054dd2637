"""What the pages of comparisons show: see `comparing`, which makes them."""

from dataclasses import dataclass
from typing import ClassVar

from datacomp_leaderboard.charting import Figure
from datacomp_leaderboard.charts import Axis, Whisker
from datacomp_leaderboard.differences import Tally, Verdict
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.ranking import RankedRow
from datacomp_leaderboard.subset_overlap import Shared


@dataclass(frozen=True)
class Compared:
    """A method of a comparison. `first_href` is the comparison with it in the first place."""

    letter: str
    row: Row
    rank: int | None
    ranks: tuple[int, int] | None
    whisker: Whisker | None
    tally: Tally | None
    first_href: str | None


@dataclass(frozen=True)
class CompareCell:
    """A value, how much it is below or above the first method's, and whether beyond noise."""

    value: float | None
    delta: float | None
    verdict: Verdict | None


@dataclass(frozen=True)
class CompareLine:
    """A task in all methods."""

    name: str
    groups: tuple[str, ...]
    cells: tuple[CompareCell, ...]


@dataclass(frozen=True)
class FactLine:
    """What is known of each method; `differs` if not all are the same."""

    name: str
    texts: tuple[str, ...]
    differs: bool


@dataclass(frozen=True)
class OverlapLine:
    """What two subsets share; `shared` is None where the service has not seen both."""

    a: str
    b: str
    shared: Shared | None
    same: bool


@dataclass(frozen=True)
class ComparePage:
    """Methods against the first of them."""

    template: ClassVar[str] = "compare.html"

    title: str
    scale: str
    track: str
    board_href: str
    rule_title: str
    methods: tuple[Compared, ...]
    sentences: tuple[str, ...]
    axis: Axis
    tasks: tuple[CompareLine, ...]
    facts: tuple[FactLine, ...]
    overlaps: tuple[OverlapLine, ...]
    figure: Figure | None
    query: str
    choose_href: str


@dataclass(frozen=True)
class ChoosePage:
    """A form to choose methods from: `chosen` are row ids, `problem` is what was missing."""

    template: ClassVar[str] = "choose.html"

    title: str
    scale: str
    track: str
    problem: str | None
    rows: tuple[RankedRow, ...]
    chosen: tuple[str, ...]
    n_more: int
