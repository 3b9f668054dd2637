"""The fingerprint of a part: every value counts, layout does not, and no file is read twice."""

import io
import os
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import PoolError
from datacomp.filtering.fingerprint import Fingerprints, column_digest
from datacomp.filtering.spec import StepSpec
from datacomp.pool import open_pool
from datacomp.pool.indexing import index_pool

OLD = 1_600_000_000


def step(*columns, features=(), images=False):
    return StepSpec("s", 1, "t", {}, columns, features, {}, {}, images, {"y": "float"}, {}, "cpu")


def fingerprint(pool, store="/nowhere/scores", spec=None):
    return Fingerprints(pool, Path(store)).of(pool.parts[0], spec or step("x"))


def aged(pool):
    """The pool opened again, its files written long ago, each at a time of its own."""
    for number, file in enumerate(sorted(Path(pool.url).rglob("*.*"))):
        os.utime(file, (OLD, OLD + number))
    return open_pool(pool.url)


@pytest.fixture
def reads(monkeypatch):
    """What is digested from now on."""
    done = []

    def digest(self, part, read):
        done.append((part.name, *read))
        return original(self, part, read)

    original = Fingerprints._digest
    monkeypatch.setattr(Fingerprints, "_digest", digest)
    return done


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["a", None], ["a", ""]),
        ([1, None], [1, 0]),
        ([1.0, 2.0], [1.0, 2.5]),
        ([True, False], [True, None]),
        ([[1.0], [2.0]], [[1.0, 2.0], []]),
        ([[1.0], None], [[1.0], []]),
        ([[[1.0]], []], [[], [[1.0]]]),
        ([b"a", b""], [b"", b"a"]),
        ([{"k": 1}, {"k": 2}], [{"k": 1}, {"k": 3}]),
        ([{"k": 1}, None], [{"k": 1}, {"k": None}]),
        ([{"k": "a", "l": ""}], [{"k": "", "l": "a"}]),
        (pa.array([1, 2], pa.timestamp("us")), pa.array([1, 3], pa.timestamp("us"))),
        (pa.array([1, 2], pa.int32()), pa.array([1, 2], pa.int64())),
        (pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "a"]).dictionary_encode()),
    ],
)
def test_different_values_have_different_fingerprints(make_pool, a, b):
    assert fingerprint(make_pool({"x": a})) != fingerprint(make_pool({"x": b}))


@pytest.mark.parametrize(
    "values",
    [
        ["a", None, "", "ccc", "d"],
        [1, None, 3, 4, None],
        [1.5, None, 0.0, -1.0, 2.0],
        [True, None, False, True, False],
        [[1, 2], None, [], [3], [None]],
        [[[0.5]], None, [], [[], [1.0, 2.0]], [None]],
        [{"k": 1}, None, {"k": None}, {"k": 4}, {"k": 5}],
        [b"x", None, b"", b"yy", b"z"],
        pa.array(["a", "b", "a", None, "c"]).dictionary_encode(),
    ],
)
def test_chunks_slices_and_what_lies_under_nulls_do_not_count(values):
    whole = pa.array(values)
    padded = pa.concat_arrays([whole[:2], whole])
    pieces = [padded[2:3], whole[1:1], padded[3:6], whole[4:]]
    assert column_digest(pa.chunked_array(pieces)) == column_digest(pa.chunked_array([whole]))


def test_garbage_under_nulls_does_not_count():
    numbers = pa.array([1, 2, 3], pa.int64())
    valid = pa.py_buffer(b"\x05")
    garbage = pa.Array.from_buffers(pa.int64(), 3, [valid, numbers.buffers()[1]])
    text = pa.array(["a", "rubbish", "c"])
    hidden = pa.Array.from_buffers(pa.string(), 3, [valid, *text.buffers()[1:]])
    for masked, plain in ((garbage, pa.array([1, None, 3])), (hidden, pa.array(["a", None, "c"]))):
        assert column_digest(pa.chunked_array([masked])) == column_digest(pa.chunked_array([plain]))


def test_the_uids_count(make_pool):
    uids = [f"{n:032x}" for n in (7, 8)]
    assert fingerprint(make_pool({"x": [1, 2]})) != fingerprint(
        make_pool({"x": [1, 2], "uid": uids})
    )


def test_the_names_of_columns_count(make_pool):
    pool = make_pool({"x": [1], "y": [1]})
    assert fingerprint(pool, spec=step("x")) != fingerprint(pool, spec=step("y"))


def test_features_count_and_their_files_are_watched(make_pool, tmp_path):
    spec = step(features=("l14_img",))
    before = aged(make_pool({"x": [1, 2]}, features=np.zeros((2, 4), np.float16)))
    first = fingerprint(before, tmp_path, spec)
    after = make_pool({"x": [1, 2]}, features=np.ones((2, 4), np.float16))
    assert fingerprint(after, tmp_path, spec) != first


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.list_(pa.int8())])
def test_an_empty_part_has_a_fingerprint(make_pool, kind):
    assert len(fingerprint(make_pool({"x": pa.array([], kind)}))) == 64


def test_planning_again_reads_nothing(make_pool, tmp_path, reads):
    pool = aged(make_pool({"x": [1], "y": ["a"]}, {"x": [2], "y": ["b"]}))
    first = [Fingerprints(pool, tmp_path).of(part, step("x")) for part in pool.parts]
    assert sorted(set(reads)) == sorted(reads)
    assert {kind for _, kind, _ in reads} == {"uids", "column"}
    reads.clear()
    assert [Fingerprints(pool, tmp_path).of(part, step("x")) for part in pool.parts] == first
    assert reads == []
    Fingerprints(pool, tmp_path).of(pool.parts[1], step("x", "y"))
    assert reads == [("0001", "column", "y")]


