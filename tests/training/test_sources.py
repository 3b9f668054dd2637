"""Reading tars in sequence: what batches hold, what a source is, and what goes wrong."""

import hashlib
import io
import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from typer.testing import CliRunner

from datacomp.cli.main import app
from datacomp.errors import DatacompError, TrainingError, UsageError
from datacomp.evaluation.run import provenance_of
from datacomp.pool import Pool, open_pool
from datacomp.pool.folder import Folder
from datacomp.shards import Layout, reshard
from datacomp.subset import format_uids
from datacomp.training import (
    OnError,
    Recipe,
    RunRecord,
    Systems,
    load_scale,
    read_run,
    stream,
    tar_index,
    tars,
    train,
    train_on,
    whole_pool,
)
from datacomp.training import data as training_data
from datacomp.training.data import Batch
from datacomp.training.sources import (
    SourceSpec,
    WeightedSource,
    open_sources,
    origin_of_sources,
    parse_source,
)
from datacomp.training.stream import SequentialData
from datacomp.training.tars import open_source

CliResult = Any


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATACOMP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tars"


@pytest.fixture(scope="module")
def made(pool_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the pool as tars of 40, with their hashes; do not write to it."""
    folder = tmp_path_factory.mktemp("made") / "shards"
    pool = open_pool(str(pool_folder))
    reshard(pool, whole_pool(pool), folder, layout=Layout(samples_per_shard=40), sha256=True)
    return folder


@pytest.fixture
def shards(made: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(made, tmp_path / "shards"))


@pytest.fixture
def recipe() -> Recipe:
    """Ten steps of 32 pairs, more than an epoch."""
    smoke = load_scale("smoke", "sequential")
    return replace(smoke, samples_seen=320, global_batch_size=32, warmup_steps=2)


def plain(folder: Path, rows: dict[str, dict[str, bytes]], name: str = "0.tar") -> Path:
    """A tar of other making: its samples by key, their members by suffix."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / name, "w") as tar:
        for key, members in rows.items():
            for suffix, data in members.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return folder


def data_of(*urls: Path | str, on_error: OnError = OnError.STOP) -> SequentialData:
    sources = open_sources([parse_source(str(url)) for url in urls])
    return SequentialData(sources, on_error=on_error)


def digest(batches: Iterator[Batch] | list[Batch]) -> list[str]:
    return [
        hashlib.sha256(each.pixels.tobytes() + "\n".join(each.captions).encode()).hexdigest()
        for each in batches
    ]


def whole(parts: list[list[Batch]]) -> list[Batch]:
    return [
        Batch(np.concatenate([b.pixels for b in same]), sum((b.captions for b in same), ()))
        for same in zip(*parts, strict=True)
    ]


# --- What batches hold


def test_batches_do_not_depend_on_processes_threads_or_restarts(made: Path, recipe: Recipe) -> None:
    data = data_of(made)
    expected = digest(data.batches(recipe, 5, 0, 1))
    assert len(set(expected)) == recipe.steps
    for world, threads in ((1, 4), (2, 1), (4, 4)):
        parts = [list(data.batches(recipe, 5, 0, threads, (r, world))) for r in range(world)]
        assert digest(whole(parts)) == expected
    for start in range(1, recipe.steps):
        assert digest(data.batches(recipe, 5, start, 2)) == expected[start:]
    assert digest(data.batches(recipe, 6, 0, 1))[0] != expected[0]


def test_an_epoch_shows_every_sample_once(made: Path, pool: Pool, recipe: Recipe) -> None:
    samples = pool.samples()
    every = Counter(samples.read(i).caption for i in range(len(samples)))
    epoch = replace(recipe, samples_seen=len(samples) // 32 * 32)
    found = Counter(c for b in data_of(made).batches(epoch, 0, 0, 1) for c in b.captions)
    assert found.total() == len(samples) // 32 * 32
    assert found <= every


def test_the_first_batches_hash_the_uids_that_are_read(
    made: Path, pool: Pool, recipe: Recipe
) -> None:
    data, samples = data_of(made), pool.samples()
    keys: dict[tuple[int, int], str] = {}
    for number, path in enumerate(sorted(made.glob("*.tar"))):
        with tarfile.open(path) as tar:
            names = [name for name in tar.getnames() if name.endswith(".txt")]
        keys |= {(number, row): name[:32] for row, name in enumerate(names)}
    caption = {uid: samples.read(i).caption for i, uid in enumerate(format_uids(samples.uids))}
    mixture = data.mixture(recipe, 9)
    for step, (batch, stated) in enumerate(
        zip(data.batches(recipe, 9, 0, 1), data.first_batches(recipe, 9), strict=False)
    ):
        windows = [(mixture.orders[0].window(r.key), r.place) for r in mixture.rows(step, 0, 32)]
        uids = [keys[int(w.shards[w.order[p]]), int(w.rows[w.order[p]])] for w, p in windows]
        assert [caption[uid] for uid in uids] == list(batch.captions)
        packed = b"".join(
            int(uid[half : half + 16], 16).to_bytes(8, "little") for uid in uids for half in (0, 16)
        )
        assert hashlib.sha256(packed).hexdigest() == stated


def test_a_store_gives_what_the_disk_gives(made: Path, recipe: Recipe, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    loose = plain(tmp_path / "loose", _loose(20))
    try:
        memory.put(str(made), "/shards", recursive=True)
        memory.put(str(loose), "/loose", recursive=True)
        local, remote = data_of(made, f"{loose}=3"), data_of("memory://shards", "memory://loose=3")
        assert digest(remote.batches(recipe, 1, 0, 2)) == digest(local.batches(recipe, 1, 0, 2))
        assert origin_of_sources(remote.sources) == origin_of_sources(local.sources)
    finally:
        memory.rm("/", recursive=True)


def test_windows_too_large_for_memory_are_read_by_sample(
    made: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_of(made)
    expected = digest(data.batches(recipe, 5, 0, 1))
    monkeypatch.setattr(stream, "WINDOW_BYTES", 8)
    assert digest(data.batches(recipe, 5, 0, 1)) == expected


def test_memory_holds_windows_not_the_data(
    made: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
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
    data = data_of(made)
    long = replace(recipe, samples_seen=32 * 60)
    assert sum(len(batch.captions) for batch in data.batches(long, 0, 0, 1)) == 32 * 60
    assert most <= 3 * data.mixture(long, 0).orders[0].lanes
    assert not loaded


# --- Weights


def test_a_batch_has_its_share_of_each_source(made: Path, recipe: Recipe, tmp_path: Path) -> None:
    loose = plain(tmp_path / "loose", _loose(20))
    data = data_of(made, f"{loose}=2")
    counts = [
        sum(caption.startswith("loose") for caption in batch.captions)
        for batch in data.batches(recipe, 0, 0, 1)
    ]
    assert set(counts) <= {21, 22}
    assert abs(sum(counts) - 320 * 2 / 3) < 1


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("a/b", SourceSpec("a/b", 1)),
        ("a/b=2", SourceSpec("a/b", 2)),
        ("s3://b/x?v=7=0.5", SourceSpec("s3://b/x?v=7", 0.5)),
        ("s3://b/x?v=y", SourceSpec("s3://b/x?v=y", 1)),
    ],
)
def test_a_weight_stands_behind_the_last_sign(text: str, spec: SourceSpec) -> None:
    assert parse_source(text) == spec


def test_a_folder_named_like_a_weight_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "fraction=0.3").mkdir()
    text = str(tmp_path / "fraction=0.3")
    assert parse_source(text) == SourceSpec(text, 1)
    assert parse_source(f"{text}=2") == SourceSpec(text, 2)


def test_a_source_without_weight_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0, got 'a=0'"):
        parse_source("a=0")


# --- What a source is


def _loose(n: int) -> dict[str, dict[str, bytes]]:
    from PIL import Image

    rows = {}
    for i in range(n):
        buffer = io.BytesIO()
        Image.new("RGB", (40, 30), (i, 9 * i, 3)).save(buffer, "PNG")
        rows[f"{i:05d}"] = {"png": buffer.getvalue(), "txt": f"loose {i}".encode()}
    return rows


def test_all_of_a_subset_is_that_subset_of_its_pool(made: Path, pool: Pool) -> None:
    sources = open_sources([SourceSpec(str(made))])
    origin, dead_links = origin_of_sources(sources)
    manifest = pool.require_manifest()
    assert (origin.pool_id, origin.pool_size) == (manifest.pool_id, 300)
    assert (origin.subset.sha256, origin.subset.n) == (whole_pool(pool).sha256, 300)
    assert (dead_links, sources[0].source.n) == (3, 297)


def test_part_of_a_subset_is_named_by_its_tars(pool: Pool, tmp_path: Path) -> None:
    layout = Layout(first_shard=0, num_shards=1)
    reshard(pool, whole_pool(pool), tmp_path / "part", layout=layout)
    sources = open_sources([SourceSpec(str(tmp_path / "part"))])
    origin, dead_links = origin_of_sources(sources)
    n = sources[0].source.n
    assert origin.pool_id == f"sources-{origin.subset.sha256}"
    assert (origin.pool_size, origin.subset.n, origin.subset.n_unique) == (n, n, n)
    assert dead_links == 0


def test_neither_place_nor_turn_of_sources_matters(
    made: Path, shards: Path, recipe: Recipe, tmp_path: Path
) -> None:
    loose = plain(tmp_path / "loose", _loose(20))
    moved = shutil.copytree(loose, tmp_path / "moved")
    one, other = data_of(made, f"{loose}=3"), data_of(f"{moved}=6", f"{shards}=2")
    assert digest(one.batches(recipe, 0, 0, 1)) == digest(other.batches(recipe, 0, 0, 1))
    (a, _), (b, _) = origin_of_sources(one.sources), origin_of_sources(other.sources)
    assert (a.pool_id, a.subset.sha256) == (b.pool_id, b.subset.sha256)
    third, _ = origin_of_sources(data_of(made, f"{loose}=4").sources)
    assert third.pool_id != a.pool_id
    with pytest.raises(UsageError, match="hold the same tars"):
        data_of(made, shards)


def test_tars_of_any_making_are_indexed_once(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _loose(6)
    rows["00002"]["json"] = json.dumps({"uid": "AB" * 16}).encode()
    rows["none"] = {"txt": b"no picture"}
    folder = plain(tmp_path / "tars", rows)
    plain(folder, {f"x/{key}": members for key, members in _loose(3).items()}, "1.tar")
    source = open_source(str(folder))
    assert (source.counts.tolist(), source.without_picture) == ([6, 3], 1)
    uids = format_uids(source.places(0, 0, 6)[0])
    assert uids[2] == "ab" * 16
    assert len({*uids, *format_uids(source.places(1, 0, 3)[0])}) == 9
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".json", ".npy", ".npy"]

    monkeypatch.setattr(tar_index, "_walk", pytest.fail)
    assert open_source(str(folder)).sha256 == source.sha256
    monkeypatch.undo()
    monkeypatch.setenv("DATACOMP_CACHE", str(cache.parent))
    plain(folder, _loose(4), "1.tar")
    assert open_source(str(folder)).sha256 != source.sha256


def test_samples_are_unique_across_sources(tmp_path: Path) -> None:
    rows = _loose(9)
    for number, members in enumerate(rows.values()):
        members["json"] = json.dumps({"uid": f"{number:032x}"}).encode()
    first = plain(tmp_path / "a", dict(list(rows.items())[:6]))
    second = plain(tmp_path / "b", rows)
    origin, _ = origin_of_sources(data_of(first, second).sources)
    assert (origin.subset.n, origin.subset.n_unique, origin.pool_size) == (15, 9, 15)
    assert origin.subset.name in ("a+b", "b+a")


# --- What goes wrong


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: (f / "00000001.tar").unlink(), "00000001.tar is missing"),
        (lambda f: (f / "00000001_samples.npy").unlink(), "00000001_samples.npy is missing"),
        (lambda f: (f / "00000002.tar").write_bytes(b"x" * 512), "00000002.tar has 512 bytes"),
        (lambda f: (f / "9.tar").write_bytes(b""), "9.tar is not in shards.json"),
        (lambda f: (f / "shards.json").write_text("{"), "shards.json is not JSON"),
        (lambda f: (f / "shards.json").write_text("{}"), "of format None, expected"),
        (lambda f: (f / "shards.json").rename(f / ".reshard.jsonl"), "is not whole"),
    ],
)
def test_a_folder_that_is_not_what_was_written(
    shards: Path, damage: Callable[[Path], object], told: str
) -> None:
    damage(shards)
    with pytest.raises(TrainingError, match=told):
        open_source(str(shards))


