"""Metadata: from a hub that fails in its ways, from a folder of one's own. No pictures here."""

import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import PoolError, UnknownNameError, UsageError
from datacomp.files import locked
from datacomp.pool import open_pool
from datacomp.pool.download import (
    HUB_REPOS,
    FolderSource,
    HubSource,
    download_pool,
    hub_source,
)

REPO = "mlfoundations/datacomp_small"
SOURCE = HubSource(REPO)
URL = "http://127.0.0.1:9"


@pytest.fixture
def files(table_bytes):
    """Two Parquet files in folders, as the xlarge repository has them, and the features of one."""
    rows = [("ok", number) for number in range(8)]
    return {
        "README.md": b"not data",
        "part_0/aa.parquet": table_bytes(URL, rows[:5]),
        "part_1/bb.parquet": table_bytes(URL, rows[5:]),
        "part_1/bb.npz": bytes(range(256)) * 8,
    }


@pytest.fixture
def pool(tmp_path):
    return tmp_path / "pool"


def names(pool):
    return sorted(path.name for path in (pool / "metadata").iterdir())


def test_metadata_of_the_hub_becomes_a_pool(hub, files, pool):
    commit = hub.commit(files)
    report = download_pool(str(pool), SOURCE)
    assert names(pool) == ["aa.parquet", "bb.parquet"]
    assert (report.n_files, report.n_fetched, report.summary) == (2, 2, None)
    assert report.metadata_bytes == len(files["part_0/aa.parquet"]) + len(
        files["part_1/bb.parquet"]
    )
    assert report.source["revision"] == commit
    assert open_pool(str(pool)).n_rows == 8
    assert not (pool / ".download").exists()


def test_features_come_when_asked_for_also_later(hub, files, pool):
    hub.commit(files)
    download_pool(str(pool), SOURCE)
    report = download_pool(str(pool), SOURCE, npz=True)
    assert names(pool) == ["aa.parquet", "bb.npz", "bb.parquet"]
    assert (report.n_files, report.n_fetched) == (3, 1)
    assert (pool / "metadata" / "bb.npz").read_bytes() == files["part_1/bb.npz"]


def test_what_is_there_is_not_fetched_again_nor_the_hub_asked(hub, files, pool):
    hub.commit(files)
    download_pool(str(pool), SOURCE)
    hub.asked.clear()
    assert download_pool(str(pool), SOURCE).n_fetched == 0
    assert hub.asked == []


def test_a_file_that_breaks_off_is_fetched_until_it_is_whole(hub, files, pool):
    hub.commit(files)
    hub.cut["part_0/aa.parquet"] = 1
    download_pool(str(pool), SOURCE)
    assert (pool / "metadata" / "aa.parquet").read_bytes() == files["part_0/aa.parquet"]


def test_a_file_of_other_bytes_is_fetched_again(hub, files, pool):
    hub.commit(files)
    hub.wrong["part_0/aa.parquet"] = 2
    download_pool(str(pool), SOURCE)
    assert (pool / "metadata" / "aa.parquet").read_bytes() == files["part_0/aa.parquet"]


def test_a_file_that_stays_wrong_is_an_error_and_never_metadata(hub, files, pool):
    hub.commit(files)
    hub.wrong["part_0/aa.parquet"] = 100
    with pytest.raises(PoolError, match=r"part_0/aa.parquet .* wrong 3 times: expected sha256"):
        download_pool(str(pool), SOURCE)
    assert "aa.parquet" not in names(pool)
    hub.wrong.clear()
    download_pool(str(pool), SOURCE)
    assert (pool / "metadata" / "aa.parquet").read_bytes() == files["part_0/aa.parquet"]


@pytest.mark.parametrize("leave", ["cut", "nothing"])
def test_an_interrupted_download_of_metadata_is_not_taken_for_a_whole_one(hub, files, pool, leave):
    """What the original accepts for ever: a folder that is there, but not whole."""
    hub.commit(files)
    download_pool(str(pool), SOURCE)
    aa = pool / "metadata" / "aa.parquet"
    if leave == "cut":
        aa.write_bytes(files["part_0/aa.parquet"][:100])
    else:
        aa.unlink()
    assert download_pool(str(pool), SOURCE).n_fetched == 1
    assert aa.read_bytes() == files["part_0/aa.parquet"]


