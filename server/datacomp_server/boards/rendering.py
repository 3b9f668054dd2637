"""One view, whole, as it is sent: made once, then handed out.

Runs in the service's own process or in a helper (see `builder`), and so takes and gives plain
values only.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from datacomp_leaderboard.charting import FORMS, Chart, Figure, available, draw
from datacomp_leaderboard.charting.card import card
from datacomp_leaderboard.pages import EmbedPage
from datacomp_leaderboard.render import Social, render
from datacomp_leaderboard.twins import Table, to_csv, to_json, to_parquet
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.boards.data import Kept, Source, Version
from datacomp_server.boards.made import CARD, EMBED, HTML, Made, View
from datacomp_server.boards.views import PAGES, match
from datacomp_server.kit import packed
from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Database
from datacomp_server.kit.errors import NotFound
from datacomp_server.kit.packed import Packed, pack_bytes
from datacomp_server.settings import Settings

_MEDIA_TYPES = {
    "csv": packed.CSV,
    "json": packed.JSON,
    "parquet": "application/vnd.apache.parquet",
}
_SAVED = ("csv", "parquet")  # what browsers are told to save


@dataclass(frozen=True)
class Rendered:
    """A view as it is sent; `filename` is what it is saved as, where it is to be saved."""

    packed: Packed
    media_type: str
    filename: str | None = None


@dataclass(frozen=True)
class Workroom:
    """What pages are rendered with in one process."""

    database: Database
    artifacts: ArtifactStore
    settings: Settings
    clock: Callable[[], datetime] = now
    kept: Kept = field(default_factory=Kept)

    def render(self, view: View, version: Version) -> Rendered:
        """The view of `version`, or of what came since; the errors of `render_view`."""
        with self.database.reading() as session:
            source = Source(
                session, self.artifacts, self.settings, self.clock(), version, self.kept
            )
            return render_view(source, view)


def render_view(source: Source, view: View) -> Rendered:
    """The view; `NotFound` if there is no such page, table or chart, `BadRequest` for its query."""
    found = match(view.path)
    if found is None:
        raise NotFound(f"there is no page {view.path}")
    pattern, params = found
    made = PAGES[pattern](source, params, view.query)
    if view.form == HTML:
        html = render(made.page, _social(source.settings.public_url, view))
        return Rendered(pack_bytes(html.encode()), made.media_type)
    if view.form == CARD and available():
        chart = next(iter(made.charts), None)
        words = chart.title if chart else "Choose the data; the training is fixed."
        return Rendered(pack_bytes(card(made.page.title, words, chart)), "image/png")
    if view.form in made.texts:
        return Rendered(pack_bytes(made.texts[view.form]().encode()), packed.JSON)
    whole = view.form in _MEDIA_TYPES or view.form in FORMS
    name, _, form = ("", "", view.form) if whole else view.form.partition(".")
    if form == EMBED:
        embedded = next((chart for chart in made.charts if chart.name == name), None)
        if embedded is None:
            known = ", ".join(chart.name for chart in made.charts) or "none"
            raise NotFound(f"{view.path} has no chart {name!r}; it has: {known}")
        return _embed(made, view, embedded)
    return _twin(made, view.path, list(params.values()), name, form)


def _social(site: str | None, view: View) -> Social | None:
    """What other sites show of a page; they need whole addresses, which not every service knows."""
    if site is None or not available():
        return None
    asked = f"?{urlencode(view.query)}" if view.query else ""
    page = "/index" if view.path == "/" else view.path
    return Social(f"{site}{view.path}{asked}", f"{site}/card{page}.png{asked}")


def _embed(made: Made, view: View, chart: Chart) -> Rendered:
    asked = f"?{urlencode(view.query)}" if view.query else ""
    base = "/index" if view.path == "/" else view.path
    figure = Figure(chart, f"{base}/{chart.name}", asked, available())
    page = EmbedPage(made.page.title, figure, f"{view.path}{asked}")
    return Rendered(pack_bytes(render(page).encode()), packed.HTML)


def _twin(made: Made, path: str, values: list[str], name: str, form: str) -> Rendered:
    tables = made.every_table()
    charts = {chart.name: chart for chart in made.charts}
    named = {chart.name: chart.table for chart in made.charts} | {t.name: t for t in tables}
    table = named.get(name) if name else next(iter(tables), None)
    chart = charts.get(name) if name else next(iter(made.charts), None)
    if form in FORMS and chart is not None and available():
        return Rendered(pack_bytes(draw(chart, form)), FORMS[form])
    if form in FORMS or table is None:
        what = "chart" if form in FORMS else "table"
        known = ", ".join(charts if form in FORMS else named) or "none"
        raise NotFound(f"{path} has no {what} {name!r} here; it has: {known}")
    words = re.findall(r"\w+", " ".join([*(values or [path]), name])) or ["index"]
    saved = f"{'-'.join(words)}.{form}" if form in _SAVED else None
    return Rendered(pack_bytes(_table(table, form)), _MEDIA_TYPES[form], saved)


def _table(table: Table, form: str) -> bytes:
    if form == "parquet":
        return to_parquet(table)
    return (to_csv(table) if form == "csv" else to_json(table)).encode()


def send_form(
    rendered: Rendered, asked: Mapping[bytes, bytes]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body for a request with the headers `asked`."""
    status, headers, body = packed.answer(rendered.packed, rendered.media_type, asked)
    if rendered.filename is not None:
        disposition = f'attachment; filename="{rendered.filename}"'
        headers.append((b"content-disposition", disposition.encode()))
    return status, headers, body
