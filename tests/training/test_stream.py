"""Batches of tars that are read in sequence: what they hold, and what stops them."""

import hashlib
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from datacomp.errors import TrainingError
from datacomp.pool import Pool
from datacomp.pool.folder import Folder
from datacomp.subset import format_uids
from datacomp.training import (
    OnError,
    Recipe,
    stream,
    tars,
)
from datacomp.training import data as training_data
from datacomp.training.sources import (
    origin_of_sources,
)

pytestmark = pytest.mark.usefixtures("cache")


def test_batches_do_not_depend_on_processes_threads_or_restarts(
    tar_lab: Any, made: Path, sequential: Recipe
) -> None:
    data = tar_lab.data(made)
    expected = tar_lab.digest(data.batches(sequential, 5, 0, 1))
    assert len(set(expected)) == sequential.steps
    for world, threads in ((1, 4), (2, 1), (4, 4)):
        parts = [list(data.batches(sequential, 5, 0, threads, (r, world))) for r in range(world)]
        assert tar_lab.digest(tar_lab.whole(parts)) == expected
    for start in range(1, sequential.steps):
        assert tar_lab.digest(data.batches(sequential, 5, start, 2)) == expected[start:]
    assert tar_lab.digest(data.batches(sequential, 6, 0, 1))[0] != expected[0]


