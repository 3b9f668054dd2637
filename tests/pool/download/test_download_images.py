"""Pictures from a web that misbehaves, fetched by img2dataset in processes of its own.

The first tests look at one download of a pool; importing img2dataset takes seconds, once.
"""

import hashlib
import io
import json
import multiprocessing
import os
import signal
import tarfile
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageFilter

from datacomp.errors import PoolError, UsageError
from datacomp.pool import index_pool, open_pool
from datacomp.pool.download import CrawlOptions, FolderSource, ImageOptions, download_pool

CRAWL = CrawlOptions(processes=2, threads=8)
IMPATIENT = CrawlOptions(processes=2, threads=8, retries=1, timeout_seconds=2)
KINDS = (
    *("ok", "gone", "slow", "moved", "loop", "cut", "page", "noai", "changed"),
    *("error", "wrong-type", "ok", "ok"),
)
ROWS = [(kind, number) for number, kind in enumerate(KINDS * 2)]
GOOD = {"ok", "moved", "changed", "wrong-type"}
IMAGES = ImageOptions(shard_rows=10)


@pytest.fixture(scope="module")
def downloaded(shared_web, table_bytes, tmp_path_factory):
    """A pool of two metadata files of 13 rows, in shards of 10, 3, 10 and 3; and the report."""
    own = tmp_path_factory.mktemp("own")
    (own / "a.parquet").write_bytes(table_bytes(shared_web.url, ROWS[:13]))
    (own / "b.parquet").write_bytes(table_bytes(shared_web.url, ROWS[13:]))
    pool = tmp_path_factory.mktemp("downloaded") / "pool"
    report = download_pool(str(pool), FolderSource(str(own)), images=IMAGES, crawl=IMPATIENT)
    return pool, report


def samples(pool, shard="00000000"):
    """The members of a shard by name."""
    with tarfile.open(pool / "shards" / f"{shard}.tar") as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


def test_every_row_is_tried_and_counted_with_its_reason(downloaded):
    summary = downloaded[1].summary
    assert (summary.rows, summary.rows_tried, summary.succeeded) == (26, 26, 12)
    assert summary.failures == {
        "not found (404, 410)": 2,
        "timeout": 2,
        "redirect loop": 2,
        "truncated": 2,
        "not an image": 2,
        "opted out (X-Robots-Tag)": 2,
        "server error (5xx)": 2,
    }
    assert summary.success_rate == 12 / 26
    assert summary.is_complete


def test_changed_pictures_are_kept_counted_and_listed(downloaded, uid_of, picture):
    pool, report = downloaded
    assert (report.summary.hashes_compared, report.summary.hash_mismatches) == (12, 2)
    listed = pq.read_table(pool / "hash_mismatches").to_pylist()
    assert [row["uid"] for row in listed] == [uid_of(8), uid_of(21)]
    assert listed[0]["sha256"] == hashlib.sha256(picture(8)).hexdigest()
    assert listed[0]["expected_sha256"] == hashlib.sha256(picture(1008)).hexdigest()
    assert f"{listed[0]['key']}.jpg" in samples(pool)


def test_a_sample_carries_uid_caption_and_the_hash_that_was_computed(downloaded, uid_of, picture):
    members = samples(downloaded[0])
    meta = json.loads(members["000000000.json"])
    assert (meta["uid"], meta["caption"], meta["status"]) == (uid_of(0), "picture 0", "success")
    assert meta["sha256"] == hashlib.sha256(picture(0)).hexdigest()
    assert (meta["original_width"], meta["original_height"]) == (64, 48)
    assert members["000000000.txt"] == b"picture 0"
    assert Image.open(io.BytesIO(members["000000000.jpg"])).size == (64, 48)


def test_the_result_is_a_pool_without_a_problem(downloaded, tmp_path, uid_of):
    pool, _ = downloaded
    report = index_pool(str(pool))
    assert report.problems == ()
    assert (report.manifest.n_rows, report.manifest.n_samples) == (26, 12)
    assert open_pool(str(pool)).samples().read(0).uid in {uid_of(n) for n in range(26)}


def test_shards_are_numbered_as_img2dataset_numbers_them(downloaded):
    pool, _ = downloaded
    counts = [
        json.loads((pool / "shards" / f"{n:08d}_stats.json").read_text())["count"] for n in range(4)
    ]
    assert counts == [10, 3, 10, 3]
    tables = [pq.read_table(pool / "shards" / f"{n:08d}.parquet") for n in range(4)]
    assert [table.num_rows for table in tables] == counts
    assert {"key", "status", "error_message", "sha256", "uid"} <= set(tables[0].column_names)


