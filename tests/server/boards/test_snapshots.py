"""Boards that are kept: who gets an old one, how old, and what is sent of it."""

import asyncio
import gzip
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest

from datacomp_server.boards import snapshots
from datacomp_server.boards.made import View
from datacomp_server.boards.rendering import Rendered, Workroom
from datacomp_server.boards.snapshots import OLDEST_SECONDS, Snapshots
from datacomp_server.kit.errors import NotFound
from datacomp_server.kit.packed import HTML, Packed

TINY = View("/b/tiny")


class Timer:
    """The time by which ages are counted; it stands unless a test moves it."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@contextmanager
def counting(monkeypatch):
    """Snapshots whose views are numbers: how often something was rendered before."""
    timer, versions, rendered = Timer(), [0], []

    def render(view, version):
        rendered.append(view)
        return Rendered(Packed(b"", str(len(rendered))), HTML)

    kept = Snapshots(SimpleNamespace(render=render), seconds=1, timer=timer)
    monkeypatch.setattr(kept, "_version", lambda view: ((versions[0],), ()))
    with closing(kept):
        yield kept, versions, rendered, timer


def workroom(service):
    context = service.context
    return Workroom(context.database, context.artifacts, context.settings)


async def shown(kept, view=TINY):
    return int((await kept.get(view)).packed.etag)


async def settled(kept):
    await asyncio.gather(*kept._tasks.values())


def test_a_view_is_rendered_when_what_it_shows_has_changed(monkeypatch):
    async def visits(kept, versions, timer):
        assert await shown(kept) == 1
        versions[0] += 1
        assert await shown(kept) == 1  # within the second nobody asks the database
        timer.now += 1.5
        assert await shown(kept) == 1  # as it was, while it is made anew
        await settled(kept)
        assert await shown(kept) == 2
        timer.now += 1.5
        assert await shown(kept) == 2
        await settled(kept)
        assert await shown(kept) == 2  # nothing has changed

    with counting(monkeypatch) as (kept, versions, _, timer):
        asyncio.run(visits(kept, versions, timer))


def test_nobody_gets_a_view_older_than_the_limit(monkeypatch):
    async def visits(kept, versions, timer):
        assert await shown(kept) == 1
        versions[0] += 1
        timer.now += OLDEST_SECONDS
        assert await shown(kept) == 2

    with counting(monkeypatch) as (kept, versions, _, timer):
        asyncio.run(visits(kept, versions, timer))


def test_many_visitors_of_a_new_view_cost_one_rendering(monkeypatch):
    async def visits(kept):
        assert await asyncio.gather(*(shown(kept) for _ in range(50))) == [1] * 50

    with counting(monkeypatch) as (kept, _, rendered, _):
        asyncio.run(visits(kept))
    assert rendered == [TINY]


def test_the_least_seen_views_are_dropped(monkeypatch):
    monkeypatch.setattr(snapshots, "_MAX_VIEWS", 3)

    async def visits(kept):
        for sort in "abcda":
            await shown(kept, View("/b/tiny", (("sort", sort),)))

    with counting(monkeypatch) as (kept, _, rendered, _):
        asyncio.run(visits(kept))
        assert [view.query[0][1] for view in rendered] == ["a", "b", "c", "d", "a"]
        assert len(kept._kept) == 3


def test_an_error_is_everybodys_and_is_not_kept(service):
    async def visits(kept):
        for _ in range(2):
            with pytest.raises(NotFound):
                await kept.get(View("/b/gigantic"))

    with closing(Snapshots(workroom(service), seconds=1)) as kept:
        asyncio.run(visits(kept))


def test_a_helper_renders_what_has_changed(service, make_report):
    async def visits(kept):
        assert b"mine" not in (await kept.get(TINY)).packed.body()
        await asyncio.to_thread(service.submit, make_report())
        timer.now += OLDEST_SECONDS
        assert b"mine" in (await kept.get(TINY)).packed.body()

    timer = Timer()
    with closing(Snapshots(workroom(service), seconds=1, helper=True, timer=timer)) as kept:
        asyncio.run(visits(kept))


@pytest.mark.parametrize(
    "path", ["/", "/b/tiny", "/b/tiny.csv", "/b/tiny.json", "/api/v1/boards/tiny"]
)
class TestAnswers:
    def test_unchanged_is_said_in_few_words(self, service, path):
        first = service.http.get(path)
        again = service.http.get(path, headers={"If-None-Match": first.headers["etag"]})

        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["vary"] == "Accept-Encoding"

    def test_compressed_only_for_who_can_read_it(self, service, path):
        plain = service.http.get(path, headers={"Accept-Encoding": "identity"})
        with service.http.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
            sent = b"".join(packed.iter_raw())

        assert "content-encoding" not in plain.headers
        assert gzip.decompress(sent) == plain.content


def test_a_new_submission_changes_the_etag(service, make_report):
    before = service.http.get("/b/tiny").headers["etag"]
    service.submit(make_report())

    assert service.http.get("/b/tiny", headers={"If-None-Match": before}).status_code == 200