def test_an_epoch_shows_every_sample_once(
    tar_lab: Any, made: Path, pool: Pool, sequential: Recipe
) -> None:
    samples = pool.samples()
    every = Counter(samples.read(i).caption for i in range(len(samples)))
    epoch = replace(sequential, samples_seen=len(samples) // 32 * 32)
    found = Counter(c for b in tar_lab.data(made).batches(epoch, 0, 0, 1) for c in b.captions)
    assert found.total() == len(samples) // 32 * 32
    assert found <= every


def test_the_first_batches_hash_the_uids_that_are_read(
    tar_lab: Any, made: Path, pool: Pool, sequential: Recipe
) -> None:
    data, samples = tar_lab.data(made), pool.samples()
    keys: dict[tuple[int, int], str] = {}
    for number, path in enumerate(sorted(made.glob("*.tar"))):
        with tarfile.open(path) as tar:
            names = [name for name in tar.getnames() if name.endswith(".txt")]
        keys |= {(number, row): name[:32] for row, name in enumerate(names)}
    caption = {uid: samples.read(i).caption for i, uid in enumerate(format_uids(samples.uids))}
    mixture = data.mixture(sequential, 9)
    for step, (batch, stated) in enumerate(
        zip(data.batches(sequential, 9, 0, 1), data.first_batches(sequential, 9), strict=False)
    ):
        windows = [(mixture.orders[0].window(r.key), r.place) for r in mixture.rows(step, 0, 32)]
        uids = [keys[int(w.shards[w.order[p]]), int(w.rows[w.order[p]])] for w, p in windows]
        assert [caption[uid] for uid in uids] == list(batch.captions)
        packed = b"".join(
            int(uid[half : half + 16], 16).to_bytes(8, "little") for uid in uids for half in (0, 16)
        )
        assert hashlib.sha256(packed).hexdigest() == stated


def test_a_store_gives_what_the_disk_gives(
    tar_lab: Any, made: Path, sequential: Recipe, tmp_path: Path
) -> None:
    memory = fsspec.filesystem("memory")
    loose = tar_lab.plain(tmp_path / "loose", tar_lab.loose(20))
    try:
        memory.put(str(made), "/shards", recursive=True)
        memory.put(str(loose), "/loose", recursive=True)
        local, remote = (
            tar_lab.data(made, f"{loose}=3"),
            tar_lab.data("memory://shards", "memory://loose=3"),
        )
        assert tar_lab.digest(remote.batches(sequential, 1, 0, 2)) == tar_lab.digest(
            local.batches(sequential, 1, 0, 2)
        )
        assert origin_of_sources(remote.sources) == origin_of_sources(local.sources)
    finally:
        memory.rm("/", recursive=True)


def test_windows_too_large_for_memory_are_read_by_sample(
    tar_lab: Any, made: Path, sequential: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tar_lab.data(made)
    expected = tar_lab.digest(data.batches(sequential, 5, 0, 1))
    monkeypatch.setattr(stream, "WINDOW_BYTES", 8)
    assert tar_lab.digest(data.batches(sequential, 5, 0, 1)) == expected


def test_memory_holds_windows_not_the_data(
    tar_lab: Any, made: Path, sequential: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched and not forgotten, at its most, while every tar is read several times."""
    loaded, most = set[int](), 0
    real = stream._Loaded.__init__

    def init(self: Any, *arguments: Any) -> None:
        nonlocal most
        real(self, *arguments)
        loaded.add(id(self))
        most = max(most, len(loaded))

    monkeypatch.setattr(stream._Loaded, "__init__", init)
    monkeypatch.setattr(
        stream._Loaded, "__del__", lambda self: loaded.discard(id(self)), raising=False
    )
    data = tar_lab.data(made)
    long = replace(sequential, samples_seen=32 * 60)
    assert sum(len(batch.captions) for batch in data.batches(long, 0, 0, 1)) == 32 * 60
    assert most <= 3 * data.mixture(long, 0).orders[0].lanes
    assert not loaded


def test_a_batch_has_its_share_of_each_source(
    tar_lab: Any, made: Path, sequential: Recipe, tmp_path: Path
) -> None:
    loose = tar_lab.plain(tmp_path / "loose", tar_lab.loose(20))
    data = tar_lab.data(made, f"{loose}=2")
    counts = [
        sum(caption.startswith("loose") for caption in batch.captions)
        for batch in data.batches(sequential, 0, 0, 1)
    ]
    assert set(counts) <= {21, 22}
    assert abs(sum(counts) - 320 * 2 / 3) < 1


def test_a_tar_of_another_reshard_is_named(tar_lab: Any, shards: Path, sequential: Recipe) -> None:
    tar, other = shards / "00000001.tar", shards / "00000002.tar"
    content = tar.read_bytes()
    tar.write_bytes(other.read_bytes()[: len(content)].ljust(len(content), b"\0"))
    data = tar_lab.data(shards)
    with pytest.raises(TrainingError, match=r"00000001\.tar is not the tar that was indexed"):
        list(data.batches(sequential, 0, 0, 1))


def test_a_tar_that_is_cut_is_named(tar_lab: Any, shards: Path, sequential: Recipe) -> None:
    data = tar_lab.data(shards)
    (shards / "00000003.tar").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"00000003\.tar is not .* it ends at byte"):
        list(data.batches(sequential, 0, 0, 1))


def test_a_read_that_fails_is_tried_again(
    tar_lab: Any, made: Path, sequential: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(made), "/shards", recursive=True)
    monkeypatch.setattr(tars, "RETRY_SECONDS", (0, 0))
    real, failures = Folder.read_range, 0
    try:
        data = tar_lab.data("memory://shards")
        expected = tar_lab.digest(data.batches(sequential, 0, 0, 1))

        def fails_twice(folder: Folder, path: str, offset: int, size: int) -> bytes:
            nonlocal failures
            failures += 1
            if failures % 3:
                raise RuntimeError("slow down")
            return real(folder, path, offset, size)

        monkeypatch.setattr(Folder, "read_range", fails_twice)
        monkeypatch.setattr(stream, "READERS_REMOTE", 1)
        assert tar_lab.digest(data.batches(sequential, 0, 0, 1)) == expected

        def always(*_: Any) -> bytes:
            raise RuntimeError("no route")

        monkeypatch.setattr(Folder, "read_range", always)
        with pytest.raises(TrainingError, match=r"shards/.* after 3 tries: no route"):
            next(data.batches(sequential, 0, 0, 1))
    finally:
        memory.rm("/", recursive=True)


@pytest.fixture
def broken(tar_lab: Any, tmp_path: Path) -> Path:
    """A hundred samples of which ten are no pictures, and one has no caption."""
    rows = tar_lab.loose(100)
    for i in range(0, 100, 10):
        rows[f"{i:05d}"]["png"] = b"no picture"
    del rows["00055"]["txt"]
    return tar_lab.plain(tmp_path / "broken", rows)


def test_a_broken_sample_stops_and_is_named(tar_lab: Any, broken: Path, sequential: Recipe) -> None:
    with pytest.raises(TrainingError, match=r"0\.tar.*sample '000.*--on-error skip"):
        list(tar_lab.data(broken).batches(sequential, 0, 0, 1))


def test_broken_samples_are_replaced_alike_by_any_number_of_processes(
    tar_lab: Any, broken: Path, sequential: Recipe
) -> None:
    data = tar_lab.data(broken, on_error=OnError.SKIP)
    expected = tar_lab.digest(data.batches(sequential, 0, 0, 1))
    assert len(data.broken) == 11
    parts = [list(data.batches(sequential, 0, 3, 2, (r, 4))) for r in range(4)]
    assert tar_lab.digest(tar_lab.whole(parts)) == expected[3:]


def test_where_all_is_broken_no_end_is_waited_for(
    tar_lab: Any, tmp_path: Path, sequential: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_data, "MAX_REPLACEMENTS", 5)
    rows = {str(i): {"jpg": b"x", "txt": b"t"} for i in range(8)}
    data = tar_lab.data(tar_lab.plain(tmp_path / "rows", rows), on_error=OnError.SKIP)
    with pytest.raises(TrainingError, match="5 samples drawn in a row are broken"):
        next(data.batches(sequential, 0, 0, 1))