def test_every_failure_is_tried_again_as_often_as_asked_for(downloaded, shared_web):
    assert shared_web.asked["/gone/1.jpg"] == 2
    assert shared_web.asked["/ok/0.jpg"] == 1


def test_nothing_but_the_pool_is_left(downloaded):
    assert sorted(path.name for path in downloaded[0].iterdir() if path.name != "index") in (
        ["download.json", "hash_mismatches", "metadata", "pool.json", "shards"],
        ["download.json", "hash_mismatches", "metadata", "shards"],
    )


def test_the_summary_stands_in_the_record(downloaded):
    pool, report = downloaded
    record = json.loads((pool / "download.json").read_text())
    assert record["summary"] == json.loads(json.dumps(report.summary.as_json()))
    assert record["summary"]["success_rate"] == 12 / 26
    assert record["images"]["shard_rows"] == 10


def test_a_second_start_fetches_nothing(downloaded, shared_web, tmp_path):
    pool, first = downloaded
    shared_web.asked.clear()
    source = FolderSource(first.source["url"])
    report = download_pool(str(pool), source, images=IMAGES, crawl=CRAWL)
    assert not shared_web.asked
    assert report.n_shards_before == 4
    assert report.summary.failures == first.summary.failures
    assert report.summary.bytes == first.summary.bytes


def test_other_pictures_than_those_of_the_pool_are_refused(downloaded):
    pool, first = downloaded
    source, other = FolderSource(first.source["url"]), ImageOptions(shard_rows=10, image_size=32)
    with pytest.raises(UsageError, match="image_size 512, not 32"):
        download_pool(str(pool), source, images=other, crawl=CRAWL)


def test_a_missing_or_torn_shard_is_fetched_again_and_no_other(web, write_metadata, tmp_path):
    pool = tmp_path / "pool"
    source = FolderSource(str(write_metadata(web.url, [("ok", n) for n in range(6)])))
    images = ImageOptions(shard_rows=2)
    download_pool(str(pool), source, images=images, crawl=CRAWL)
    web.asked.clear()
    (pool / "shards" / "00000000_stats.json").unlink()
    tar = pool / "shards" / "00000000.tar"
    tar.write_bytes(tar.read_bytes()[:700])
    (pool / "shards" / "00000002_stats.json").write_text('{"count": 2, "succ')
    report = download_pool(str(pool), source, images=images, crawl=CRAWL)
    assert sorted(web.asked) == ["/ok/0.jpg", "/ok/1.jpg", "/ok/4.jpg", "/ok/5.jpg"]
    assert (report.n_shards_before, report.summary.succeeded) == (1, 6)
    assert len(samples(pool)) == 6
    assert index_pool(str(pool)).problems == ()


def test_a_pool_that_img2dataset_began_is_gone_on_with(web, write_metadata, tmp_path):
    """Its stats know nothing of hashes, and a kill leaves the shard in flight half written."""
    source = FolderSource(str(write_metadata(web.url, [("ok", n) for n in range(4)])))
    pool, images = tmp_path / "pool", ImageOptions(shard_rows=2)
    download_pool(str(pool), source, images=images, crawl=CRAWL)
    first, second = (pool / "shards" / f"0000000{n}_stats.json" for n in range(2))
    stats = json.loads(first.read_text())
    first.write_text(json.dumps({key: stats[key] for key in stats if key != "datacomp"}))
    second.unlink()
    (pool / "shards" / "00000001.tar").write_bytes(b"half")
    (pool / "download.json").unlink()
    web.asked.clear()
    summary = download_pool(str(pool), source, images=images, crawl=CRAWL).summary
    assert sorted(web.asked) == ["/ok/2.jpg", "/ok/3.jpg"]
    assert (summary.succeeded, summary.hashes_compared) == (4, 2)
    assert index_pool(str(pool)).problems == ()


def test_shards_of_other_metadata_are_refused(web, write_metadata, tmp_path):
    source = FolderSource(str(write_metadata(web.url, [("ok", n) for n in range(6)])))
    shards = tmp_path / "pool" / "shards"
    shards.mkdir(parents=True)
    stats = {"count": 5, "successes": 5, "status_dict": {"success": 5}}
    (shards / "00000000_stats.json").write_text(json.dumps(stats))
    with pytest.raises(PoolError, match="says 5 rows, this metadata gives the shard 6"):
        download_pool(str(tmp_path / "pool"), source, images=ImageOptions(), crawl=CRAWL)