def test_a_later_start_stays_at_the_revision_of_the_first(hub, files, pool):
    first = hub.commit(files)
    download_pool(str(pool), SOURCE)
    (pool / "metadata" / "aa.parquet").unlink()
    hub.commit(files | {"part_0/aa.parquet": files["part_1/bb.parquet"]})
    report = download_pool(str(pool), SOURCE)
    assert report.source["revision"] == first
    assert (pool / "metadata" / "aa.parquet").read_bytes() == files["part_0/aa.parquet"]


def test_overwriting_takes_the_newest_revision(hub, files, pool):
    hub.commit(files)
    download_pool(str(pool), SOURCE)
    new = hub.commit({"cc.parquet": files["part_1/bb.parquet"]})
    report = download_pool(str(pool), SOURCE, overwrite_metadata=True)
    assert (report.source["revision"], report.n_fetched) == (new, 1)
    assert names(pool) == ["cc.parquet"]


def test_overwriting_is_refused_when_shards_were_made_from_other_metadata(hub, files, pool):
    hub.commit(files)
    download_pool(str(pool), SOURCE)
    (pool / "shards").mkdir()
    (pool / "shards" / "00000000_stats.json").write_text("{}")
    hub.commit(files | {"part_0/aa.parquet": files["part_1/bb.parquet"]})
    with pytest.raises(UsageError, match="no longer what the shards"):
        download_pool(str(pool), SOURCE, overwrite_metadata=True)
    assert (pool / "metadata" / "aa.parquet").read_bytes() == files["part_0/aa.parquet"]


def test_a_revision_may_be_named(hub, files, pool):
    old = hub.commit({"old.parquet": files["part_0/aa.parquet"]})
    hub.commit(files)
    assert download_pool(str(pool), HubSource(REPO, old)).n_files == 1
    assert names(pool) == ["old.parquet"]


def test_another_revision_than_the_pools_is_refused(hub, files, pool):
    old = hub.commit({"old.parquet": files["part_0/aa.parquet"]})
    new = hub.commit(files)
    download_pool(str(pool), HubSource(REPO, old))
    with pytest.raises(UsageError, match=f"begun with {REPO} at {old}"):
        download_pool(str(pool), HubSource(REPO, new))


def test_a_revision_that_is_not_there_is_an_error_that_names_it(hub, files, pool):
    hub.commit(files)
    with pytest.raises(PoolError, match=rf"{REPO} at {'0' * 40}.*--revision"):
        download_pool(str(pool), HubSource(REPO, "0" * 40))


def test_files_of_one_name_in_two_folders_are_refused(hub, files, pool):
    hub.commit(files | {"part_2/aa.parquet": files["part_1/bb.parquet"]})
    with pytest.raises(PoolError, match=r"same name in different folders.*aa\.parquet"):
        download_pool(str(pool), SOURCE)


def test_metadata_of_the_originals_script_is_checked_and_kept(hub, files, pool):
    hub.commit(files)
    (pool / "metadata").mkdir(parents=True)
    (pool / "metadata" / "aa.parquet").write_bytes(files["part_0/aa.parquet"])
    wrong = files["part_1/bb.parquet"][:-1] + b"?"
    (pool / "metadata" / "bb.parquet").write_bytes(wrong)
    assert download_pool(str(pool), SOURCE).n_fetched == 1
    assert (pool / "metadata" / "bb.parquet").read_bytes() == files["part_1/bb.parquet"]


def test_metadata_that_does_not_belong_is_refused(hub, files, pool):
    hub.commit(files)
    (pool / "metadata").mkdir(parents=True)
    (pool / "metadata" / "mine.parquet").write_bytes(files["part_0/aa.parquet"])
    with pytest.raises(PoolError, match=r"do not belong.*mine\.parquet"):
        download_pool(str(pool), SOURCE)


def test_a_hub_that_is_not_there_is_an_error_that_says_what_to_do(monkeypatch, pool):
    monkeypatch.setenv("HF_ENDPOINT", URL)
    with pytest.raises(PoolError, match=f"from {URL}.*same command again"):
        download_pool(str(pool), SOURCE)


def test_the_scales_are_the_originals():
    assert list(HUB_REPOS) == ["small", "medium", "large", "xlarge", "datacomp_1b"]
    assert hub_source("medium").repo == "mlfoundations/datacomp_medium"
    assert hub_source("small").revision == HUB_REPOS["small"].revision
    assert hub_source("small", "main").revision == "main"
    with pytest.raises(UnknownNameError, match=r"smal'\. Did you mean 'small'"):
        hub_source("smal")


