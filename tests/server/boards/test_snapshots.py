"""Boards that are kept: who gets an old one, how old, and what is sent of it."""

import asyncio
import gzip
from contextlib import closing, contextmanager

import pytest

from datacomp_server.boards import snapshots
from datacomp_server.boards.rendering import Rendered, View
from datacomp_server.boards.snapshots import OLDEST_SECONDS, Snapshots
from datacomp_server.kit.errors import NotFound
from datacomp_server.kit.packed import JSON, Packed

TINY = View("tiny")


class Timer:
    """The time by which ages are counted; it stands unless a test moves it."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@contextmanager
def counting(monkeypatch, database):
    """Snapshots whose views are numbers: how often something was rendered before."""
    timer, versions, rendered = Timer(), [0], []
    kept = Snapshots(database, seconds=1, timer=timer)

    def render(view):
        rendered.append(view)
        return Rendered({JSON: Packed(b"", str(len(rendered)))}, {})

    monkeypatch.setattr(kept, "_render_here", render)
    monkeypatch.setattr(kept, "_version", lambda: (versions[0],))
    with closing(kept):
        yield kept, versions, rendered, timer


async def shown(kept, view=TINY):
    return int((await kept.get(view)).forms[JSON].etag)


async def settled(kept):
    await asyncio.gather(*kept._tasks.values())


def test_a_view_is_rendered_when_what_it_shows_has_changed(monkeypatch, database):
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

    with counting(monkeypatch, database) as (kept, versions, _, timer):
        asyncio.run(visits(kept, versions, timer))


def test_nobody_gets_a_view_older_than_the_limit(monkeypatch, database):
    async def visits(kept, versions, timer):
        assert await shown(kept) == 1
        versions[0] += 1
        timer.now += OLDEST_SECONDS
        assert await shown(kept) == 2

    with counting(monkeypatch, database) as (kept, versions, _, timer):
        asyncio.run(visits(kept, versions, timer))


def test_many_visitors_of_a_new_view_cost_one_rendering(monkeypatch, database):
    async def visits(kept):
        assert await asyncio.gather(*(shown(kept) for _ in range(50))) == [1] * 50

    with counting(monkeypatch, database) as (kept, _, rendered, _):
        asyncio.run(visits(kept))
    assert rendered == [TINY]


def test_the_least_seen_views_are_dropped(monkeypatch, database):
    monkeypatch.setattr(snapshots, "_MAX_VIEWS", 3)

    async def visits(kept):
        for sort in "abcda":
            await shown(kept, View("tiny", sort))

    with counting(monkeypatch, database) as (kept, _, rendered, _):
        asyncio.run(visits(kept))
        assert [view.sort for view in rendered] == ["a", "b", "c", "d", "a"]
        assert len(kept._kept) == 3


def test_an_error_is_everybodys_and_is_not_kept(service):
    async def visits(kept):
        for _ in range(2):
            with pytest.raises(NotFound):
                await kept.get(View("gigantic"))

    with closing(Snapshots(service.context.database, seconds=1)) as kept:
        asyncio.run(visits(kept))


def test_a_helper_renders_what_has_changed(service, make_report):
    async def visits(kept):
        assert b"mine" not in (await kept.get(TINY)).forms[JSON].body()
        await asyncio.to_thread(service.submit, make_report())
        timer.now += OLDEST_SECONDS
        assert b"mine" in (await kept.get(TINY)).forms[JSON].body()

    timer = Timer()
    with closing(Snapshots(service.context.database, seconds=1, helper=True, timer=timer)) as kept:
        asyncio.run(visits(kept))


@pytest.mark.parametrize("path", ["/", "/b/tiny", "/b/tiny.csv", "/api/v1/boards/tiny"])
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
