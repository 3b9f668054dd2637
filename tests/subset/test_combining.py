"""Operations on files: the same bytes as the operations in memory, whatever the limit."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacomp.errors import SubsetError, UsageError
from datacomp.subset import (
    UID_DTYPE,
    Subset,
    combining,
    external,
    intersect,
    minus,
    read_lock,
    read_subset,
    sample,
    uids,
    union,
    write_subset,
)
from datacomp.subset.combining import combine_files, sample_file, shared_uids, sort_file

WORD = st.sampled_from([0, 1, 2, 2**64 - 1])
PAIRS = st.lists(st.tuples(WORD, WORD), max_size=40)
OPERATIONS = {"union": union, "intersect": intersect, "minus": minus}


@pytest.fixture(autouse=True, scope="module", params=["few at once", "block by block"])
def small(request):
    """Files are small, or blocks are."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "few at once":
            patch.setattr(uids, "COMPILED_FROM", 0)
            patch.setattr(combining, "MOST_IN_BLOCK", 3)
        for module in (external, combining):
            patch.setattr(module, "LEAST_MEMORY", 0)
        patch.setattr(external, "TABLES", 0)
        patch.setattr(external, "LEAST_SHOWN", 2)
        yield


def subset_of(pairs):
    return Subset.from_uids(np.array(pairs, UID_DTYPE))


def save(folder, *many):
    paths = [folder / f"{number}.npy" for number in range(len(many))]
    for path, pairs in zip(paths, many, strict=True):
        write_subset(subset_of(pairs), path, {"operation": f"make {path.name}"})
    return paths


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=40)
@given(many=st.lists(PAIRS, min_size=2, max_size=4), limit=st.integers(500, 5000))
def test_combined_files_are_the_combined_subsets(tmp_path_factory, name, many, limit):
    folder = tmp_path_factory.mktemp("files")
    paths = save(folder, *many)
    facts = combine_files(name, paths, folder / "out.npy", limit)
    expected = reduce(OPERATIONS[name], map(subset_of, many))
    found = read_subset(folder / "out.npy")
    assert found.uids.tolist() == expected.uids.tolist()
    assert facts.sha256 == found.sha256 == read_lock(folder / "out.npy")["sha256"]
    assert (facts.n, facts.n_unique) == (found.n, found.n_unique)


@settings(max_examples=40)
@given(pairs=PAIRS, limit=st.integers(500, 5000))
def test_a_sorted_file_is_the_sorted_subset(tmp_path_factory, pairs, limit):
    folder = tmp_path_factory.mktemp("files")
    np.save(folder / "wild.npy", np.array(pairs, UID_DTYPE))
    sort_file(folder / "wild.npy", folder / "out.npy", limit)
    assert read_subset(folder / "out.npy").uids.tolist() == sorted(pairs)
    inputs = read_lock(folder / "out.npy")["inputs"]
    assert (inputs[0]["file"], inputs[0]["lock"]) == ("wild.npy", None)


@settings(max_examples=40)
@given(pairs=PAIRS, share=st.floats(0, 1), seed=st.integers(0, 3))
def test_a_sampled_file_is_the_sampled_subset(tmp_path_factory, pairs, share, seed):
    folder = tmp_path_factory.mktemp("files")
    (path,) = save(folder, pairs)
    sample_file(path, folder / "out.npy", 1000, fraction=share, seed=seed)
    expected = sample(subset_of(pairs), fraction=share, seed=seed)
    assert read_subset(folder / "out.npy").sha256 == expected.sha256


def test_the_result_may_replace_an_input_and_still_names_it(tmp_path):
    a, b = save(tmp_path, [(0, 1)], [(0, 2)])
    combine_files("union", [a, b], a, 1000)
    assert read_subset(a).uids.tolist() == [(0, 1), (0, 2)]
    assert [item["lock"]["operation"] for item in read_lock(a)["inputs"]] == [
        "make 0.npy",
        "make 1.npy",
    ]


@pytest.mark.parametrize("place", [1, 3, 19])
def test_an_unsorted_input_is_refused_where_the_order_breaks(tmp_path, place):
    (good,) = save(tmp_path, [(0, 1)])
    wild = np.zeros(20, UID_DTYPE)
    wild["f1"] = 7
    wild["f1"][place:] = 6
    np.save(tmp_path / "wild.npy", wild)
    for paths in ([good, tmp_path / "wild.npy"], [tmp_path / "wild.npy", good]):
        with pytest.raises(SubsetError, match=rf"wild.npy is not sorted: entry {place} .*sort"):
            combine_files("intersect", paths, tmp_path / "out.npy", 1000)
    assert not (tmp_path / "out.npy").exists()
    assert not (tmp_path / "out.npy.lock.json").exists()


def test_a_truncated_input_is_refused_before_anything_is_written(tmp_path):
    a, b = save(tmp_path, [(0, 1)], [(0, 2)])
    b.write_bytes(b.read_bytes()[:-1])
    with pytest.raises(SubsetError, match=r"1.npy is damaged.*15 bytes follow"):
        combine_files("union", [a, b], tmp_path / "out.npy", 1000)


def test_too_few_files_or_too_little_memory_is_refused(tmp_path, monkeypatch):
    (a,) = save(tmp_path, [(0, 1)])
    with pytest.raises(UsageError, match="two or more"):
        combine_files("union", [a], tmp_path / "out.npy", 1000)
    monkeypatch.setattr(combining, "LEAST_MEMORY", 4 * 2**20)
    for call in (
        lambda: combine_files("union", [a, a], tmp_path / "out.npy", 1000),
        lambda: sort_file(a, tmp_path / "out.npy", 1000),
        lambda: sample_file(a, tmp_path / "out.npy", 1000, n=1),
    ):
        with pytest.raises(UsageError, match="at least 4,194,304 bytes"):
            call()


@given(PAIRS, PAIRS)
@settings(max_examples=30)
def test_shared_uids_are_counted_once(tmp_path_factory, left, right):
    folder = tmp_path_factory.mktemp("shared")
    paths = [folder / "a.npy", folder / "b.npy"]
    for path, pairs in zip(paths, (left, right), strict=True):
        write_subset(Subset.from_uids(np.array(pairs, UID_DTYPE)), path, {})

    assert shared_uids(*paths, max_memory=2**20) == len(set(left) & set(right))
