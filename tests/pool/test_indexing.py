"""What an index promises: the same bytes for the same pool, resumption, and never a half of it."""

import json
import os
import shutil

import pytest

from datacomp.pool import index_pool, open_pool, shard_index
from datacomp.pool.folder import Folder


def tree(folder):
    """Every file of the index, as bytes, without the kept shards (which hold file times)."""
    index = folder.path / "index"
    files = [folder.path / "pool.json", *(p for p in sorted(index.rglob("*")) if p.is_file())]
    return {
        str(p.relative_to(folder.path)): p.read_bytes() for p in files if p.parent.name != "shards"
    }


def test_the_same_pool_gives_the_same_bytes(make_pool):
    first, second = make_pool("first"), make_pool("second")
    index_pool(str(first))
    index_pool(str(second))
    index_pool(str(second))
    assert tree(first) == tree(second)


def test_two_processes_write_what_one_writes(make_pool):
    first, second = make_pool("first"), make_pool("second")
    index_pool(str(first))
    index_pool(str(second), workers=2)
    assert tree(first) == tree(second)


def test_the_id_does_not_depend_on_names_and_places(make_pool):
    first, second = make_pool("first"), make_pool("second")
    for number, path in enumerate(reversed(second.parquet)):
        path.with_suffix(".npz").rename(path.with_name(f"{number}.npz"))
        path.rename(path.with_name(f"{number}.parquet"))
    remote = second.upload("memory://pools/test_indexing")
    ids = {index_pool(str(url)).manifest.pool_id for url in (first, second, remote)}
    assert len(ids) == 1


@pytest.mark.parametrize("change", [{"rows": 9}, {"parts": 3}])
def test_the_id_depends_on_rows_and_uids(make_pool, change):
    first, second = make_pool("first"), make_pool("second", **change)
    assert index_pool(str(first)).manifest.pool_id != index_pool(str(second)).manifest.pool_id


def test_a_shard_that_did_not_change_is_not_read_again(make_pool):
    folder = make_pool()
    assert index_pool(str(folder)).n_shards_reused == 0
    assert index_pool(str(folder)).n_shards_reused == 4
    os.utime(folder.tars[1], ns=(1, 1))
    assert index_pool(str(folder)).n_shards_reused == 3
    assert index_pool(str(folder), verify_images=True).n_shards_reused == 0
    assert index_pool(str(folder), verify_images=True).n_shards_reused == 4


def test_an_interrupted_indexing_goes_on_and_ends_with_the_same_bytes(make_pool, monkeypatch):
    whole, broken = make_pool("whole"), make_pool("broken")
    index_pool(str(whole))
    real = shard_index.index_shard

    def stop_at_the_third(folder, shard, **options):
        if shard.name == "00000002.tar":
            raise KeyboardInterrupt
        return real(folder, shard, **options)

    monkeypatch.setattr(shard_index, "index_shard", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        index_pool(str(broken))
    assert not (broken.path / "pool.json").exists()
    monkeypatch.undo()
    assert index_pool(str(broken)).n_shards_reused == 2
    assert tree(broken) == tree(whole)


def test_a_shard_that_could_not_be_read_is_tried_again(make_pool, monkeypatch):
    folder = make_pool()
    real = Folder.reader

    def fails_once(self, path):
        if path.endswith("00000001.tar"):
            raise OSError("connection reset")
        return real(self, path)

    monkeypatch.setattr(Folder, "reader", fails_once)
    assert "connection reset" in index_pool(str(folder)).problems[0].detail
    monkeypatch.undo()
    report = index_pool(str(folder))
    assert (report.problems, report.n_shards_reused) == ((), 3)


def test_a_damaged_kept_shard_is_indexed_again(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    (folder.path / "index" / "shards" / "00000001.npz").write_bytes(b"half")
    assert index_pool(str(folder)).n_shards_reused == 3


def test_an_index_that_nothing_names_is_removed(make_pool):
    folder = make_pool()
    old = index_pool(str(folder)).manifest.index_id
    folder.tars[3].unlink()
    new = index_pool(str(folder)).manifest.index_id
    kept = sorted(path.name for path in (folder.path / "index").iterdir())
    assert kept == sorted([new, "rows", "shards"])
    assert old != new
    assert not (folder.path / "index" / "shards" / "00000003.npz").exists()


def test_sources_and_origin_survive_another_indexing(make_pool):
    folder = make_pool()
    index_pool(str(folder), sources=[{"what": "Twemoji"}], origin={"builder": "tiny", "seed": 3})
    index_pool(str(folder))
    manifest = open_pool(str(folder)).require_manifest()
    assert manifest.sources == ({"what": "Twemoji"},)
    assert manifest.origin == {"builder": "tiny", "seed": 3}


def test_an_indexed_pool_can_be_moved(make_pool, tmp_path):
    folder = make_pool()
    index_pool(str(folder))
    shutil.move(folder.path, tmp_path / "moved")
    pool = open_pool(str(tmp_path / "moved"))
    assert pool.samples().read(0).caption.startswith("caption of row")


def test_pool_json_says_what_it_is(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    value = json.loads((folder.path / "pool.json").read_text())
    assert value["format"] == "datacomp-pool/1"
    assert value["parts"][0]["features"] == {"l14_img": [10, 4]}
    assert value["parts"][0]["columns"]["face_bboxes"] == "list<list<double>>"
