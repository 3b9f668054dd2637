"""What a reshard writes: members, names, order, shards; what it counts, and what it refuses."""

import gc
import hashlib
import json
import os
import shutil
import tarfile
from functools import partial

import numpy as np
import pytest

from datacomp.errors import PoolError, ShardsError, SubsetError, UsageError
from datacomp.files import write_bytes
from datacomp.pool import open_pool
from datacomp.pool.folder import Folder
from datacomp.shards import Duplicates, Layout, Missing, checks, reshard, tasks
from datacomp.shards.places import read_places
from datacomp.subset import format_uids, read_subset

TWO_SHARDS = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_copies_follow_each_other_and_are_numbered(lab):
    pool = lab.pool(TWO_SHARDS)
    reshard(pool, lab.subset(7, 2, 7, 7, 0), lab.path / "out")
    uid = lab.uid
    assert lab.keys(lab.path / "out") == [
        f"{uid(0)}-0",
        f"{uid(2)}-0",
        *(f"{uid(7)}-{copy}" for copy in range(3)),
    ]


def test_more_than_ten_copies_have_longer_names(lab):
    pool = lab.pool(TWO_SHARDS)
    reshard(pool, lab.subset(*[3] * 120), lab.path / "out")
    assert lab.keys(lab.path / "out") == [f"{lab.uid(3)}-{copy}" for copy in range(120)]


def test_every_member_is_copied_whatever_its_suffix(lab):
    row = lab.row(1, extra={"seg.PNG": b"mask", "cls": b"", "npy": b"x" * 3000})
    pool = lab.pool([[0, row, 2]])
    reshard(pool, lab.subset(1), lab.path / "out")
    members = dict(lab.members(lab.path / "out"))
    uid = lab.uid(1)
    assert members == {
        f"{uid}-0.jpg": lab.jpeg(1),
        f"{uid}-0.json": json.dumps({"uid": uid, "key": "000000001"}).encode(),
        f"{uid}-0.txt": b"caption 1",
        f"{uid}-0.seg.png": b"mask",
        f"{uid}-0.cls": b"",
        f"{uid}-0.npy": b"x" * 3000,
    }


@pytest.mark.parametrize("compiled_from", [0, 5000])
def test_files_of_no_sample_are_left_out(lab, monkeypatch, compiled_from):
    monkeypatch.setattr(tasks, "COMPILED_FROM", compiled_from)
    pool = lab.pool([[0, 1]])
    path = lab.path / "pool" / "shards" / "00000000.tar"
    strangers = ["._{}", "__MACOSX__/{}", "README", "000000000"]
    members = [
        each
        for place, member in enumerate(lab.members(path))
        for each in ((strangers[place % 4].format(member[0]), b"x"), member)
    ]
    reshard(pool, lab.subset(0, 1), lab.path / "clean")
    lab.write_tar(path, members, tarfile.GNU_FORMAT)
    reshard(lab.index(lab.path / "pool"), lab.subset(0, 1), lab.path / "out")
    assert lab.members(lab.path / "out") == lab.members(lab.path / "clean")


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_that_are_not_utf_8_keep_their_bytes(lab, form):
    rows = [lab.row(0, key="\udce9", extra={"caf\udce9": b"x"}), lab.row(1, key="\udce8")]
    reshard(lab.pool([rows], form=form), lab.subset(0, 1), lab.path / "out")
    names = [name for name, _ in lab.members(lab.path / "out")]
    first = [f"{lab.uid(0)}-0.{suffix}" for suffix in ("jpg", "json", "txt", "caf\udce9")]
    assert names == first + [f"{lab.uid(1)}-0.{suffix}" for suffix in ("jpg", "json", "txt")]


