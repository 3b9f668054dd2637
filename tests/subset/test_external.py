"""The spool: the same subset and file whatever its limit, the order, the repeats."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import SubsetError, UsageError
from datacomp.subset import UID_DTYPE, Subset, external, uids, write_subset
from datacomp.subset.external import SubsetSpool

WORD = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])
PAIRS = st.lists(st.tuples(WORD, WORD | st.integers(0, 2**64 - 1)), max_size=80)


@pytest.fixture(autouse=True, scope="module", params=["numpy", "compiled"])
def small(request):
    """No least limit, so that a few uids are many; both ways of sorting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uids, "COMPILED_FROM", 2**63 if request.param == "numpy" else 0)
        for name, value in (("TABLES", 0), ("LEAST_MEMORY", 0), ("LEAST_SHOWN", 2)):
            patch.setattr(external, name, value)
        yield


def spool_of(pairs, capacity, cuts=()):
    spool = SubsetSpool(32 * capacity)
    for piece in np.split(np.array(pairs, UID_DTYPE), sorted(cuts)):
        spool.add(piece)
    return spool


@given(PAIRS, st.integers(6, 90), st.lists(st.integers(0, 80), max_size=5))
def test_a_spool_holds_what_was_added_whatever_its_limit(pairs, capacity, cuts):
    spool = spool_of(pairs, capacity, cuts)
    for _ in range(2):
        assert spool.subset().uids.tolist() == sorted(pairs)
    spool.add(np.array([(1, 1)], UID_DTYPE))
    assert spool.subset().uids.tolist() == sorted([*pairs, (1, 1)])


@given(pairs=PAIRS, capacity=st.integers(6, 90))
def test_its_file_and_lock_are_those_of_write_subset(tmp_path_factory, pairs, capacity):
    folder = tmp_path_factory.mktemp("spool")
    subset = Subset.from_uids(np.array(pairs, UID_DTYPE))
    write_subset(subset, folder / "a.npy", {"made_by": "test"})
    facts = spool_of(pairs, capacity).write(folder / "b.npy", {"made_by": "test"})
    assert (facts.sha256, facts.n, facts.n_unique) == (subset.sha256, subset.n, subset.n_unique)
    for end in (".npy", ".npy.lock.json"):
        assert (folder / f"a{end}").read_bytes() == (folder / f"b{end}").read_bytes()


@pytest.mark.parametrize(
    "low",
    [
        np.zeros(5000),
        np.arange(5000),
        np.arange(5000)[::-1],
        np.arange(5000) % 7,
        2 ** (np.arange(5000) % 60),
    ],
    ids=["all equal", "sorted", "descending", "seven uids", "powers of two"],
)
def test_skewed_and_repeated_uids_stay_within_the_memory(low):
    added = np.zeros(5000, UID_DTYPE)
    added["f1"] = low
    spool = spool_of(added, 20)
    largest = max(len(block) for block in spool.blocks())
    assert largest <= 2 * 20 // 3
    assert (spool.subset().uids == np.sort(added)).all()


def test_nothing_is_left_in_the_folder(tmp_path):
    spool = SubsetSpool(32 * 6, tmp_path)
    spool.add(np.zeros(100, UID_DTYPE))
    assert list(tmp_path.iterdir()) == []
    del spool
    gc.collect()


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    spool_of([(0, 1)], 6).write(tmp_path / "a.npy", {})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"not JSON compliant|out of range"):
        spool_of([(0, 2)], 6).write(tmp_path / "a.npy", {"bad": float("nan")})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(SubsetError, match=r"\.npy"):
        spool_of([(0, 2)], 6).write(tmp_path / "a.txt", {})


def test_a_limit_that_leaves_no_room_is_refused(monkeypatch):
    monkeypatch.setattr(external, "LEAST_MEMORY", 3 * 2**20)
    with pytest.raises(UsageError, match="at least 3,145,728 bytes, got 1,048,576"):
        SubsetSpool(2**20)
