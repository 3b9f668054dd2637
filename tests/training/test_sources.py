"""What a source of tars is, and what is not one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datacomp.errors import TrainingError, UsageError
from datacomp.pool import Pool
from datacomp.shards import Layout, reshard
from datacomp.subset import format_uids
from datacomp.training import (
    Recipe,
    tar_index,
    whole_pool,
)
from datacomp.training.sources import (
    SourceSpec,
    open_sources,
    origin_of_sources,
    parse_source,
)
from datacomp.training.tars import open_source

pytestmark = pytest.mark.usefixtures("cache")


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


def edit(folder: Path, key: str, value: object) -> None:
    """Change a value of the first tar in the manifest."""
    manifest = json.loads((folder / "shards.json").read_text())
    manifest["shards"][0][key] = value
    (folder / "shards.json").write_text(json.dumps(manifest))


def test_a_source_without_weight_is_refused(tmp_path: Path) -> None:
    for text in ("", "-1", "nan", "1e3"):
        with pytest.raises(UsageError, match="a number above 0"):
            parse_source(f"{tmp_path}={text}")
    with pytest.raises(UsageError, match="got 'a=0'"):
        parse_source("a=0")


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
    tar_lab: Any, made: Path, shards: Path, recipe: Recipe, tmp_path: Path
) -> None:
    loose = tar_lab.plain(tmp_path / "loose", tar_lab.loose(20))
    moved = shutil.copytree(loose, tmp_path / "moved")
    one, other = tar_lab.data(made, f"{loose}=3"), tar_lab.data(f"{moved}=6", f"{shards}=2")
    assert tar_lab.digest(one.batches(recipe, 0, 0, 1)) == tar_lab.digest(
        other.batches(recipe, 0, 0, 1)
    )
    (a, _), (b, _) = origin_of_sources(one.sources), origin_of_sources(other.sources)
    assert (a.pool_id, a.subset.sha256) == (b.pool_id, b.subset.sha256)
    third, _ = origin_of_sources(tar_lab.data(made, f"{loose}=4").sources)
    assert third.pool_id != a.pool_id
    with pytest.raises(UsageError, match="hold the same tars"):
        tar_lab.data(made, shards)


def test_tars_of_any_making_are_indexed_once(
    tar_lab: Any, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tar_lab.loose(6)
    rows["00002"]["json"] = json.dumps({"uid": "AB" * 16}).encode()
    rows["none"] = {"txt": b"no picture"}
    folder = tar_lab.plain(tmp_path / "tars", rows)
    tar_lab.plain(
        folder, {f"x/{key}": members for key, members in tar_lab.loose(3).items()}, "1.tar"
    )
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
    tar_lab.plain(folder, tar_lab.loose(4), "1.tar")
    assert open_source(str(folder)).sha256 != source.sha256


def test_samples_are_unique_across_sources(tar_lab: Any, tmp_path: Path) -> None:
    rows = tar_lab.with_uids(tar_lab.loose(9))
    first = tar_lab.plain(tmp_path / "a", dict(list(rows.items())[:6]))
    second = tar_lab.plain(tmp_path / "b", rows)
    origin, _ = origin_of_sources(tar_lab.data(first, second).sources)
    assert (origin.subset.n, origin.subset.n_unique, origin.pool_size) == (15, 9, 15)
    assert origin.subset.name in ("a+b", "b+a")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: (f / "00000001.tar").unlink(), "00000001.tar is missing"),
        (lambda f: (f / "00000001_samples.npy").unlink(), "00000001_samples.npy is missing"),
        (lambda f: (f / "00000002.tar").write_bytes(b"x" * 512), "00000002.tar has 512 bytes"),
        (lambda f: (f / "9.tar").write_bytes(b""), "9.tar is not in shards.json"),
        (lambda f: (f / "shards.json").write_text("{"), "shards.json is not JSON"),
        (lambda f: (f / "shards.json").write_text("{}"), "of format None, expected"),
        (lambda f: (f / "shards.json").write_text("[]"), "of format None, expected"),
        (
            lambda f: (f / "shards.json").write_text(
                '{"identity": {"format": "datacomp-shards/2"}}'
            ),
            "lacks pool_problems, pool_rows, shards",
        ),
        (lambda f: edit(f, "samples", "many"), r"has 'many' at shards\.0\.samples, expected"),
        (lambda f: edit(f, "name", None), r"has None at shards\.0\.name"),
        (lambda f: (f / "shards.json").rename(f / ".reshard.jsonl"), "is not whole"),
    ],
)
def test_a_folder_that_is_not_what_was_written(
    shards: Path, damage: Callable[[Path], object], told: str
) -> None:
    damage(shards)
    with pytest.raises(TrainingError, match=told):
        open_source(str(shards))


def test_tars_of_any_making_must_be_whole(tar_lab: Any, tmp_path: Path) -> None:
    folder = tar_lab.plain(tmp_path / "tars", tar_lab.loose(6))
    data = (folder / "0.tar").read_bytes()
    (folder / "0.tar").write_bytes(data[:4000])
    with pytest.raises(TrainingError, match=r"0\.tar ends .*samples before that are whole"):
        open_source(str(folder))


def test_a_folder_without_tars(tar_lab: Any, tmp_path: Path, pool_folder: Path) -> None:
    with pytest.raises(TrainingError, match="there are no tars in"):
        open_source(str(tmp_path / "nowhere"))
    with pytest.raises(TrainingError, match="A pool's tars are in"):
        open_source(str(pool_folder))
    with pytest.raises(TrainingError, match="no sample with a picture"):
        open_source(str(tar_lab.plain(tmp_path / "texts", {"a": {"txt": b"x"}})))
