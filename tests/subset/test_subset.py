"""The subset and its files: round trip, numpy's bytes, and every refusal."""

import io
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import SubsetError
from datacomp.subset import UID_DTYPE, Subset, read_lock, read_subset, write_subset

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**64 - 1)), max_size=40)


def test_counts_tell_entries_and_different_uids(make_subset):
    subset = make_subset(7, 3, 7, 7)
    uids, counts = subset.counts()
    assert (subset.n, subset.n_unique) == (4, 2)
    assert (uids["f1"].tolist(), counts.tolist()) == ([3, 7], [1, 3])


def test_an_empty_subset_is_a_subset(make_subset, tmp_path):
    write_subset(make_subset(), tmp_path / "none.npy", {})
    subset = read_subset(tmp_path / "none.npy")
    assert (subset.n, subset.n_unique, subset.counts()[1].tolist()) == (0, 0, [])


def test_a_subset_cannot_be_changed(make_subset):
    with pytest.raises(ValueError, match="read-only"):
        make_subset(1).uids[0] = (0, 0)


@given(pairs=PAIRS)
def test_write_then_read_gives_the_same_subset_in_numpys_own_bytes(tmp_path_factory, pairs):
    subset = Subset.from_uids(np.array(pairs, UID_DTYPE))
    path = tmp_path_factory.mktemp("subset") / "a.npy"
    write_subset(subset, path, {"made_by": "test"})
    assert read_subset(path).sha256 == subset.sha256
    expected = io.BytesIO()
    np.save(expected, np.sort(np.array(pairs, "u8,u8")))
    assert path.read_bytes() == expected.getvalue()


def test_the_lock_carries_provenance_and_the_facts_of_the_subset(make_subset, tmp_path):
    subset = make_subset(1, 1, 2)
    write_subset(subset, tmp_path / "a.npy", {"operation": "test", "n": "overruled"})
    assert json.loads((tmp_path / "a.npy.lock.json").read_text()) == {
        "operation": "test",
        "n": 3,
        "n_unique": 2,
        "sha256": subset.sha256,
    }
    assert read_lock(tmp_path / "a.npy")["operation"] == "test"
    assert read_lock(tmp_path / "b.npy") is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npy", "a.npy.lock.json"]


def test_a_lock_that_is_not_an_object_is_refused(tmp_path):
    (tmp_path / "a.npy.lock.json").write_text("[1]")
    (tmp_path / "b.npy.lock.json").write_text("{")
    for name in ("a.npy", "b.npy"):
        with pytest.raises(SubsetError, match=f"{name}.lock.json"):
            read_lock(tmp_path / name)


def test_an_unsorted_array_is_no_subset(make_uids):
    with pytest.raises(SubsetError, match="entry 1"):
        Subset(make_uids(2, 1))


def save(folder, array):
    path = folder / "bad.npy"
    np.save(path, array, allow_pickle=array.dtype == object)
    return path


@pytest.mark.parametrize(
    "array",
    [
        np.array(["0" * 32]),
        np.zeros(4, np.uint64),
        np.zeros(4, ">u8,>u8"),
        np.array([{"uid": 1}], object),
        np.zeros((4, 2), np.uint64),
    ],
    ids=["strings", "one word", "big-endian", "pickled objects", "pairs of columns"],
)
def test_another_dtype_is_refused_naming_both(tmp_path, array):
    with pytest.raises(SubsetError, match=r"bad\.npy.*dtype is .*expected \[\('f0', '<u8'\)"):
        read_subset(save(tmp_path, array))


def test_more_dimensions_are_refused(tmp_path):
    with pytest.raises(SubsetError, match=r"\(2, 2\), expected 1-D"):
        read_subset(save(tmp_path, np.zeros((2, 2), UID_DTYPE)))
    with pytest.raises(SubsetError, match="2-D"):
        Subset(np.zeros((2, 2), UID_DTYPE))


def test_an_unsorted_file_is_refused_with_the_remedy(tmp_path, make_uids):
    with pytest.raises(SubsetError, match=r"entry 2 .*datacomp subset sort"):
        read_subset(save(tmp_path, make_uids(1, (1, 0), (0, 5))))


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0"])
def test_missing_or_surplus_bytes_are_refused_with_both_counts(tmp_path, make_uids, change):
    path = save(tmp_path, make_uids(1, 2))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(SubsetError, match=r"2 uids \(32 bytes\), 3[13] bytes follow"):
        read_subset(path)


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", pickle.dumps([1]), b"PK\x03\x04zip", b"uid\n"])
def test_a_file_that_is_not_npy_is_refused(tmp_path, data):
    path = tmp_path / "bad.npy"
    path.write_bytes(data)
    with pytest.raises(SubsetError, match=r"bad\.npy is not a uid subset"):
        read_subset(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SubsetError, match=r"gone\.npy"):
        read_subset(tmp_path / "gone.npy")


def test_a_subset_is_written_under_the_suffix_that_readers_expect(tmp_path, make_subset):
    with pytest.raises(SubsetError, match=r"\.npy"):
        write_subset(make_subset(1), tmp_path / "a.npz", {})
