"""The worker's folder: its key, and the cache."""

import os
from types import SimpleNamespace

import pytest

from datacomp.worker.cache import Cache
from datacomp.worker.state import State
from support.workers import SUBSET, Service, lease, sha256, weights


def test_the_key_is_the_owners_alone(tmp_path):
    state = State(tmp_path)
    first = state.key()

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert state.key() == first


def test_what_is_in_the_cache_is_not_fetched(make_agent):
    service = Service(lease(), lease(lease_id="M" * 26, job_id="K" * 26))
    fetched = []
    service.fetch = lambda lease_id, role, path, size: fetched.append(path.write_bytes(SUBSET))
    make_agent(service, weights).run()

    assert len(fetched) == 1
    assert len(service.finished) == 2


def test_the_cache_keeps_what_was_used_last(tmp_path):
    cache = Cache(tmp_path / "cache", 10)
    for n, data in enumerate((b"aaaaa", b"bbbbb", b"ccccc")):
        path = cache.get(sha256(data), lambda part, data=data: part.write_bytes(data))
        os.utime(path, (n, n))
    cache.prune()

    assert {path.read_bytes() for path in cache.folder.iterdir()} == {b"bbbbb", b"ccccc"}


def test_a_file_that_goes_while_the_cache_is_cleaned_is_no_news(tmp_path):
    (tmp_path / "a.part").symlink_to(tmp_path / "gone")

    Cache(tmp_path, 0).prune()


def test_room_is_made_of_what_is_only_kept(make_agent, monkeypatch):
    site = make_agent(Service(), weights).site
    kept = site.state.root / "jobs" / ("K" * 26) / "work"
    kept.mkdir(parents=True)
    live = site.state.begin(lease())
    site.cache.get(sha256(SUBSET), lambda part: part.write_bytes(SUBSET))
    (site.cache.folder / "x.part").touch()
    free = [5, 5, 100]
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free.pop(0)))
    site.demand_room(100)

    assert not kept.exists()
    assert live.exists()
    assert [path.name for path in site.cache.folder.iterdir()] == ["x.part"]


def test_a_full_disk_is_this_machines_fault(make_agent, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=3))
    service = Service(lease())
    agent = make_agent(service, weights)
    agent.run()

    (finish,) = service.finished
    assert finish.fault == "infrastructure"
    assert "3 are free" in finish.detail
    assert agent.executor.starts == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"job_id": "../.."}'])
def test_an_attempt_that_cannot_be_read_is_removed(tmp_path, text):
    state = State(tmp_path)
    good = state.begin(lease())
    bad = tmp_path / "jobs" / ("B" * 26) / ("C" * 26)
    bad.mkdir(parents=True)
    (bad / "lease.json").write_text(text)

    assert state.unfinished() == [(lease(), good)]
    assert not bad.exists()
