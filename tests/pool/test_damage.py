"""Every kind of damage is found, named by file and sample, counted and recorded."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.pool import index_pool, open_pool
from datacomp.pool.manifest import PROBLEM_KINDS


def problems(folder, **options):
    """(kind, file, sample) of all problems, after checking that they are recorded."""
    report = index_pool(str(folder), **options)
    manifest = open_pool(str(folder)).require_manifest()
    assert manifest.problems == report.problems
    assert manifest.n_problems == len(report.problems)
    assert manifest.problem_counts.keys() <= PROBLEM_KINDS.keys()
    return [(p.kind, p.file, p.sample) for p in report.problems]


def only_problem(folder, **options):
    found = index_pool(str(folder), **options).problems
    assert len(found) == 1, found
    return found[0]


def test_a_whole_pool_has_no_problem(make_pool):
    assert problems(make_pool(), verify_images=True) == []


def test_a_truncated_tar_keeps_the_samples_before_the_cut(make_pool):
    folder = make_pool()
    cut = folder.tars[1].read_bytes()
    place = cut.index(b"000010003.jpg") + 600
    folder.tars[1].write_bytes(cut[:place])
    assert problems(folder) == [
        ("truncated_tar", "shards/00000001.tar", "000010003"),
        ("stats_mismatch", "shards/00000001_stats.json", None),
    ]
    detail = index_pool(str(folder)).problems[0].detail
    assert "ends inside member '000010003.jpg'" in detail
    assert "The 3 samples before it are intact; sample 000010003 is cut." in detail
    assert len(open_pool(str(folder)).samples()) == 18


def test_a_tar_cut_between_picture_and_text_loses_that_sample(make_pool):
    folder = make_pool(shards=1)
    data = folder.tars[0].read_bytes()
    folder.tars[0].write_bytes(data[: data.index(b"000000005.txt")])
    found = problems(folder)
    assert found[0] == ("truncated_tar", "shards/00000000.tar", "000000005")
    assert open_pool(str(folder)).require_manifest().n_samples == 5


def test_a_tar_without_its_end_mark_keeps_all_samples(make_pool):
    folder = make_pool(shards=1)
    data = folder.tars[0].read_bytes()
    folder.tars[0].write_bytes(
        data[: data.rindex(b"caption") + 512 - data.rindex(b"caption") % 512]
    )
    problem = only_problem(folder)
    assert (problem.kind, problem.sample) == ("truncated_tar", None)
    assert "without the end-of-archive mark" in problem.detail
    assert open_pool(str(folder)).require_manifest().n_samples == 20


def test_an_empty_tar_and_a_tar_of_nonsense_are_damaged(make_pool):
    folder = make_pool()
    folder.tars[0].write_bytes(b"")
    folder.tars[2].write_bytes(b"nonsense" * 1000)
    kinds = problems(folder)
    assert [entry for entry in kinds if entry[0] == "truncated_tar"] == [
        ("truncated_tar", "shards/00000000.tar", None),
        ("truncated_tar", "shards/00000002.tar", None),
    ]
    assert open_pool(str(folder)).require_manifest().n_samples == 10


def test_a_link_to_nowhere_is_a_file_that_cannot_be_read(make_pool):
    folder = make_pool()
    for file in (folder.tars[1], folder.parquet[1]):
        file.unlink()
        file.symlink_to("nowhere")
    found = problems(folder)
    assert found[0] == ("unreadable_parquet", f"metadata/{folder.parquet[1].name}", None)
    assert ("truncated_tar", "shards/00000001.tar", None) in found
    assert open_pool(str(folder)).n_rows == 10


def test_a_missing_shard_is_a_gap_and_the_later_ones_stay(make_pool):
    folder = make_pool()
    folder.tars[1].unlink()
    (folder.path / "shards" / "00000001_stats.json").unlink()
    assert problems(folder) == [("shard_gap", "shards/00000001.tar", None)]
    assert open_pool(str(folder)).require_manifest().n_samples == 15


def test_a_missing_last_shard_is_known_by_its_stats(make_pool):
    folder = make_pool()
    folder.tars[3].unlink()
    assert problems(folder) == [("shard_gap", "shards/00000003.tar", None)]


def test_a_corrupt_picture_is_found_when_asked_for(make_pool):
    folder = make_pool()
    members = folder.members(2)
    members["000020001.jpg"] = b"\xff\xd8" + bytes(500)
    folder.write_shard(2, members)
    assert problems(folder) == []
    assert problems(folder, verify_images=True) == [
        ("corrupt_image", "shards/00000002.tar", "000020001")
    ]
    # What was found once is not forgotten by an indexing that does not look.
    assert problems(folder) == [("corrupt_image", "shards/00000002.tar", "000020001")]


def test_a_null_caption_in_metadata_is_named_by_uid(make_pool):
    folder = make_pool()
    table = pq.read_table(folder.parquet[0])
    text = table["text"].to_pylist()
    text[4] = None
    pq.write_table(table.set_column(2, "text", pa.array(text)), folder.parquet[0])
    uid = table["uid"][4].as_py()
    assert problems(folder) == [("null_caption", f"metadata/{folder.parquet[0].name}", uid)]


def test_a_sample_without_text_is_readable_and_has_no_caption(make_pool):
    folder = make_pool()
    members = folder.members(0)
    del members["000000002.txt"]
    folder.write_shard(0, members)
    assert problems(folder) == [("null_caption", "shards/00000000.tar", "000000002")]
    samples = open_pool(str(folder)).samples()
    captions = [samples.read(i).caption for i in range(20)]
    assert captions.count(None) == 1


def test_samples_without_picture_or_uid_are_named(make_pool):
    folder = make_pool()
    members = folder.members(0)
    del members["000000000.jpg"]
    del members["000000001.json"]
    members["000000002.json"] = b"{"
    members["000000003.json"] = json.dumps({"uid": "short"}).encode()
    folder.write_shard(0, members)
    assert problems(folder)[:4] == [
        ("no_image", "shards/00000000.tar", "000000000"),
        ("no_uid", "shards/00000000.tar", "000000001"),
        ("no_uid", "shards/00000000.tar", "000000002"),
        ("no_uid", "shards/00000000.tar", "000000003"),
    ]


def test_json_that_is_too_deep_is_no_uid(make_pool):
    folder = make_pool()
    members = folder.members(0)
    members["000000001.json"] = b'{"uid": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    folder.write_shard(0, members)
    assert ("no_uid", "shards/00000000.tar", "000000001") in problems(folder)


def test_a_missing_column_is_named(make_pool):
    folder = make_pool()
    pq.write_table(pq.read_table(folder.parquet[1]).drop(["sha256"]), folder.parquet[1])
    problem = only_problem(folder)
    assert (problem.kind, problem.file) == (
        "missing_column",
        f"metadata/{folder.parquet[1].name}",
    )
    assert "has no column 'sha256'. It has: uid, url" in problem.detail


def test_a_file_without_uid_is_lost_and_said_to_be(make_pool):
    folder = make_pool()
    pq.write_table(pq.read_table(folder.parquet[1]).drop(["uid"]), folder.parquet[1])
    found = index_pool(str(folder)).problems
    assert found[0].kind == "missing_column"
    assert "its rows are lost" in found[0].detail
    assert open_pool(str(folder)).n_rows == 10


def test_an_unreadable_parquet_is_lost_and_said_to_be(make_pool):
    folder = make_pool()
    folder.parquet[0].write_bytes(folder.parquet[0].read_bytes()[:-20])
    found = problems(folder)
    assert found[0] == ("unreadable_parquet", f"metadata/{folder.parquet[0].name}", None)
    # Its rows' samples are now in no metadata file.
    assert [kind for kind, _, _ in found[1:]] == ["unknown_uid"] * 10
    manifest = open_pool(str(folder)).require_manifest()
    assert manifest.unreadable == (folder.parquet[0].stem,)
    assert manifest.n_rows == 10


def test_features_with_fewer_rows_are_named_with_both_counts(make_pool):
    folder = make_pool()
    np.savez(folder.npz[0], l14_img=np.zeros((8, 4), np.float16))
    problem = only_problem(folder)
    assert (problem.kind, problem.file) == ("feature_rows", f"metadata/{folder.npz[0].name}")
    assert problem.detail == "array 'l14_img' has 8 rows, the metadata file has 10"


def test_missing_and_unreadable_features_are_named(make_pool):
    folder = make_pool()
    folder.npz[1].write_bytes(b"nonsense")
    folder.npz[0].unlink()
    assert [kind for kind, _, _ in problems(folder)] == ["missing_features", "unreadable_features"]


def test_a_pool_without_any_features_or_stats_is_whole(make_pool):
    folder = make_pool()
    for file in (*folder.npz, *folder.stats):
        file.unlink()
    assert problems(folder) == []


def test_a_sample_that_metadata_does_not_know_is_named(make_pool):
    folder = make_pool()
    members = {**folder.members(3), **folder.sample(999, "000030005")}
    folder.write_shard(3, members)
    folder.stats[3].write_text(json.dumps({"successes": 6}))
    assert problems(folder) == [("unknown_uid", "shards/00000003.tar", "000030005")]


def test_a_repeated_uid_reads_the_first_sample_in_shard_order(make_pool):
    folder = make_pool()
    again = folder.sample(2, "000030005")
    again["000030005.txt"] = b"the second one"
    folder.write_shard(3, {**folder.members(3), **again})
    folder.stats[3].write_text(json.dumps({"successes": 6}))
    assert problems(folder) == [("duplicate_uid", "shards/00000003.tar", "000030005")]
    samples = open_pool(str(folder)).samples()
    twins = np.flatnonzero(samples.locate(samples.uids) != np.arange(len(samples)))
    assert samples.read(int(twins[0])).caption == "the second one"
    assert samples.read(int(twins[0]) - 1).caption == "caption of row 2"


def test_a_uid_that_metadata_repeats_is_named(make_pool):
    folder = make_pool()
    table = pq.read_table(folder.parquet[0])
    pq.write_table(pa.concat_tables([table, table.slice(3, 1)]), folder.parquet[0])
    folder.npz[0].unlink()
    folder.npz[0].unlink()
    uid = table["uid"][3].as_py()
    assert problems(folder) == [("duplicate_uid", f"metadata/{folder.parquet[0].name}", uid)]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"count": 5}', None])
def test_unreadable_stats_are_named(make_pool, content):
    folder = make_pool()
    if content is None:
        folder.stats[1].unlink()
    else:
        folder.stats[1].write_bytes(content)
    assert problems(folder) == [("unreadable_stats", "shards/00000001_stats.json", None)]


def test_stats_that_disagree_are_named_with_both_counts(make_pool):
    folder = make_pool()
    folder.stats[1].write_text(json.dumps({"successes": 7}))
    problem = only_problem(folder)
    assert (problem.kind, problem.file) == ("stats_mismatch", "shards/00000001_stats.json")
    assert problem.detail == "says 7 samples, 00000001.tar has 5 that can be read"


def test_rows_whose_picture_is_gone_are_counted_and_no_problem(make_pool):
    folder = make_pool()
    members = {n: d for n, d in folder.members(0).items() if not n.startswith("000000001")}
    folder.write_shard(0, members)
    folder.stats[0].write_text(json.dumps({"successes": 4}))
    report = index_pool(str(folder))
    assert report.problems == ()
    m = report.manifest
    assert (m.n_rows, m.n_samples, m.n_dead) == (20, 19, 1)


def test_more_problems_than_pool_json_lists_are_counted_and_kept(make_pool):
    folder = make_pool(rows=150, shards=1)
    folder.write_shard(0, {n: d for n, d in folder.members(0).items() if not n.endswith("txt")})
    report = index_pool(str(folder))
    manifest = open_pool(str(folder)).require_manifest()
    assert manifest.problem_counts == {"null_caption": 300}
    assert len(manifest.problems) == 200
    lines = (folder.path / "index" / manifest.index_id / "problems.jsonl").read_text().splitlines()
    assert [json.loads(line)["sample"] for line in lines] == [p.sample for p in report.problems]
