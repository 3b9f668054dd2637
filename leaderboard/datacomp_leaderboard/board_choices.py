"""What one can choose of a board, as links and as values of a form; pure."""

from datacomp.submission.levels import Level
from datacomp_leaderboard.board_cells import FIXED, column_labels
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.board_pages import Choices, LabTask, Link, Option
from datacomp_leaderboard.query import KINDS, PRESETS, SHOWN, WEIGHT_PREFIX, BoardQuery
from datacomp_leaderboard.rules import RULES, Rule

_KIND_WORDS = {
    "baselines": "Baselines",
    "oracle": "Uses the truth",
    "superseded": "Replaced reports",
    "withdrawn": "Withdrawn",
}
_IN_FORM = {"q", "team", "at", "level", "show", "rule", "drop", "page"}


def active_links(query: BoardQuery) -> tuple[Link, ...]:
    """Every filter that is on, as words with the address without it."""
    found = []
    if query.at:
        found.append(Link(f"as of {query.at.isoformat()}", query.href(at=None)))
    if query.text:
        found.append(Link(f"with “{query.text}”", query.href(text="")))
    if query.team:
        found.append(Link(f"by {query.team}", query.href(team="")))
    if query.level != Level.REPORTED:
        found.append(Link(f"at least {query.level.label}", query.href(level=Level.REPORTED)))
    for kind in KINDS:
        if (kind in query.show) != (kind in SHOWN):
            words = "with" if kind in query.show else "without"
            href = query.href(show=query.show ^ {kind})
            found.append(Link(f"{words} {_KIND_WORDS[kind].lower()}", href))
    return tuple(found)


def preset_links(query: BoardQuery) -> tuple[Link, ...]:
    """The sets of columns that have a name."""
    return tuple(
        Link(
            name.capitalize(),
            query.href(preset=name, columns=()),
            not query.columns and query.preset == name,
        )
        for name in PRESETS
    )


def choices_of(query: BoardQuery, data: BoardData, rule: Rule) -> Choices:
    """What the forms offer in a view by `rule`."""
    suite, params = data.suite, query.params()
    names = column_labels(suite, data.groups)
    shown = query.shown_columns(suite) if suite else ()
    return Choices(
        text=query.text,
        team=query.team,
        at=query.at.isoformat() if query.at else "",
        levels=tuple(
            Option(level.label, _at_least(level), query.level == level) for level in Level
        ),
        kinds=tuple(Option(kind, _KIND_WORDS[kind], kind in query.show) for kind in KINDS),
        rules=tuple(
            Option(one.id, one.title, one.id == (query.rule or data.rule.id)) for one in RULES
        ),
        rule_in_force=data.rule.id,
        columns=tuple(
            Option(key, text, key in shown) for key, text in names.items() if key not in FIXED
        ),
        tasks=_tasks(query, data, rule),
        hidden=tuple(p for p in params if p[0] not in _IN_FORM and not _is_weight(p[0])),
        kept=tuple(p for p in params if p[0] not in {"column", "preset", "page"}),
    )


def _tasks(query: BoardQuery, data: BoardData, rule: Rule) -> tuple[LabTask, ...]:
    if data.suite is None:
        return ()
    base = next((one for one in RULES if one.id == query.rule), data.rule)
    standard = base.weights(data.suite)
    now = rule.weights(data.suite)
    return tuple(
        LabTask(
            task.key,
            task.name,
            f"{now.get(task.key, 0.0):g}",
            f"{standard.get(task.key, 0.0):g}",
            now.get(task.key, 0.0) != standard.get(task.key, 0.0),
        )
        for task in data.suite.scored
    )


def _at_least(level: Level) -> str:
    return "Any" if level == Level.REPORTED else f"{level.label.capitalize()} or more"


def _is_weight(name: str) -> bool:
    return name.startswith(WEIGHT_PREFIX)
