"""From a board's data and a query to its page; pure."""

from collections.abc import Sequence
from urllib.parse import urlencode

from datacomp_leaderboard.board_cells import Columns, cells_of, columns_of
from datacomp_leaderboard.board_charts import share_chart
from datacomp_leaderboard.board_choices import active_links, choices_of, preset_links
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.board_pages import BoardPage, Heading, Line, Link, Spark, Without
from datacomp_leaderboard.charting import Figure, available
from datacomp_leaderboard.charts import Axis, interval_ends, nice_axis, whisker
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.formatting import count
from datacomp_leaderboard.query import (
    FILTERING,
    PAGE_ROWS,
    BoardQuery,
    board_href,
    n_pages,
    page_of,
    select,
)
from datacomp_leaderboard.ranking import DEFAULT_SORT, RankedRow
from datacomp_leaderboard.rules import Rule, chance_of
from datacomp_leaderboard.scales import SCALES
from datacomp_leaderboard.standing import Standings, standings

SHARE_UNITS = 60.0
_TRACKS = {FILTERING: "Subsets of the pool", "byod": "Own data"}
_COMMANDS = {
    FILTERING: "datacomp submit report.json --method NAME",
    "byod": "datacomp submit --byod mine.parquet --method NAME",
}
# presets that show how far a place hangs on the choice of weights
_STABILITY = frozenset({"robustness", "everything"})
_SPARK = (60.0, 16.0, 2.0)


class BoardView:
    """One view of a board: its rule, its order and the rows that it shows, all pages of them."""

    def __init__(self, data: BoardData, query: BoardQuery) -> None:
        self.data, self.query = data, query
        suite, in_force = data.suite, data.rule
        self.rule: Rule = query.named_rule(in_force, suite) if suite else in_force
        self.is_own = self.rule.id != in_force.id
        with_old = "superseded" in query.show
        plain = not self.is_own and not with_old
        ranked = data.ranked if plain else data.ranked_by(self.rule, superseded=with_old)
        self.ranked = ranked
        self.selected = select(ranked, query, suite.groups if suite else (), data.tasks)
        self.standings: Standings = standings(ranked) if self.is_own else data.standings

    @property
    def chance(self) -> float | None:
        """What guessing scores by the view's rule."""
        if not self.is_own:
            return self.data.chance
        return chance_of(self.rule, self.data.suite) if self.data.suite else None


def build_board(view: BoardView) -> BoardPage:
    """The page of a view."""
    data, query, suite = view.data, view.query, view.data.suite
    pages = n_pages(len(view.selected))
    shown = page_of(view.selected, query.page)
    stability = data.stability if query.preset in _STABILITY or query.weights else {}
    columns = columns_of(query, suite, data.groups, shown, stability)
    axis = _axis(shown)
    chance = view.chance
    address = urlencode([pair for pair in query.params() if pair[0] != "page"], safe=":/")
    chart = share_chart(data, view.selected, view.rule) if data.entries else None
    name = query.scale if query.track == FILTERING else f"{query.scale}, own data"
    other = next((one for one in data.tracks if one != query.track), None)
    by_tier = query.sort == DEFAULT_SORT
    without = () if view.is_own else without_of(data)
    return BoardPage(
        title=f"{name} board",
        scale=query.scale,
        track=query.track,
        is_there=query.track in data.tracks,
        other=Link(_TRACKS[other], board_href(query.scale, other)) if other else None,
        command=_COMMANDS[query.track],
        description=SCALES[query.scale].description,
        canonical=query.href(page=query.page),
        plain=board_href(query.scale, query.track),
        files=tuple((form, query.href("." + form)) for form in ("csv", "json", "parquet")),
        facts=(
            ("Methods", count(len(data.ranked))),
            ("Submissions", count(data.counts.submissions)),
            ("Teams", count(data.counts.teams)),
        ),
        updated_at=data.updated_at,
        n_outdated=data.n_outdated,
        n_rows=len(view.ranked),
        n_shown=len(view.selected),
        first=(query.page - 1) * PAGE_ROWS + 1,
        last=(query.page - 1) * PAGE_ROWS + len(shown),
        earlier=query.href(page=min(query.page - 1, pages)) if query.page > 1 else None,
        later=query.href(page=query.page + 1) if query.page < pages else None,
        as_of=query.at.isoformat() if query.at else None,
        own_rule=view.rule.words if view.is_own else None,
        active=active_links(query),
        presets=preset_links(query),
        sorts=_sorts(columns),
        choices=choices_of(query, data, view.rule),
        choices_open=bool(query.weights),
        headings=columns.headings,
        lines=_lines(view, shown, columns, axis, by_tier=by_tier),
        axis=axis,
        chance=chance,
        chance_x=None if chance is None or not axis.low <= chance <= axis.high else axis.x(chance),
        share=Figure(
            chart,
            f"/b/{query.scale}/{chart.name}",
            f"?{address}" if address else "",
            drawn=available(),
        )
        if chart
        else None,
        rule_id=view.rule.id,
        rule_words=view.rule.words,
        noise_words=view.standings.words,
        without=without,
        n_leaders=sum(one.changes for one in without),
        n_pools=data.counts.pools,
        n_recipes=data.counts.recipes,
        stability_shown=bool(stability),
    )