def test_metadata_of_ones_own_is_copied(write_metadata, pool):
    own = write_metadata(URL, [("ok", 1), ("ok", 2)])
    (own / "part.npz").write_bytes(b"features")
    report = download_pool(str(pool), FolderSource(str(own)), npz=True)
    assert report.n_fetched == 2
    for name in ("part.parquet", "part.npz"):
        assert (pool / "metadata" / name).read_bytes() == (own / name).read_bytes()
    assert download_pool(str(pool), FolderSource(str(own)), npz=True).n_fetched == 0


def test_metadata_of_ones_own_may_be_behind_a_url_and_in_a_pool(write_metadata, pool):
    import fsspec

    own = write_metadata(URL, [("ok", 1)])
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/theirs/metadata/part.parquet", (own / "part.parquet").read_bytes())
    download_pool(str(pool), FolderSource("memory://theirs"))
    assert names(pool) == ["part.parquet"]


def test_the_pool_itself_may_be_behind_a_url(write_metadata):
    own = write_metadata(URL, [("ok", 1)])
    download_pool("memory://mine/pool", FolderSource(str(own)))
    assert download_pool("memory://mine/pool", FolderSource(str(own))).n_fetched == 0
    assert open_pool("memory://mine/pool").n_rows == 1


def test_rows_without_a_uid_get_one_of_address_and_caption(tmp_path, pool):
    own = tmp_path / "own"
    own.mkdir()
    table = pa.table(
        {"url": ["http://a/1.jpg", "http://a/2.jpg"], "text": ["one", None], "n": [1, 2]}
    )
    pq.write_table(table, own / "web.parquet")
    download_pool(str(pool), FolderSource(str(own)))
    copy = pq.read_table(pool / "metadata" / "web.parquet")
    assert copy.column_names == ["uid", "url", "text", "n"]
    assert copy.drop_columns("uid").equals(table)
    # printf 'http://a/1.jpg\none' | sha256sum; printf 'http://a/2.jpg\n' | sha256sum
    assert copy["uid"].to_pylist() == [
        "41e6ae647ba571c338bbac8a86254cfb",
        "b5202f959df9278d609e265c81e5e2dc",
    ]
    assert download_pool(str(pool), FolderSource(str(own))).n_fetched == 0


def test_metadata_without_addresses_is_refused(tmp_path, pool):
    own = tmp_path / "own"
    own.mkdir()
    pq.write_table(pa.table({"URL": ["a"], "text": ["b"]}), own / "web.parquet")
    with pytest.raises(PoolError, match=r"no column 'url'.*It has: URL, text"):
        download_pool(str(pool), FolderSource(str(own)))


def test_a_pool_may_be_its_own_source(write_metadata, pool):
    (pool / "metadata").mkdir(parents=True)
    own = write_metadata(URL, [("ok", 1)])
    shutil.copy(own / "part.parquet", pool / "metadata")
    before = os.stat(pool / "metadata" / "part.parquet").st_ino
    assert download_pool(str(pool), FolderSource(str(pool))).n_fetched == 0
    assert os.stat(pool / "metadata" / "part.parquet").st_ino == before


def test_a_pool_does_not_overwrite_itself(write_metadata, pool):
    (pool / "metadata").mkdir(parents=True)
    shutil.copy(write_metadata(URL, [("ok", 1)]) / "part.parquet", pool / "metadata")
    with pytest.raises(UsageError, match="pool's own metadata"):
        download_pool(str(pool), FolderSource(str(pool)), overwrite_metadata=True)
    assert names(pool) == ["part.parquet"]


def test_another_source_than_the_pools_is_refused(write_metadata, pool, hub, files):
    hub.commit(files)
    own = write_metadata(URL, [("ok", 1)])
    download_pool(str(pool), FolderSource(str(own)))
    with pytest.raises(UsageError, match=f"begun with the metadata in {own}, not with {REPO}"):
        download_pool(str(pool), SOURCE)


def test_a_damaged_record_is_an_error_that_says_what_to_do(write_metadata, pool):
    own = write_metadata(URL, [("ok", 1)])
    download_pool(str(pool), FolderSource(str(own)))
    record = json.loads((pool / "download.json").read_text())
    (pool / "download.json").write_text(json.dumps(record | {"format": 99}))
    with pytest.raises(PoolError, match=r"download\.json is no record.*format 99, expected 1"):
        download_pool(str(pool), FolderSource(str(own)))


def test_two_downloads_at_once_are_refused(write_metadata, pool):
    own = write_metadata(URL, [("ok", 1)])
    with (
        locked(pool / ".download", AssertionError()),
        pytest.raises(PoolError, match="another download runs"),
    ):
        download_pool(str(pool), FolderSource(str(own)))
