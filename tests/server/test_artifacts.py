"""The store: content is what was declared, or nothing is kept."""

import hashlib

import pytest

from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.kit.errors import NotFound, Refused, TooLarge

DATA = b"some content"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts", limit=100)


def files(store):
    return [path for path in store.folder.rglob("*") if path.is_file()]


def test_content_is_found_by_its_hash(store):
    store.put([DATA[:5], DATA[5:]], sha256=SHA256, size=len(DATA))

    assert store.path(SHA256).read_bytes() == DATA


def test_the_same_content_is_stored_once(store):
    assert store.put_bytes(DATA) == store.put_bytes(DATA) == SHA256
    assert len(files(store)) == 1


@pytest.mark.parametrize("chunks", [[DATA, b"more"], [DATA[:3]], [DATA[::-1]]])
def test_other_content_than_declared_leaves_nothing(store, chunks):
    with pytest.raises(Refused):
        store.put(chunks, sha256=SHA256, size=len(DATA))
    assert files(store) == []


def test_a_size_over_the_limit_is_refused_before_reading(store):
    def chunks():
        raise AssertionError("was read")
        yield b""

    with pytest.raises(TooLarge, match="101"):
        store.put(chunks(), sha256=SHA256, size=101)


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "", "0" * 63])
def test_only_a_hash_names_an_artifact(store, name):
    with pytest.raises(Refused):
        store.path(name)


def test_absent_content(store):
    with pytest.raises(NotFound):
        store.path("0" * 64)
