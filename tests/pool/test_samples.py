"""Random access to samples: the right bytes for every uid, and refusal when a shard changed."""

import io
import json
import pickle
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import PoolError
from datacomp.pool import index_pool, open_pool
from datacomp.pool.samples import search_uids
from datacomp.subset.uids import UID_DTYPE, parse_uids, sort_uids

WORDS = st.sampled_from([0, 1, 2**63, 2**64 - 1])
UIDS = st.lists(st.tuples(WORDS, WORDS), max_size=40)


@given(UIDS, UIDS)
def test_search_finds_the_first_equal_uid(known, wanted):
    ordered = sort_uids(np.array(known, UID_DTYPE))
    listed = ordered.tolist()
    expected = [listed.index(uid) if uid in listed else -1 for uid in wanted]
    assert search_uids(ordered, np.array(wanted, UID_DTYPE)).tolist() == expected


@pytest.mark.parametrize("url", ["local", "memory://pools/test_samples"])
def test_every_sample_reads_as_tarfile_reads_it(make_pool, url):
    folder = make_pool()
    url = str(folder) if url == "local" else folder.upload(url)
    index_pool(url)
    samples = open_pool(url).samples()
    assert len(samples) == 20
    for shard, tar in enumerate(folder.tars):
        members = folder.members(shard)
        for name, data in members.items():
            key, _, suffix = name.partition(".")
            if suffix != "jpg":
                continue
            uid = json.loads(members[f"{key}.json"])["uid"]
            sample = samples.read(int(samples.locate(parse_uids([uid]))[0]))
            assert (sample.uid, sample.key, sample.shard) == (uid, key, tar.name)
            assert sample.image == data
            assert sample.caption == members[f"{key}.txt"].decode()


def test_golden_shards_read_as_tarfile_reads_them(tmp_path):
    golden = Path(__file__).parent.parent / "golden"
    (tmp_path / "metadata").mkdir()
    name = "7ba25908482a14c7e00a4cb4af273375"
    for suffix in ("parquet", "npz"):
        file = golden / "pool" / f"{name}.{suffix}"
        (tmp_path / "metadata" / file.name).symlink_to(file)
    (tmp_path / "shards").symlink_to(golden / "shards")
    report = index_pool(str(tmp_path), verify_images=True)
    assert report.problems == ()
    assert (report.manifest.n_rows, report.manifest.n_samples) == (2000, 196)
    pool = open_pool(str(tmp_path))
    samples, table = pool.samples(), pool.read(pool.parts[0], ["uid", "text"])
    texts = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
    read = {(s.shard, s.key): s for s in map(samples.read, range(len(samples)))}
    for tar in sorted((golden / "shards").glob("*.tar")):
        with tarfile.open(tar) as archive:
            for info in archive:
                if info.name.endswith(".jpg"):
                    sample = read.pop((tar.name, info.name.removesuffix(".jpg")))
                    assert sample.image == archive.extractfile(info).read()
                    assert sample.caption == texts[sample.uid]
                    assert sample.decode().mode == "RGB"
    assert not read


def test_an_absent_uid_is_minus_one(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    samples = open_pool(str(folder)).samples()
    wanted = parse_uids([folder.uid(3), folder.uid(999), folder.uid(0)])
    found = samples.locate(wanted)
    assert found[1] == -1
    assert np.array_equal(samples.uids[found[[0, 2]]], wanted[[0, 2]])


def test_it_travels_to_another_process_without_its_arrays(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    samples = open_pool(str(folder)).samples()
    data = pickle.dumps(samples)
    assert len(data) < 2000
    assert pickle.loads(data).read(7) == samples.read(7)  # noqa: S301 - our own bytes, in a test


def test_many_threads_read_what_one_reads(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    samples = open_pool(str(folder)).samples()
    positions = list(range(20)) * 10
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(samples.read, positions)) == [samples.read(p) for p in positions]


def test_a_shard_that_changed_under_an_open_index_is_refused(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    samples = open_pool(str(folder)).samples()
    last = int(samples.locate(parse_uids([folder.uid(4)]))[0])
    whole = folder.tars[0].read_bytes()
    folder.tars[0].write_bytes(bytes(512) + whole)
    with pytest.raises(
        PoolError, match=r"00000000.tar is not the file that was indexed: sample '0"
    ):
        samples.read(last)
    folder.tars[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PoolError, match=r"00000000.tar is not the file that was indexed"):
        samples.read(last)
    folder.tars[0].unlink()
    with pytest.raises(PoolError, match=r"shards/00000000.tar, sample '000000004': cannot be read"):
        samples.read(last)


def test_a_damaged_picture_is_named_with_shard_sample_and_uid(make_pool):
    folder = make_pool()
    members = folder.members(1)
    members["000010002.jpg"] = members["000010002.jpg"][:100]
    folder.write_shard(1, members)
    index_pool(str(folder))
    samples = open_pool(str(folder)).samples()
    sample = samples.read(int(samples.locate(parse_uids([folder.uid(7)]))[0]))
    with pytest.raises(PoolError, match=f"00000001.tar.*'000010002'.*{folder.uid(7)}"):
        sample.decode()


def test_png_and_members_in_any_order_are_read(make_pool):
    folder = make_pool(parts=1, rows=1, shards=1)
    members = folder.sample(0, "a/b/000")
    png = io.BytesIO()
    open_pool(str(folder))
    members = {name: members[name] for name in sorted(members, reverse=True)}
    members["a/b/000.png"] = members.pop("a/b/000.jpg")
    folder.write_shard(0, members)
    index_pool(str(folder))
    sample = open_pool(str(folder)).samples().read(0)
    assert (sample.key, sample.caption) == ("a/b/000", "caption of row 0")
    assert sample.image == folder.jpeg(0) != png.getvalue()