def test_a_tar_of_another_reshard_is_named(shards: Path, recipe: Recipe) -> None:
    tar, other = shards / "00000001.tar", shards / "00000002.tar"
    content = tar.read_bytes()
    tar.write_bytes(other.read_bytes()[: len(content)].ljust(len(content), b"\0"))
    data = data_of(shards)
    with pytest.raises(TrainingError, match=r"00000001\.tar is not the tar that was indexed"):
        list(data.batches(recipe, 0, 0, 1))


def test_a_tar_that_is_cut_is_named(shards: Path, recipe: Recipe) -> None:
    data = data_of(shards)
    (shards / "00000003.tar").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"00000003\.tar is not .* it ends at byte"):
        list(data.batches(recipe, 0, 0, 1))


def test_tars_of_any_making_must_be_whole(tmp_path: Path) -> None:
    folder = plain(tmp_path / "tars", _loose(6))
    data = (folder / "0.tar").read_bytes()
    (folder / "0.tar").write_bytes(data[:4000])
    with pytest.raises(TrainingError, match=r"0\.tar ends .*samples before that are whole"):
        open_source(str(folder))


def test_a_folder_without_tars(tmp_path: Path, pool_folder: Path) -> None:
    with pytest.raises(TrainingError, match="there are no tars in"):
        open_source(str(tmp_path / "nowhere"))
    with pytest.raises(TrainingError, match="A pool's tars are in"):
        open_source(str(pool_folder))
    with pytest.raises(TrainingError, match="no sample with a picture"):
        open_source(str(plain(tmp_path / "texts", {"a": {"txt": b"x"}})))