def test_owner_time_and_mode_are_those_of_the_pool(lab):
    reshard(lab.pool(TWO_SHARDS), lab.subset(1), lab.path / "out")
    with tarfile.open(lab.path / "out" / "00000000.tar") as tar:
        found = {(info.uname, info.mtime, info.mode) for info in tar}
    assert found == {("bigdata", 1_700_000_000, 0o444)}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_keys_in_folders_and_long_names_are_read_in_every_form(lab, form):
    long = "folder/" * 20 + "key"
    pool = lab.pool([[lab.row(0, key="a/b"), lab.row(1, key=long), lab.row(2)]], form=form)
    reshard(pool, lab.subset(0, 1, 1, 2), lab.path / "out")
    names = [name for name, _ in lab.members(lab.path / "out") if name.endswith(".jpg")]
    order = [(0, 0), (1, 0), (1, 1), (2, 0)]
    assert names == [f"{lab.uid(number)}-{copy}.jpg" for number, copy in order]


def test_a_suffix_too_long_for_a_plain_header_is_kept(lab):
    suffix = "x" * 90
    pool = lab.pool([[lab.row(0, extra={suffix: b"content"})]])
    reshard(pool, lab.subset(0), lab.path / "out")
    assert (f"{lab.uid(0)}-0.{suffix}", b"content") in lab.members(lab.path / "out")


def test_output_shard_k_holds_the_entries_from_k_times_its_size(lab):
    pool = lab.pool(TWO_SHARDS)
    subset = lab.subset(*range(10), 3, 3, 8)
    out = lab.path / "out"
    report = reshard(pool, subset, out, layout=Layout(samples_per_shard=4))
    order = [0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 8, 9]
    for shard in range(4):
        expected = order[shard * 4 : shard * 4 + 4]
        keys = lab.keys(out / f"{shard:08d}.tar")
        assert [key[:32] for key in keys] == [lab.uid(number) for number in expected]
        stats = json.loads((out / f"{shard:08d}_stats.json").read_text())
        assert stats == {"successes": len(expected)}
    assert (report.written, report.reused, report.manifest["samples"]) == (4, 0, 13)


