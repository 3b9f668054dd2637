"""The one list of public pages: everybody may see them, and nothing on them depends on who asks.

Each page has its twins without another word: PAGE.csv, .json and .parquet give its first table,
PAGE/NAME and such a suffix another table, or the data of a chart; PAGE/NAME.svg, .png and .vl.json
are the chart, /embed/PAGE/NAME is it alone, to stand in a frame on another site, and /card/PAGE.png
is the picture that other sites show beside a link. `/` is `/index` in all of these. All take the
page's query. Routes, snapshots and the test that walks all of them come from this list.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

from sqlalchemy.orm import Session

from datacomp_leaderboard.charting.drawing import FORMS
from datacomp_server.audit import log
from datacomp_server.boards import comparing, facts, home, outside, service, submissions
from datacomp_server.boards.data import Source, Version
from datacomp_server.boards.made import CARD, EMBED, FOR_TABLES, Made, Query, View
from datacomp_server.docs import made as docs
from datacomp_server.jobs import job_page, queue_page

Make = Callable[[Source, Mapping[str, str], Query], Made]

PAGES: dict[str, Make] = {
    "/": home.home,
    "/b/{scale}": service.board,
    "/queue": queue_page.queue,
    "/j/{job_id}": job_page.job,
    "/log": log.event_log,
    "/docs": docs.docs,
    "/docs/rules": docs.rules,
    "/docs/methods": docs.methods,
    "/docs/submit": docs.submit,
    "/docs/api": docs.api,
    "/feed.atom": home.feed,
    "/badge/{id}.svg": outside.badge,
    "/embed/b/{scale}": outside.framed,
    "/scaling": facts.scaling,
    "/t": facts.tasks,
    "/t/{task:path}": facts.task,
    "/compare": comparing.compare,
    "/s/{submission_id}": submissions.submission,
}
VERSIONS: dict[str, Callable[[Session, Mapping[str, str]], Version]] = {
    "/queue": queue_page.version,
    "/j/{job_id}": job_page.version,
    "/log": log.version,
    "/": home.home_version,
    "/feed.atom": home.feed_version,
    "/s/{submission_id}": submissions.version,
}
"""Of pages that show more than boards do: what changes with that, by pattern."""

_SUFFIXES = sorted((*FORMS, *FOR_TABLES), key=len, reverse=True)
_ROOT = "/index"
EMBEDS, CARDS = "/embed/", "/card/"


def patterns() -> list[str]:
    """The patterns of the routes, of pages and twins, in the order in which they are to match."""
    return [
        route
        for page in PAGES
        for base in (_ROOT if page == "/" else page,)
        for route in (f"{base}/{{name}}.{{form}}", f"{base}.{{form}}", page)
    ] + [f"{EMBEDS}{{address:path}}", f"{CARDS}{{address:path}}"]


def match(path: str) -> tuple[str, Mapping[str, str]] | None:
    """The pattern of the page at a path, and its parameters."""
    for pattern in PAGES:
        if found := _compiled(pattern).fullmatch(path):
            return pattern, found.groupdict()
    return None


def views_of(path: str, query: Query) -> list[View]:
    """What an address may mean, what is likelier first; nothing if there is no such page."""
    if path.startswith(EMBEDS) and not match(path):  # a board in a frame is a page of its own
        base, _, name = path.removeprefix(EMBEDS[:-1]).rpartition("/")
        return [View(_page(base), query, f"{name}.{EMBED}")] if match(_page(base)) else []
    if path.startswith(CARDS):
        page = _page(path.removeprefix(CARDS[:-1]).removesuffix(".png"))
        return [View(page, query, CARD)] if path.endswith(".png") and match(page) else []
    form = next((one for one in _SUFFIXES if path.endswith("." + one)), None)
    if form is None:
        return [View(path, query)] if match(path) else []
    page = path[: -len(form) - 1]
    base, _, name = page.rpartition("/")
    meant = [View(_page(page), query, form), View(_page(base), query, f"{name}.{form}")]
    # a page whose own address ends like a twin's comes last: a badge
    meant = [view for view in meant if view.path and match(view.path)]
    return meant or ([View(path, query)] if match(path) else [])


def _page(path: str) -> str:
    return "/" if path == _ROOT else "" if path == "/" else path


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    text = re.sub(r"\\{(\w+)(:path)?\\}", _parameter, re.escape(pattern))
    return re.compile(text)


def _parameter(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>.+)" if found[2] else f"(?P<{found[1]}>[^/]+)"
