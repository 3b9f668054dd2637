"""The words that public pages are made with: a view, and what is made for it. No page is here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from datacomp_leaderboard.charting.chart import Chart
from datacomp_leaderboard.pages import Page
from datacomp_leaderboard.twins import Table
from datacomp_server.kit import packed
from datacomp_server.kit.errors import BadRequest

Query = tuple[tuple[str, str], ...]
"""A query string as pairs, as it was asked."""

HTML = "html"
CARD, EMBED = "card", "embed"
FOR_TABLES = ("csv", "json", "parquet")


@dataclass(frozen=True)
class View:
    """One thing that a visitor can ask for: a page, and of it one form.

    `path` is the page's, without a suffix. `form` is `html`; or a form of its first table
    (`csv`); or NAME and a form, of another table or of a chart (`overlap.csv`, `overlap.svg`); or
    one of the texts that the page has for programs.
    """

    path: str
    query: Query = ()
    form: str = HTML


@dataclass(frozen=True)
class Made:
    """A page with its data. The first table is the page's own.

    Tables that cost something are given as a function, for most visitors want none. `texts` are
    further forms of it, in JSON. `media_type` is the page's own.
    """

    page: Page
    tables: Sequence[Table] | Callable[[], Sequence[Table]] = ()
    charts: Sequence[Chart] = ()
    texts: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    media_type: str = packed.HTML

    def every_table(self) -> Sequence[Table]:
        """The tables."""
        return self.tables() if callable(self.tables) else self.tables


def only(query: Query, *names: str) -> dict[str, str]:
    """The values of a query that may name each of `names` once; `BadRequest` for all else."""
    found: dict[str, str] = {}
    for name, value in query:
        if name not in names:
            known = f"there are: {', '.join(names)}" if names else "this page has none"
            raise BadRequest(f"there is no {name!r} in a query here; {known}")
        if name in found:
            raise BadRequest(f"{name!r} is there twice, as {found[name]!r} and {value!r}")
        found[name] = value
    return found
