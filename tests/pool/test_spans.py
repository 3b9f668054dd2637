"""The bytes of a whole sample, headers and padding too, and whether a shard is what was indexed."""

import io
import os
import tarfile

import numpy as np
import pytest

from datacomp.errors import PoolError
from datacomp.pool import index_pool, open_pool, shard_index
from datacomp.pool.samples import SAMPLE_DTYPE


def samples_of(folder):
    index_pool(str(folder))
    return open_pool(str(folder)).samples()


def span(folder, samples, position):
    row = samples.samples[position]
    data = (folder.path / "shards" / samples.shards[row["shard"]]).read_bytes()
    start = int(row["span_offset"])
    return data[start : start + int(row["span_size"])]


def names(data):
    with tarfile.open(fileobj=io.BytesIO(data + bytes(1024))) as tar:
        return tar.getnames()


def test_a_span_is_a_tar_of_the_sample_alone(make_pool):
    folder = make_pool()
    samples = samples_of(folder)
    for position in range(len(samples)):
        key = samples.keys[position].decode()
        found = names(span(folder, samples, position))
        assert found == [f"{key}.jpg", f"{key}.json", f"{key}.txt"]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_span_begins_with_the_headers_of_a_long_name(make_pool, form):
    folder, key = make_pool(shards=1), "long/" * 30 + "key"
    with tarfile.open(folder.tars[0], "w", format=form) as tar:
        for name, data in {**folder.sample(0, "short"), **folder.sample(1, key)}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    samples = samples_of(folder)
    position = [k.decode() for k in samples.keys].index(key)
    assert names(span(folder, samples, position)) == [f"{key}.jpg", f"{key}.json", f"{key}.txt"]


def test_a_span_holds_members_of_other_kinds_too(make_pool):
    folder = make_pool()
    sample = folder.sample(0, "000000000")
    folder.write_shard(0, {**sample, "000000000.cls": b"7", **folder.sample(1, "000000001")})
    samples = samples_of(folder)
    position = [k.decode() for k in samples.keys].index("000000000")
    assert names(span(folder, samples, position))[-1] == "000000000.cls"


def test_files_of_no_sample_part_none(make_pool):
    folder = make_pool(shards=1)
    strangers = [".hidden.jpg", "README", "000000000", "__MACOSX__/000000000.png", "__index__"]
    files = iter(strangers)
    members = {}
    for row in (0, 1):
        for name, data in folder.sample(row, f"{row:09d}").items():
            members |= {name: data, f"._{name}": b"macOS", next(files, f"{name}~"): b"x"}
    folder.write_shard(0, members)
    samples = samples_of(folder)
    assert {samples.read(row).caption for row in range(2)} == {
        "caption of row 0",
        "caption of row 1",
    }


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_keys_in_any_letters_and_any_bytes_are_read(make_pool, form):
    folder, keys = make_pool(shards=1), ["ключ", "latin-\udce9", "latin-\udce8"]
    with tarfile.open(folder.tars[0], "w", format=form, errors="surrogateescape") as tar:
        for row, key in enumerate(keys):
            for name, data in folder.sample(row, key).items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    samples = samples_of(folder)
    found = {samples.read(row).key: samples.read(row).caption for row in range(3)}
    assert found == {
        "ключ": "caption of row 0",
        "latin-\\xe9": "caption of row 1",
        "latin-\\xe8": "caption of row 2",
    }


def test_a_suffix_that_comes_again_begins_another_sample(make_pool):
    folder = make_pool(shards=1)
    with tarfile.open(folder.tars[0], "w") as tar:
        for row in (0, 1):
            for name, data in folder.sample(row, "same").items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    samples = samples_of(folder)
    captions = {samples.read(position).caption for position in range(len(samples))}
    assert captions == {"caption of row 0", "caption of row 1"}


def test_an_index_of_an_older_version_names_the_remedy(make_pool):
    folder = make_pool()
    manifest = index_pool(str(folder)).manifest
    path = folder.path / "index" / manifest.index_id / "samples.npy"
    older = [name for name in SAMPLE_DTYPE.names if not name.startswith("span")]
    np.save(path, np.load(path)[older])
    with pytest.raises(PoolError, match="older version"):
        open_pool(str(folder)).samples()


def test_a_shard_with_another_time_has_changed(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    os.utime(folder.tars[1], ns=(1, 1))
    pool = open_pool(str(folder))
    assert [shard_index.has_changed(pool.folder, shard) for shard in pool.shards] == [
        False,
        True,
        False,
        False,
    ]


def test_a_pool_that_was_copied_to_a_store_has_not_changed(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    pool = open_pool(folder.upload("memory://pools/test_spans"))
    assert not any(shard_index.has_changed(pool.folder, shard) for shard in pool.shards)
