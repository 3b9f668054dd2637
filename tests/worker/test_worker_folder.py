"""The worker's folder: its key, and the cache."""

import os

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
    service.fetch = lambda lease_id, role, path: fetched.append(path.write_bytes(SUBSET))
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