@pytest.mark.parametrize("skip", [False, True])
def test_faces_are_blurred_unless_told_otherwise(web, write_metadata, tmp_path, picture, skip):
    """A box of 25 x 29 pixels: sigma is 2.9, twice what the newest img2dataset would blur with."""
    pool, box = tmp_path / "pool", [[0.1, 0.2, 0.5, 0.8]]
    own = write_metadata(web.url, [("ok", 1), ("ok", 2)], face_bboxes=[box, None])
    images = ImageOptions(encode_format="png", blur_faces=not skip, shard_rows=10)
    download_pool(str(pool), FolderSource(str(own)), images=images, crawl=CRAWL)
    members = samples(pool)
    face, other = (Image.open(io.BytesIO(members[f"00000000{n}.png"])) for n in range(2))
    before = Image.open(io.BytesIO(picture(1)))
    blurred = before.filter(ImageFilter.GaussianBlur(2.9))
    inside, outside = (10, 14, 28, 34), (44, 0, 64, 48)
    assert difference(face, before if skip else blurred, inside) < 2
    assert difference(before, blurred, inside) > 10
    assert difference(face, before, outside) < 1
    assert difference(other, Image.open(io.BytesIO(picture(2))), (0, 0, 64, 48)) < 1
    assert ("face_bboxes" in json.loads(members["000000000.json"])) is not skip


def test_faces_that_are_not_told_are_no_reason_to_blur_nothing(web, tmp_path, picture):
    own = tmp_path / "own"
    own.mkdir()
    table = pa.table({"url": [f"{web.url}/ok/3.jpg"], "text": ["three"]})
    pq.write_table(table, own / "web.parquet")
    source = FolderSource(str(own))
    with pytest.raises(PoolError, match=r"no column 'face_bboxes'.*--skip-bbox-blurring"):
        download_pool(str(tmp_path / "pool"), source, images=ImageOptions(), crawl=CRAWL)
    images = ImageOptions(blur_faces=False)
    report = download_pool(str(tmp_path / "pool"), source, images=images, crawl=CRAWL)
    assert (report.summary.succeeded, report.summary.hashes_compared) == (1, 0)
    assert index_pool(str(tmp_path / "pool")).problems == ()


@pytest.mark.parametrize(
    ("options", "size", "kind"),
    [
        ({}, (32, 24), "JPEG"),
        ({"resize_mode": "keep_ratio"}, (43, 32), "JPEG"),
        ({"resize_mode": "center_crop", "encode_format": "webp"}, (32, 32), "WEBP"),
        ({"resize_mode": "border", "encode_format": "png"}, (32, 32), "PNG"),
        ({"resize_mode": "no"}, (64, 48), "JPEG"),
        ({"image_size": 96}, (64, 48), "JPEG"),
        ({"image_size": 96, "resize_only_if_bigger": False}, (96, 72), "JPEG"),
    ],
)
def test_pictures_are_resized_and_encoded_as_asked_for(
    web, write_metadata, tmp_path, options, size, kind
):
    images = ImageOptions(**({"image_size": 32} | options))
    source = FolderSource(str(write_metadata(web.url, [("ok", 1)])))
    download_pool(str(tmp_path / "pool"), source, images=images, crawl=CRAWL)
    members = samples(tmp_path / "pool")
    with Image.open(io.BytesIO(members[f"000000000000.{images.encode_format}"])) as image:
        assert (image.size, image.format) == (size, kind)


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_other_output_formats_resume_and_compare_hashes_too(web, write_metadata, tmp_path, form):
    rows = [("ok", 1), ("changed", 2), ("gone", 3)]
    source, pool = FolderSource(str(write_metadata(web.url, rows))), tmp_path / "pool"
    images = ImageOptions(output_format=form, shard_rows=2)
    first = download_pool(str(pool), source, images=images, crawl=CRAWL).summary
    assert (first.succeeded, first.hash_mismatches) == (2, 1)
    if form == "files":
        data = (pool / "shards" / "00000000" / "000000000.jpg").read_bytes()
    else:
        data = pq.read_table(pool / "shards" / "00000000.parquet")["jpg"][0].as_py()
    assert Image.open(io.BytesIO(data)).size == (64, 48)
    (pool / "shards" / "00000000_stats.json").unlink()
    again = download_pool(str(pool), source, images=images, crawl=CRAWL).summary
    assert (again.succeeded, again.failures) == (2, first.failures)


