"""The same members as the original resharder, on the pool and the subsets that it was run on."""

import hashlib
import json
import tarfile

import pytest

from datacomp.errors import SubsetError
from datacomp.shards import Layout, Missing, reshard
from datacomp.subset import read_subset

FIFTY = Layout(samples_per_shard=50)


def listing(folder):
    """Name, size and md5 of every member of every tar."""
    tars = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            tars[path.name] = [
                [info.name, info.size, hashlib.md5(tar.extractfile(info).read()).hexdigest()]
                for info in tar
            ]
    return tars


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ("npy/basic_filter.npy", "reshard_basic_filter.json"),
        ("reshard/reshard_dups_absent.npy", "reshard_reshard_dups_absent.json"),
    ],
)
def test_the_members_are_those_of_the_original(
    golden, golden_pool, tmp_path, subset, expected, workers
):
    chosen, out = read_subset(golden / subset), tmp_path / "out"
    reshard(golden_pool, chosen, out, layout=FIFTY, missing=Missing.SKIP, workers=workers)
    answer = json.loads((golden / "reshard" / expected).read_text())
    assert listing(out) == answer["tars"]
    assert {path.name: json.loads(path.read_text()) for path in out.glob("*_stats.json")} == answer[
        "stats"
    ]


def test_what_the_original_turned_into_garbage_is_refused(golden):
    with pytest.raises(SubsetError, match="is not sorted"):
        read_subset(golden / "reshard" / "reshard_unsorted.npy")


def test_absent_uids_are_refused_with_their_number_and_names(golden, golden_pool, tmp_path):
    chosen = read_subset(golden / "reshard" / "reshard_dups_absent.npy")
    with pytest.raises(SubsetError, match="lacks 2 entries") as caught:
        reshard(golden_pool, chosen, tmp_path / "out")
    assert "00000000000000010000000000000002, ffffffffffffffff0000000000000005" in str(caught.value)
    assert "--missing skip" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_rows_whose_picture_is_gone_are_counted_and_kept_on_record(golden, golden_pool, tmp_path):
    out = tmp_path / "out"
    chosen = read_subset(golden / "npy" / "basic_filter.npy")
    report = reshard(golden_pool, chosen, out)
    skipped = report.manifest["skipped"]
    assert (skipped["no_sample"]["entries"], report.manifest["samples"]) == (1536, 171)
    assert read_subset(out / "skipped.npy").n == 1536
