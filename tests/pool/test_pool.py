"""Opening a pool, reading its rows and features; not its index or samples."""

import shutil

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import PoolError
from datacomp.pool import index_pool, open_pool
from datacomp.pool.schema import SCHEMA
from datacomp.subset.uids import format_uids


def test_parts_are_sorted_by_name_and_know_their_rows(make_pool):
    folder = make_pool(parts=3, rows=7)
    pool = open_pool(str(folder))
    assert [part.name for part in pool.parts] == [path.stem for path in folder.parquet]
    assert [part.n_rows for part in pool.parts] == [7, 7, 7]
    assert pool.n_rows == 21
    assert all(part.has_features and part.columns == tuple(SCHEMA.names) for part in pool.parts)


def test_reads_the_columns_that_were_asked_for_in_that_order(make_pool):
    pool = open_pool(str(make_pool()))
    table = pool.read(pool.parts[0], ["text", "uid"])
    assert table.column_names == ["text", "uid"]
    assert table.num_rows == 10


def test_batches_cover_a_part_in_row_order(make_pool):
    pool = open_pool(str(make_pool()))
    batches = list(pool.batches(pool.parts[1], ["uid", "text"], rows=4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert batches[0].schema.names == ["uid", "text"]
    assert pa.Table.from_batches(batches) == pool.read(pool.parts[1], ["uid", "text"])


@pytest.mark.parametrize("indexed", [False, True])
def test_uids_are_those_of_the_rows(make_pool, indexed):
    folder = make_pool()
    if indexed:
        index_pool(str(folder))
    pool = open_pool(str(folder))
    for part in pool.parts:
        assert format_uids(pool.uids(part)) == pool.read(part, ["uid"])["uid"].to_pylist()


def test_features_come_as_stored(make_pool):
    folder = make_pool()
    pool = open_pool(str(folder))
    features = pool.features(pool.parts[0], "l14_img")
    assert features.dtype == np.float16
    assert np.array_equal(features, np.load(folder.npz[0])["l14_img"])


def test_a_metadata_folder_opens_as_a_pool_without_shards(make_pool):
    folder = make_pool()
    url = str(folder.path / "metadata")
    assert open_pool(url).n_rows == 20
    index_pool(url)
    with pytest.raises(PoolError, match="has no shards"):
        open_pool(url).samples()


def test_a_url_reads_as_the_folder_does(make_pool):
    folder = make_pool()
    local = open_pool(str(folder))
    remote = open_pool(folder.upload("memory://pools/test_pool"))
    for here, there in zip(local.parts, remote.parts, strict=True):
        assert here == there
        assert local.read(here, ["uid", "text"]) == remote.read(there, ["uid", "text"])
        assert np.array_equal(local.uids(here), remote.uids(there))
        assert np.array_equal(local.features(here, "l14_img"), remote.features(there, "l14_img"))


def test_large_strings_of_other_writers_are_uids_too(make_pool):
    folder = make_pool()
    table = pq.read_table(folder.parquet[0])
    large = table.cast(
        pa.schema(
            [(f.name, pa.large_string() if f.name == "uid" else f.type) for f in table.schema]
        )
    )
    pq.write_table(large, folder.parquet[0])
    pool = open_pool(str(folder))
    assert format_uids(pool.uids(pool.parts[0])) == table["uid"].to_pylist()


def test_a_missing_column_is_named_with_its_file(make_pool):
    folder = make_pool()
    pool = open_pool(str(folder))
    with pytest.raises(PoolError) as error:
        pool.read(pool.parts[0], ["uid", "aesthetic"])
    assert f"{folder.parquet[0]} has no column 'aesthetic'. It has: uid, url," in str(error.value)


def test_features_of_another_length_are_refused_with_both_counts(make_pool):
    folder = make_pool()
    np.savez(folder.npz[0], l14_img=np.zeros((9, 4), np.float16))
    pool = open_pool(str(folder))
    with pytest.raises(PoolError, match=r"npz: array 'l14_img' has the shape \(9, 4\).*10 rows"):
        pool.features(pool.parts[0], "l14_img")
    with pytest.raises(PoolError, match=r"npz has no array 'b32_img'. It has: l14_img"):
        pool.features(pool.parts[0], "b32_img")


def test_a_pickle_in_an_npz_is_not_loaded(make_pool):
    folder = make_pool()
    np.savez(folder.npz[0], l14_img=np.array([{"a": 1}] * 10, dtype=object))
    pool = open_pool(str(folder))
    with pytest.raises(PoolError, match="cannot be read"):
        pool.features(pool.parts[0], "l14_img")


def test_a_bad_uid_is_named_with_file_and_row(make_pool):
    folder = make_pool()
    table = pq.read_table(folder.parquet[0])
    uids = table["uid"].to_pylist()
    uids[3] = "not a uid"
    pq.write_table(table.set_column(0, "uid", pa.array(uids)), folder.parquet[0])
    pool = open_pool(str(folder))
    with pytest.raises(PoolError, match=r"parquet, row 3: 'not a uid' is not a uid"):
        pool.uids(pool.parts[0])


def test_a_file_without_uid_is_refused(make_pool):
    folder = make_pool()
    pq.write_table(pq.read_table(folder.parquet[0]).drop(["uid"]), folder.parquet[0])
    with pytest.raises(PoolError, match="has no column 'uid'"):
        open_pool(str(folder))


def test_an_unreadable_file_is_refused_by_name(make_pool):
    folder = make_pool()
    folder.parquet[1].write_bytes(b"nonsense")
    with pytest.raises(PoolError, match=f"{folder.parquet[1].name} cannot be read"):
        open_pool(str(folder))


def test_what_is_no_pool_is_refused(tmp_path):
    with pytest.raises(PoolError, match="there is no such folder"):
        open_pool(str(tmp_path / "nowhere"))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(PoolError, match=r"expected metadata/\*\.parquet.*found: notes.txt"):
        open_pool(str(tmp_path))


def test_an_unknown_protocol_is_refused():
    with pytest.raises(PoolError, match="cannot open nonsense://x"):
        open_pool("nonsense://x")


def test_what_needs_an_index_says_how_to_make_one(make_pool):
    folder = make_pool()
    with pytest.raises(PoolError, match=f"is not indexed. Run: datacomp pool index {folder}"):
        open_pool(str(folder)).samples()


@pytest.mark.parametrize("change", ["grown", "lost", "new"])
def test_an_index_of_other_files_is_not_used(make_pool, change):
    folder = make_pool()
    index_pool(str(folder))
    tar = folder.tars[2]
    if change == "grown":
        tar.write_bytes(tar.read_bytes() + bytes(512))
    elif change == "lost":
        tar.unlink()
    else:
        shutil.copy(tar, tar.with_name("00000004.tar"))
    pool = open_pool(str(folder))
    assert pool.manifest is None
    with pytest.raises(PoolError, match=r"shard 0000000[24].*Run: datacomp pool index"):
        pool.require_manifest()


def test_a_pool_of_the_world_has_no_truth(make_pool):
    pool = open_pool(str(make_pool()))
    assert not pool.has_truth
    with pytest.raises(PoolError, match="has no truth"):
        pool.truth()


def test_a_damaged_manifest_is_refused(make_pool):
    folder = make_pool()
    (folder.path / "pool.json").write_text('{"format": "datacomp-pool/9"}')
    with pytest.raises(PoolError, match="format 'datacomp-pool/9', expected 'datacomp-pool/1'"):
        open_pool(str(folder))
    (folder.path / "pool.json").write_text("{")
    with pytest.raises(PoolError, match="not a pool manifest"):
        open_pool(str(folder))


@pytest.fixture(autouse=True)
def _forget_memory_files():
    yield
    fsspec.filesystem("memory").store.clear()