def test_the_pool_may_be_on_a_store_behind_fsspec(web, write_metadata, tmp_path):
    """Any file system but the plain local one; this one hands everything on to it."""
    source = FolderSource(str(write_metadata(web.url, [("ok", 1), ("changed", 2), ("ok", 3)])))
    url, images = f"dir::file://{tmp_path}/store", ImageOptions(shard_rows=2)
    summary = download_pool(url, source, images=images, crawl=CRAWL).summary
    assert (summary.succeeded, summary.hash_mismatches) == (3, 1)
    assert download_pool(url, source, images=images, crawl=CRAWL).n_shards_before == 2
    assert index_pool(url).problems == ()


def test_a_process_that_dies_costs_its_shard_one_try(web, write_metadata, tmp_path):
    """The first process is killed while it waits for a picture; a second one fetches the shard."""
    source = FolderSource(str(write_metadata(web.url, [("held", 1), ("held", 2)])))
    killed = []

    def kill_the_first():
        web.held.wait(15)
        killed.extend(process.pid for process in multiprocessing.active_children())
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        web.gate.set()

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    crawl = CrawlOptions(processes=1, threads=2)
    summary = download_pool(
        str(tmp_path / "pool"), source, images=ImageOptions(), crawl=crawl
    ).summary
    killer.join()
    assert len(killed) == 1
    assert (summary.succeeded, summary.shard_errors) == (2, {})


def test_a_shard_that_cannot_be_written_is_told_and_tried_again_by_the_next_start(
    web, write_metadata, tmp_path
):
    rows = [("ok", 1), ("ok", 2), ("changed", 3), ("ok", 4)]
    source, pool = FolderSource(str(write_metadata(web.url, rows))), tmp_path / "pool"
    pool.mkdir()
    (pool / "hash_mismatches").write_text("in the way")
    images = ImageOptions(shard_rows=2)
    summary = download_pool(str(pool), source, images=images, crawl=CRAWL).summary
    assert (summary.shards_done, summary.rows_tried, summary.is_complete) == (1, 2, False)
    assert list(summary.shard_errors) == ["00000001"]
    assert "hash_mismatches" in summary.shard_errors["00000001"]
    (pool / "hash_mismatches").unlink()
    web.asked.clear()
    summary = download_pool(str(pool), source, images=images, crawl=CRAWL).summary
    assert (summary.succeeded, summary.shard_errors, summary.is_complete) == (4, {}, True)
    assert sorted(web.asked) == ["/changed/3.jpg", "/ok/4.jpg"]


def test_when_everything_fails_the_rest_is_not_tried(web, write_metadata, tmp_path):
    rows = [("changed", number) for number in range(20)]
    source, pool = FolderSource(str(write_metadata(web.url, rows))), tmp_path / "pool"
    pool.mkdir()
    (pool / "hash_mismatches").write_text("in the way")
    crawl = CrawlOptions(processes=1, threads=2)
    images = ImageOptions(shard_rows=2)
    summary = download_pool(str(pool), source, images=images, crawl=crawl).summary
    assert sorted(summary.shard_errors) == [f"{n:08d}" for n in range(5)]
    assert len(web.asked) == 10


def test_rows_that_img2dataset_drops_are_counted(web, tmp_path):
    """A uid of bytes cannot go into the json member: img2dataset prints that, and goes on."""
    own = tmp_path / "own"
    own.mkdir()
    table = pa.table({"uid": [b"a" * 32], "url": [f"{web.url}/ok/1.jpg"], "text": ["one"]})
    pq.write_table(table, own / "web.parquet")
    summary = download_pool(
        str(tmp_path / "pool"),
        FolderSource(str(own)),
        images=ImageOptions(blur_faces=False),
        crawl=CRAWL,
    ).summary
    assert (summary.rows_tried, summary.succeeded) == (1, 0)
    assert summary.failures == {"not recorded by img2dataset": 1}


def difference(one, other, box):
    """Mean absolute difference of a part of two pictures, of 255."""
    parts = (np.asarray(image.convert("RGB").crop(box), float) for image in (one, other))
    return float(np.abs(np.subtract(*parts)).mean())