def test_a_read_that_fails_is_tried_again(
    made: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(made), "/shards", recursive=True)
    monkeypatch.setattr(tars, "RETRY_SECONDS", (0, 0))
    real, failures = Folder.read_range, 0
    try:
        data = data_of("memory://shards")
        expected = digest(data.batches(recipe, 0, 0, 1))

        def fails_twice(folder: Folder, path: str, offset: int, size: int) -> bytes:
            nonlocal failures
            failures += 1
            if failures % 3:
                raise RuntimeError("slow down")
            return real(folder, path, offset, size)

        monkeypatch.setattr(Folder, "read_range", fails_twice)
        monkeypatch.setattr(stream, "READERS_REMOTE", 1)
        assert digest(data.batches(recipe, 0, 0, 1)) == expected

        def always(*_: Any) -> bytes:
            raise RuntimeError("no route")

        monkeypatch.setattr(Folder, "read_range", always)
        with pytest.raises(TrainingError, match=r"shards/.* after 3 tries: no route"):
            next(data.batches(recipe, 0, 0, 1))
    finally:
        memory.rm("/", recursive=True)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A hundred samples of which ten are no pictures, and one has no caption."""
    rows = _loose(100)
    for i in range(0, 100, 10):
        rows[f"{i:05d}"]["png"] = b"no picture"
    del rows["00055"]["txt"]
    return plain(tmp_path / "broken", rows)


def test_a_broken_sample_stops_and_is_named(broken: Path, recipe: Recipe) -> None:
    with pytest.raises(TrainingError, match=r"0\.tar.*sample '000.*--on-error skip"):
        list(data_of(broken).batches(recipe, 0, 0, 1))


def test_broken_samples_are_replaced_alike_by_any_number_of_processes(
    broken: Path, recipe: Recipe
) -> None:
    data = data_of(broken, on_error=OnError.SKIP)
    expected = digest(data.batches(recipe, 0, 0, 1))
    assert len(data.broken) == 11
    parts = [list(data.batches(recipe, 0, 3, 2, (r, 4))) for r in range(4)]
    assert digest(whole(parts)) == expected[3:]


def test_where_all_is_broken_no_end_is_waited_for(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_data, "MAX_REPLACEMENTS", 5)
    rows = {str(i): {"jpg": b"x", "txt": b"t"} for i in range(8)}
    data = data_of(plain(tmp_path / "rows", rows), on_error=OnError.SKIP)
    with pytest.raises(TrainingError, match="5 samples drawn in a row are broken"):
        next(data.batches(recipe, 0, 0, 1))


# --- Runs


class StopAfter:
    def __init__(self, samples: int) -> None:
        self.left = samples

    def advance(self, n: int = 1, note: str = "") -> None:
        self.left -= n
        if self.left <= 0:
            raise KeyboardInterrupt


def run(recipe: Recipe, data: SequentialData, folder: Path, **options: Any) -> RunRecord:
    origin, dead_links = origin_of_sources(data.sources)
    return train_on(recipe, replace(data, dead_links=dead_links), origin, folder, **options)


def test_a_run_that_is_stopped_ends_with_the_same_bytes(
    made: Path, recipe: Recipe, tmp_path: Path
) -> None:
    data, short = data_of(made), replace(recipe, samples_seen=128)
    reference = run(short, data, tmp_path / "whole", systems=Systems(decode_threads=3))
    often = Systems(checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        run(short, data, tmp_path / "stopped", systems=often, progress=StopAfter(64))
    record = run(short, data_of(made), tmp_path / "stopped")
    assert record.checkpoint_sha256 == reference.checkpoint_sha256
    assert (record.resumes, record.dead_links) == (1, 3)
    assert record.sources == reference.sources
    heavier = tuple(WeightedSource(each.source, 2) for each in data.sources)
    with pytest.raises(TrainingError, match="its list of sources is"):
        run(short, SequentialData(heavier), tmp_path / "stopped")


def test_orders_are_not_mixed_up(made: Path, pool: Pool, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="a pool is read by uid"):
        train(recipe, pool, whole_pool(pool), tmp_path / "run", subset_name="all")
    with pytest.raises(TrainingError, match="the data give 'sequential-lanes/1'"):
        run(load_scale("smoke"), data_of(made), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def call(*words: object) -> CliResult:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_commands_train_and_verify(made: Path, shards: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    loose = plain(tmp_path / "loose", _loose(9))
    sources = ("--data-dir", f"{made}=2", "--data-dir", loose)
    result = call("train", "--scale", "smoke", *sources, "--output-dir", folder, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "smoke, variant sequential" in result.output
    assert f"source   {made}, 297 samples, weight 2" in result.output
    record = read_run(folder)
    assert {(s.name, s.n, s.weight) for s in record.sources} == {
        ("shards", 297, 2),
        ("loose", 9, 1),
    }
    assert provenance_of(record).pool_size == 306

    assert call("verify", folder).output.count("pass --data-dir") == 4
    result = call("verify", folder, *sources)
    assert result.exit_code == 0, result.output
    assert "2, the bytes of 9 of 9 tars hashed again" in result.output
    assert (
        "weight 1, the run says 2"
        in call("verify", folder, "--data-dir", made, *sources[2:]).output
    )
    with (shards / "00000004.tar").open("r+b") as file:
        file.seek(2000)
        file.write(b"x")
    result = call("verify", folder, "--data-dir", f"{shards}=2", *sources[2:])
    assert result.exit_code == 1
    assert "00000004.tar has sha256" in result.output


def test_tars_beside_a_pool_are_refused() -> None:
    for command in ("train", "verify"):
        result = call(command, "--data-dir", "a", "--pool", "b")
        assert isinstance(result.exception, UsageError)


def test_a_wrong_source_is_an_error_of_ours(tmp_path: Path) -> None:
    result = call("train", "--scale", "smoke", "--data-dir", tmp_path / "nowhere")
    assert isinstance(result.exception, DatacompError)
