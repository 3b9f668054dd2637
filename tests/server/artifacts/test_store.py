"""The stores, folder and S3 alike: content is found by its hash, whole, or is not there."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from datacomp_server.artifacts.object_store import ObjectStore
from datacomp_server.artifacts.serving import artifact_response
from datacomp_server.artifacts.store import FolderStore
from datacomp_server.kit.errors import NotFound, Refused

DATA = b"some content"
SHA256 = hashlib.sha256(DATA).hexdigest()
SOON = timedelta(hours=1)


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path / "artifacts")
    url = f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    return ObjectStore(url, scratch=tmp_path / "scratch")


def test_content_is_found_by_its_hash(store):
    assert store.put_bytes(DATA) == SHA256

    assert store.read_bytes(SHA256) == DATA
    assert store.size(SHA256) == len(DATA)
    with store.open(SHA256) as file:
        file.seek(5)
        assert file.read() == DATA[5:]
    with store.local(SHA256) as path:
        assert path.read_bytes() == DATA


def test_a_file_is_put_and_stays(store, tmp_path):
    path = tmp_path / "part"
    path.write_bytes(DATA)

    store.put_file(path, SHA256)
    store.put_file(path, SHA256)

    assert store.read_bytes(SHA256) == DATA
    assert path.read_bytes() == DATA


def test_the_same_content_is_stored_once(store):
    assert store.put_bytes(DATA) == store.put_bytes(DATA) == SHA256
    assert list(store.names()) == [SHA256]


def test_removed_unless_put_lately(store):
    store.put_bytes(DATA)
    now = datetime.now(UTC)

    assert not store.remove(SHA256, put_before=now - SOON)
    assert store.read_bytes(SHA256) == DATA
    assert store.remove(SHA256, put_before=now + SOON)
    assert not store.remove(SHA256, put_before=now + SOON)
    assert list(store.names()) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "", "0" * 63, "٠" * 64])
def test_only_a_hash_names_an_artifact(store, name):
    with pytest.raises(Refused):
        store.open(name)


def test_absent_content(store):
    for ask in (store.size, store.open, store.read_bytes):
        with pytest.raises(NotFound):
            ask("0" * 64)
    with pytest.raises(NotFound), store.local("0" * 64):
        pass


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        (None, 200, DATA),
        ("bytes=0-3", 206, b"some"),
        ("bytes=5-", 206, b"content"),
        ("bytes=-3", 206, b"ent"),
        ("bytes=-99", 200, DATA),
        ("bytes=5-99", 206, b"content"),
        ("bytes=12-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=3-1", 200, DATA),
        ("bytes=0-1,4-5", 200, DATA),
        ("lines=0-1", 200, DATA),
    ],
)
def test_ranges(store, asked, status, content):
    store.put_bytes(DATA)
    answer = artifact_response(store, SHA256, filename="a.bin", range_header=asked)

    async def body():
        if status == 416:
            return answer.body
        return b"".join([piece async for piece in answer.body_iterator])

    assert answer.status_code == status
    assert asyncio.run(body()) == content