def test_the_index_spares_reading_the_uids(make_pool, tmp_path, reads):
    bare = make_pool({"x": [1, 2]})
    first = fingerprint(bare)
    index_pool(bare.url)
    reads.clear()
    assert fingerprint(open_pool(bare.url)) == first
    assert reads == [("0000", "column", "x")]


def test_a_changed_file_is_read_again_and_the_same_rows_in_it_are_the_same(
    make_pool, tmp_path, reads
):
    pool = aged(make_pool({"x": ["a", "b"]}, {"x": ["c", "d"]}))
    first = [Fingerprints(pool, tmp_path).of(part, step("x")) for part in pool.parts]
    file = Path(pool.url, pool.path(pool.parts[1]))
    pq.write_table(pq.read_table(file), file, row_group_size=1, compression="none")
    reads.clear()
    again = Fingerprints(open_pool(pool.url), tmp_path)
    assert [again.of(part, step("x")) for part in pool.parts] == first
    assert reads == [("0001", "uids", ""), ("0001", "column", "x")]


def test_a_change_that_leaves_the_size_is_seen_by_the_stamp(make_pool, tmp_path):
    first = fingerprint(aged(make_pool({"x": ["a", "b"]})), tmp_path)
    changed = make_pool({"x": ["a", "c"]})
    assert fingerprint(changed, tmp_path) != first


def test_a_file_as_young_as_a_tick_of_the_clock_is_not_relied_on(make_pool, tmp_path):
    pool = make_pool({"x": ["a", "b"]})
    stamp = Path(pool.url, "metadata", "0000.parquet").stat().st_mtime_ns
    first = fingerprint(pool, tmp_path)
    changed = make_pool({"x": ["a", "c"]})
    os.utime(Path(pool.url, "metadata", "0000.parquet"), ns=(stamp, stamp))
    assert fingerprint(changed, tmp_path) != first


def shard(pool, pictures):
    """Write one shard of pictures given by uid, index the pool, and open it."""
    (Path(pool.url) / "shards").mkdir(exist_ok=True)
    with tarfile.open(Path(pool.url) / "shards" / "00000000.tar", "w") as tar:
        for uid, picture in pictures.items():
            for name, data in (("jpg", picture), ("json", f'{{"uid": "{uid:032x}"}}'.encode())):
                info = tarfile.TarInfo(f"{uid:09d}.{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    index_pool(pool.url)
    return open_pool(pool.url)


def test_a_picture_that_arrives_or_changes_counts_for_its_part_alone(make_pool, tmp_path):
    bare = make_pool({"x": [0, 1]}, {"x": [2]})
    seen = []
    for pictures in ({0: b"jpeg"}, {0: b"jpeg", 1: b"new"}, {0: b"other", 1: b"new"}):
        pool = shard(bare, pictures)
        at = Fingerprints(pool, tmp_path)
        seen.append([at.of(part, step("x", images=True)) for part in pool.parts])
    first, second = zip(*seen, strict=True)
    assert len(set(first)) == 3
    assert len(set(second)) == 1


def test_pictures_without_an_index_are_refused_with_the_remedy(make_pool, tmp_path):
    with pytest.raises(PoolError, match="datacomp pool index"):
        fingerprint(make_pool({"x": [1]}), tmp_path, step(images=True))


def test_torn_lines_lose_only_themselves(make_pool, tmp_path, reads):
    pool = aged(make_pool({"x": [1]}, {"x": [2]}))
    both = Fingerprints(pool, tmp_path)
    first = [both.of(part, step("x")) for part in pool.parts]
    (memo,) = tmp_path.rglob("*.jsonl")
    memo.write_bytes(b'[1, 2]\n{"a": 3}\n\xff\n' + memo.read_bytes()[:-20])
    reads.clear()
    again = Fingerprints(pool, tmp_path)
    assert [again.of(part, step("x")) for part in pool.parts] == first
    assert reads == [("0001", "column", "x")]
    reads.clear()
    assert Fingerprints(pool, tmp_path).of(pool.parts[1], step("x")) == first[1]
    assert reads == []


def test_a_store_that_cannot_be_written_is_planned_with_all_the_same(make_pool, tmp_path):
    pool = aged(make_pool({"x": [1]}))
    (tmp_path / "file").touch()
    assert fingerprint(pool, tmp_path / "file") == fingerprint(pool, tmp_path / "scores")


def test_a_pool_behind_a_url_is_remembered_too(tmp_path, reads):
    fs = fsspec.filesystem("memory")
    table = pa.table({"uid": [f"{1:032x}"], "x": [1]})
    with fs.open("/fingerprints/metadata/0000.parquet", "wb") as file:
        pq.write_table(table, file)
    pool = open_pool("memory://fingerprints")
    first = fingerprint(pool, tmp_path)
    reads.clear()
    assert fingerprint(open_pool("memory://fingerprints"), tmp_path) == first
    assert reads == []
    with fs.open("/fingerprints/metadata/0000.parquet", "wb") as file:
        pq.write_table(table.set_column(1, "x", [[2]]), file)
    assert fingerprint(open_pool("memory://fingerprints"), tmp_path) != first