@pytest.mark.parametrize("compiled_from", [0, 5000])
def test_the_places_of_all_samples_stand_beside_their_tar(lab, monkeypatch, compiled_from):
    monkeypatch.setattr(tasks, "COMPILED_FROM", compiled_from)
    long = lab.row(1, extra={"x" * 90: b"content"})
    out = lab.path / "out"
    pool = lab.pool([[0, long, 2, 3], [4, 5]])
    reshard(pool, lab.subset(0, 1, 1, 2, 4, 5), out, layout=Layout(samples_per_shard=4))
    for shard, n in (("00000000", 4), ("00000001", 2)):
        read = partial(Folder(str(out)).read_range, f"{shard}_samples.npy")
        uids, offsets = read_places(read, 0, n)
        with tarfile.open(out / f"{shard}.tar") as tar:
            infos = tar.getmembers()
        starts = [info.offset for info in infos if info.name.endswith(".jpg")]
        assert offsets.tolist() == [
            *starts,
            -(-(infos[-1].offset_data + infos[-1].size) // 512) * 512,
        ]
        assert format_uids(uids) == [key[:32] for key in lab.keys(out / f"{shard}.tar")]
    with pytest.raises(ShardsError, match="there is no sample 2"):
        read_places(read, 1, 3)


def test_the_bytes_do_not_depend_on_workers(lab):
    pool, subset = lab.pool(TWO_SHARDS), lab.subset(*range(10), 3, 3, 8)
    for workers in (1, 2, 3):
        out = lab.path / f"out{workers}"
        reshard(pool, subset, out, layout=Layout(samples_per_shard=3), workers=workers)
        assert lab.tree(out) == lab.tree(lab.path / "out1")


def test_the_manifest_says_what_stands_there(lab):
    pool, subset, out = lab.pool(TWO_SHARDS), lab.subset(1, 1, 8), lab.path / "out"
    report = reshard(pool, subset, out, layout=Layout(samples_per_shard=2), sha256=True)
    manifest = json.loads((out / "shards.json").read_text())
    assert manifest == report.manifest
    assert manifest["identity"]["pool_id"] == pool.require_manifest().pool_id
    assert manifest["identity"]["subset_sha256"] == subset.sha256
    for shard in manifest["shards"]:
        data = (out / shard["name"]).read_bytes()
        assert (shard["bytes"], shard["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert manifest["bytes"] == report.n_bytes


def test_nothing_is_hashed_unless_asked_for(lab):
    report = reshard(lab.pool(TWO_SHARDS), lab.subset(1), lab.path / "out")
    assert [shard["sha256"] for shard in report.manifest["shards"]] == [None]


def test_a_dry_run_tells_the_sizes_and_writes_nothing(lab):
    pool, subset, out = lab.pool(TWO_SHARDS), lab.subset(1, 1, 8), lab.path / "out"
    layout = Layout(samples_per_shard=2)
    would = reshard(pool, subset, out, layout=layout, dry_run=True)
    assert (would.manifest, would.plan.n_entries, would.plan.n_shards) == (None, 3, 2)
    assert not out.exists()
    sizes = would.plan.n_bytes().tolist()
    reshard(pool, subset, out, layout=layout)
    assert sizes == [path.stat().st_size for path in sorted(out.glob("*.tar"))]


def test_the_first_of_several_samples_with_a_uid_is_written(lab):
    again = lab.row(1, extra={"txt": b"the second one"})
    pool = lab.pool([[0, 1], [again, 2]], metadata=[0, 1, 2])
    report = reshard(pool, lab.subset(1, 1), lab.path / "out")
    uid = lab.uid(1)
    captions = {n: data for n, data in lab.members(lab.path / "out") if n.endswith("txt")}
    assert captions == {f"{uid}-0.txt": b"caption 1", f"{uid}-1.txt": b"caption 1"}
    assert report.manifest["uids_with_several_samples"] == 1


def test_all_of_several_samples_are_written_as_the_original_does(lab):
    again = lab.row(1, extra={"txt": b"the second one"})
    pool = lab.pool([[0, 1], [again, 2]], metadata=[0, 1, 2])
    layout = Layout(duplicates=Duplicates.ALL)
    reshard(pool, lab.subset(1, 1, 2), lab.path / "out", layout=layout)
    captions = [d for n, d in lab.members(lab.path / "out") if n.endswith("txt")]
    assert captions == [b"caption 1"] * 2 + [b"the second one"] * 2 + [b"caption 2"]


def test_input_shards_are_chosen_by_number(lab):
    pool = lab.pool([[0, 1], [2, 3], [4, 5]])
    layout = Layout(first_shard=1, num_shards=1)
    report = reshard(pool, lab.subset(0, 2, 3, 5), lab.path / "out", layout=layout)
    assert [key[:32] for key in lab.keys(lab.path / "out")] == [lab.uid(2), lab.uid(3)]
    assert report.manifest["skipped"]["other_input_shards"] == {"entries": 2}


def test_uids_that_the_pool_lacks_are_refused_or_counted(lab):
    pool, subset = lab.pool(TWO_SHARDS), lab.subset(1, 77, 77, 78)
    out = lab.path / "out"
    with pytest.raises(SubsetError, match=r"lacks 3 entries of the subset \(2 uids: "):
        reshard(pool, subset, out)
    report = reshard(pool, subset, out, missing=Missing.SKIP)
    unknown = report.manifest["skipped"]["unknown_uid"]
    assert (unknown["entries"], unknown["uids"]) == (3, 2)
    assert sorted(unknown["first"]) == sorted([lab.uid(77), lab.uid(78)])
    assert read_subset(out / "skipped.npy").sha256 == lab.subset(77, 77, 78).sha256


def test_a_row_without_a_picture_is_a_dead_link(lab):
    pool = lab.pool(TWO_SHARDS, metadata=range(12))
    report = reshard(pool, lab.subset(1, 10, 11), lab.path / "out")
    assert report.manifest["skipped"]["no_sample"]["entries"] == 2


def test_a_row_whose_picture_may_be_in_a_lost_shard_is_refused(lab):
    pool = lab.pool([[0, 1], [2, 3], [4, 5]])
    shutil.rmtree(lab.path / "pool" / "index")
    (lab.path / "pool" / "shards" / "00000001.tar").unlink()
    pool = lab.index(lab.path / "pool")
    out = lab.path / "out"
    reshard(pool, lab.subset(0, 5), out)
    with pytest.raises(SubsetError, match=r"lack 1 entry .* the pool lost \(1 shard_gap"):
        reshard(pool, lab.subset(0, 2, 5), lab.path / "other")
    report = reshard(pool, lab.subset(0, 2, 5), lab.path / "other", missing=Missing.SKIP)
    assert report.manifest["pool_problems"]["shard_gap"] == 1


def test_the_samples_before_a_cut_are_whole(lab):
    lab.pool(TWO_SHARDS)
    shard = lab.path / "pool" / "shards" / "00000001.tar"
    with tarfile.open(shard) as tar:
        last = tar.getmembers()[-1]
    os.truncate(shard, last.offset_data + last.size)
    pool, out = lab.index(lab.path / "pool"), lab.path / "out"
    report = reshard(pool, lab.subset(0, 8, 9), out)
    assert lab.members(out)[-1] == (f"{lab.uid(9)}-0.txt", b"caption 9")
    assert report.manifest["pool_problems"]["truncated_tar"] == 1


def test_samples_larger_than_a_batch_are_copied(lab, monkeypatch):
    from datacomp.shards import writer

    monkeypatch.setattr(writer, "BATCH_BYTES", 1024)
    pool, subset = lab.pool(TWO_SHARDS), lab.subset(0, 1, 1, 8)
    reshard(pool, subset, lab.path / "small")
    monkeypatch.undo()
    reshard(pool, subset, lab.path / "large")
    assert lab.tree(lab.path / "small") == lab.tree(lab.path / "large")


def test_a_subset_of_which_nothing_is_there_is_refused(lab):
    pool = lab.pool(TWO_SHARDS, metadata=range(12))
    with pytest.raises(SubsetError, match="nothing to write"):
        reshard(pool, lab.subset(11), lab.path / "out")


def test_a_shard_that_was_touched_since_is_named(lab):
    pool = lab.pool(TWO_SHARDS)
    shard = lab.path / "pool" / "shards" / "00000001.tar"
    os.utime(shard, ns=(1, 1))
    pool = open_pool(str(pool.url))
    reshard(pool, lab.subset(0), lab.path / "out0")
    with pytest.raises(PoolError, match=r"00000001.tar was changed since it was indexed"):
        reshard(pool, lab.subset(0, 5), lab.path / "out")


def test_a_shard_that_changes_under_the_run_is_named(lab):
    pool = lab.pool(TWO_SHARDS)
    shard = lab.path / "pool" / "shards" / "00000001.tar"
    stat = shard.stat()
    data = bytearray(shard.read_bytes())
    write_bytes(shard, bytes(data[10240:]) + bytes(10240))
    os.utime(shard, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    with pytest.raises(ShardsError, match=r"00000001.tar is not the file that was indexed"):
        reshard(pool, lab.subset(0, 5), lab.path / "out", layout=Layout(samples_per_shard=1))
    assert (lab.path / "out" / "00000000.tar").is_file()
    assert not (lab.path / "out" / "00000001.tar").exists()


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_shard_that_is_gone_or_cut_under_the_run_is_named(lab, damage):
    pool = lab.pool(TWO_SHARDS)
    shard = lab.path / "pool" / "shards" / "00000000.tar"
    if damage == "gone":
        shard.unlink()
    else:
        os.truncate(shard, 700)
    with pytest.raises(ShardsError, match=r"00000000.tar"):
        reshard(pool, lab.subset(0, 4), lab.path / "out")


def test_a_pool_in_a_store_gives_the_same_bytes(lab):
    import fsspec

    pool, subset = lab.pool(TWO_SHARDS), lab.subset(0, 1, 1, 4, 6, 9)
    reshard(pool, subset, lab.path / "local")
    fs = fsspec.filesystem("memory")
    fs.put(str(lab.path / "pool"), "/reshard-pool", recursive=True)
    reshard(open_pool("memory://reshard-pool"), subset, lab.path / "remote")
    assert lab.tree(lab.path / "local") == lab.tree(lab.path / "remote")


def test_a_folder_in_the_pool_or_around_it_is_refused(lab):
    pool = lab.pool(TWO_SHARDS)
    for out in (lab.path / "pool" / "shards", lab.path / "pool", lab.path):
        with pytest.raises(UsageError, match="must be apart"):
            reshard(pool, lab.subset(0), out, overwrite=True)


def test_a_disk_that_is_too_small_is_refused_with_numbers(lab, monkeypatch):
    monkeypatch.setattr(checks, "free_bytes", lambda out: 5_000)
    with pytest.raises(ShardsError, match=r"need 0\.00 GB more, .* has 0\.00 GB free"):
        reshard(lab.pool(TWO_SHARDS), lab.subset(0), lab.path / "out")


def test_a_disk_that_fills_up_leaves_no_half_shard(lab, monkeypatch):
    from datacomp.shards import writer

    def full(task):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer._Work, "batches", lambda self: full(self))
    with pytest.raises(ShardsError, match="No space left on device"):
        reshard(lab.pool(TWO_SHARDS), lab.subset(0), lab.path / "out")
    assert sorted(lab.tree(lab.path / "out")) == [".reshard.jsonl"]


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_named(lab, out):
    pool = lab.pool([[0]])
    (lab.path / "file").write_text("in the way")
    with pytest.raises(ShardsError, match=f"{out} cannot be written"):
        reshard(pool, lab.subset(0), lab.path / out)


def test_a_disk_that_is_full_at_the_manifest_keeps_the_shards(lab, monkeypatch):
    from datacomp.shards import output

    def full(*_):
        raise OSError(28, "No space left on device")

    pool, subset, out = lab.pool([[0]]), lab.subset(0), lab.path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(output, "write_json", full)
        with pytest.raises(ShardsError, match="No space left on device"):
            reshard(pool, subset, out)
    assert reshard(pool, subset, out).reused == 1


def test_two_ways_to_rename_write_the_same_bytes(lab, monkeypatch):
    from datacomp.shards import tasks

    numbers = np.random.default_rng(0).integers(0, 60, 90).tolist()
    rows = [lab.row(n, extra={"seg.PNG": b"m" * n}) for n in range(60)]
    odd = [lab.row(100, key="folder/" * 20 + "k"), lab.row(101, extra={"ü": b"umlaut"})]
    pool = lab.pool([rows[:30], [*odd, *rows[30:]]])
    subset = lab.subset(*numbers, 100, 100, 101)
    reshard(pool, subset, lab.path / "python")
    monkeypatch.setattr(tasks, "COMPILED_FROM", 0)
    reshard(pool, subset, lab.path / "compiled")
    assert lab.tree(lab.path / "python") == lab.tree(lab.path / "compiled")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_what_was_written(lab):
    wds = pytest.importorskip("webdataset")
    pool, out = lab.pool(TWO_SHARDS), lab.path / "out"
    reshard(pool, lab.subset(1, 1, 8), out, layout=Layout(samples_per_shard=2))
    urls = [str(path) for path in sorted(out.glob("*.tar"))]
    samples = list(wds.WebDataset(urls, shardshuffle=False, empty_check=False))
    assert [sample["__key__"][32:] for sample in samples] == ["-0", "-1", "-0"]
    assert [sample["txt"] for sample in samples] == [b"caption 1"] * 2 + [b"caption 8"]
    gc.collect()  # webdataset leaves its files to the collector


def test_what_was_written_is_indexed_as_a_pool(lab):
    pool = lab.pool(TWO_SHARDS)
    made = lab.path / "made"
    reshard(pool, lab.subset(1, 8), made / "shards")
    shutil.copytree(lab.path / "pool" / "metadata", made / "metadata")
    samples = lab.index(made).samples()
    found = {samples.read(position).caption for position in range(len(samples))}
    assert found == {"caption 1", "caption 8"}
