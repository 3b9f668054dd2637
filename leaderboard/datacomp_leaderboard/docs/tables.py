"""The data twins of the documentation: boards and costs, methods, codes, operations. Pure."""

from datacomp_leaderboard.docs.api import ApiPage
from datacomp_leaderboard.docs.methods import MethodsPage
from datacomp_leaderboard.docs.rules import RulesPage
from datacomp_leaderboard.docs.submit import SubmitPage
from datacomp_leaderboard.twins import Cell, Column, Table, Type


def of_rules(page: RulesPage) -> tuple[Table, ...]:
    """Boards with what they rank by and grant, rules, levels, costs."""
    boards = tuple(
        (
            *(one.scale, one.track, one.rule, one.since, one.opens_at, one.closes_at),
            *(one.submissions, one.compute_seconds),
        )
        for one in page.boards
    )
    return (
        Table(
            "boards",
            "Boards and their rules",
            (
                *_texts("scale", "track", "rule"),
                *_columns("date", "since", "opens_at", "closes_at"),
                Column("submissions", "Submissions granted", "int"),
                Column("compute_seconds", "Workers' time granted", "int", "s"),
            ),
            boards,
        ),
        Table(
            "rules",
            "Ranking rules",
            _texts("rule", "title", "words"),
            tuple((one.id, one.title, one.words) for one in page.rules),
        ),
        Table(
            "levels",
            "Levels of verification",
            (*_texts("level", "meaning"), Column("verified", "Verified", "bool")),
            tuple((one.label, one.meaning, one.verified) for one in page.levels),
        ),
        Table(
            "costs",
            "What jobs cost",
            (
                *_texts("scale"),
                *(Column(kind, kind.capitalize(), "int", "s") for kind in _KINDS),
            ),
            tuple((one.scale, one.filter, one.train, one.evaluate) for one in page.costs),
        ),
    )


def of_methods(page: MethodsPage) -> tuple[Table, ...]:
    """Methods, and their parameters."""
    return (
        Table(
            "methods",
            "Methods",
            _texts("method", "summary", "kind", "reference", "needs", "fits", "example"),
            tuple(
                (
                    *(one.name, one.summary, one.kind, one.reference),
                    *(" ".join(one.needs), " ".join(one.fits), one.example),
                )
                for one in page.methods
            ),
        ),
        Table(
            "parameters",
            "Parameters of methods",
            _texts("method", "parameter", "type", "default"),
            tuple(
                (one.name, parameter.name, parameter.type, parameter.default)
                for one in page.methods
                for parameter in one.parameters
            ),
        ),
    )


def of_codes(page: SubmitPage) -> tuple[Table, ...]:
    """Every code of a finding."""
    rows = tuple(
        (code, group.key, words) for group in page.groups for code, words in group.codes.items()
    )
    return (Table("codes", "Codes of findings", _texts("code", "of", "meaning"), rows),)


def of_api(page: ApiPage) -> tuple[Table, ...]:
    """Every operation of the API."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.key, group.key, one.method, one.path, one.token, one.words)
        for group in page.groups
        for one in group.operations
    )
    columns = (
        *_texts("operation", "group", "method", "path"),
        Column("token", "Takes a token", "bool"),
        *_texts("words"),
    )
    return (Table("operations", "Operations of the API", columns, rows),)


_KINDS = ("filter", "train", "evaluate")


def _texts(*keys: str) -> tuple[Column, ...]:
    return _columns("text", *keys)


def _columns(kind: Type, *keys: str) -> tuple[Column, ...]:
    return tuple(Column(key, key.replace("_", " ").capitalize(), kind) for key in keys)