def without_of(data: BoardData) -> tuple[Without, ...]:
    """Who would lead without each of the tasks."""
    names = {task.key: task.name for task in data.suite.scored} if data.suite else {}
    return tuple(
        Without(
            names[one.task],
            one.leader.row.method,
            f"/s/{one.leader.row.id}",
            one.changes_leader,
            one.tau,
        )
        for one in data.without_task
    )


def _sorts(columns: Columns) -> tuple[Heading, ...]:
    return tuple(heading for heading in columns.headings if heading.href)


def _lines(
    view: BoardView, shown: Sequence[RankedRow], columns: Columns, axis: Axis, *, by_tier: bool
) -> tuple[Line, ...]:
    lines, tier = [], 0
    for r in shown:
        row, standing = r.row, view.standings.of.get(r.row.id)
        begins = None
        if by_tier and standing is not None and r.row.competes and standing.tier != tier:
            tier = standing.tier
            begins = tier
        place, why = place_of(r, view.standings)
        lines.append(
            Line(
                row=row,
                place=place,
                why=why,
                tier=begins,
                kind=_kind(row),
                marks=_marks(row),
                whisker=whisker(row.average, axis) if row.average else None,
                spark=_spark(view.data.history.get(row.id, ())) if not row.superseded else None,
                share_units=round(SHARE_UNITS * min(row.share, 1.0), 1),
                cells=cells_of(row, columns),
            )
        )
    return tuple(lines)


def place_of(ranked: RankedRow, known: Standings) -> tuple[str, str]:
    """A row's rank as the interval that holds it with 95%, or a mark; and that in words."""
    row, standing = ranked.row, known.of.get(ranked.row.id)
    if ranked.rank is not None:
        low = standing.rank_low if standing else None
        high = standing.rank_high if standing else None
        if low is None or high is None or low == high:
            return str(ranked.rank), f"Rank {ranked.rank}"
        return f"{low}–{high}", f"Place {ranked.rank}; beyond noise between {low} and {high}"
    for is_so, mark, words in (
        (row.withdrawn, "–", "withdrawn, no rank"),
        (row.superseded, "–", "replaced by a newer report, no rank"),
        (row.oracle, "◆", "uses the truth, no rank"),
        (row.published, "◇", "published elsewhere, no rank"),
        (row.baseline, "◇", "a baseline, no rank"),
        (row.average is None, "–", "incomplete, no rank"),
        (not row.level.verified, "○", "not re-evaluated: no rank 1 to 3"),
    ):
        if is_so:
            return mark, words
    return "–", "no rank"


def _kind(row: Row) -> str:
    if row.withdrawn:
        return "withdrawn"
    if row.superseded:
        return "superseded"
    if row.oracle:
        return "oracle"
    return "baseline" if row.baseline else ""


def _marks(row: Row) -> tuple[str, ...]:
    found = (
        (row.oracle, "uses the truth"),
        (row.published, "published"),
        (row.baseline and not row.published, "baseline"),
        (row.withdrawn, "withdrawn"),
        (row.superseded, "replaced"),
        (row.average is None, "incomplete"),
    )
    return tuple(words for is_so, words in found if is_so)


def _axis(shown: Sequence[RankedRow]) -> Axis:
    ends = [end for r in shown if r.row.average for end in interval_ends(r.row.average)]
    return nice_axis(ends)


def _spark(averages: Sequence[float]) -> Spark | None:
    """Of a method that was handed in more often than it has seeds."""
    if len(averages) < 2:
        return None
    width, height, margin = _SPARK
    low, high = min(averages), max(averages)
    span = (high - low) or 1.0
    step = (width - 2 * margin) / (len(averages) - 1)
    up = (height - 2 * margin) / span
    points = " ".join(
        f"{margin + i * step:.1f},{height - margin - (value - low) * up:.1f}"
        for i, value in enumerate(averages)
    )
    words = f"{len(averages)} reports, from {averages[0]:.3f} to {averages[-1]:.3f}"
    return Spark(points, words)
