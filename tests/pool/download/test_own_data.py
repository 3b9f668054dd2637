"""Own data, as the byod track takes it, downloaded: a pool whose id follows from the list alone."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import PoolError, UsageError
from datacomp.pool import index_pool, open_pool
from datacomp.pool.download import CrawlOptions, ImageOptions, OwnData, Reach, download_pool
from datacomp.pool.download.external import FolderSource
from datacomp.pool.pairs import PairsId, pair_uids
from datacomp.subset import format_uids
from datacomp.training.data import open_data, whole_pool

IMAGES = ImageOptions(blur_faces=False, shard_rows=4)


def crawl(*allowed):
    return CrawlOptions(processes=1, threads=4, retries=0, reach=Reach(allowed=allowed))


@pytest.fixture
def own(web, tmp_path):
    """Six pairs: four alive (two of them the same pair), one dead, one of a private network."""
    urls = [f"{web.url}/ok/{n}.jpg" for n in (1, 2, 3, 3)] + [f"{web.url}/gone/5.jpg"]
    urls.append("http://10.255.255.1:9/x.jpg")
    path = tmp_path / "mine.parquet"
    captions = ["one", "two", "three", "three", "five", "six"]
    pq.write_table(pa.table({"caption": captions, "url": urls}), path, row_group_size=4)
    return path, urls, captions


def test_the_pool_has_every_row_and_the_pictures_that_were_there(own, tmp_path):
    path, urls, captions = own
    pool = tmp_path / "pool"
    report = download_pool(str(pool), OwnData(path), images=IMAGES, crawl=crawl("127.0.0.0/8"))
    assert (report.summary.rows, report.summary.succeeded) == (6, 4)
    assert report.summary.failures == {"not found (404, 410)": 1, "not a public address": 1}

    manifest = index_pool(str(pool)).manifest
    known = PairsId()
    known.add(urls[:4], captions[:4])
    known.add(urls[4:], captions[4:])
    assert manifest.pool_id == known.pool_id
    opened = open_pool(str(pool))
    data = open_data(opened, whole_pool(opened))
    assert (manifest.n_rows, len(data.entries), data.dead_links) == (6, 4, 2)
    assert json.loads((pool / "download.json").read_text())["source"]["kind"] == "own"


def test_nothing_private_is_asked_unless_it_is_allowed(own, tmp_path, web):
    report = download_pool(str(tmp_path / "pool"), OwnData(own[0]), images=IMAGES, crawl=crawl())
    assert report.summary.failures == {"not a public address": 6}
    assert not web.asked


def test_the_same_file_goes_on_and_another_does_not(own, tmp_path, web):
    path, *_ = own
    pool = str(tmp_path / "pool")
    download_pool(pool, OwnData(path))
    elsewhere = tmp_path / "copy.parquet"
    elsewhere.write_bytes(path.read_bytes())
    assert download_pool(pool, OwnData(elsewhere)).n_fetched == 0
    pq.write_table(pa.table({"caption": ["x"], "url": ["http://a/b"]}), path)
    with pytest.raises(UsageError, match=r"was begun with .*mine\.parquet"):
        download_pool(pool, OwnData(path))


def test_the_id_is_that_of_the_same_pairs_in_a_folder_without_uids(own, tmp_path):
    _, urls, captions = own
    folder = tmp_path / "folder"
    folder.mkdir()
    pq.write_table(pa.table({"url": urls, "text": captions}), folder / "any.parquet")
    download_pool(str(tmp_path / "pool"), FolderSource(str(folder)))
    known = PairsId()
    known.add(urls, captions)
    assert index_pool(str(tmp_path / "pool")).manifest.pool_id == known.pool_id


def test_the_uid_of_a_pair_is_the_start_of_its_hash():
    # printf 'http://a/b\ncat' | sha256sum
    assert format_uids(pair_uids(["http://a/b"], ["cat"])) == ["2c6c768b860dcd5ae9a0ee4348120627"]
    assert len(pair_uids([], [])) == 0


def test_another_file_is_refused_with_what_it_has(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"url": ["http://a/b"], "text": ["cat"]}), path)
    with pytest.raises(PoolError, match="columns url, text; own data has exactly url and caption"):
        download_pool(str(tmp_path / "pool"), OwnData(path))
    with pytest.raises(PoolError, match="cannot be read"):
        download_pool(str(tmp_path / "pool"), OwnData(tmp_path / "none.parquet"))
