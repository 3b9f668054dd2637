"""What a plugin gave out: bytes, which are a subset of the pool or are refused."""

import io
import pickle
import tracemalloc

import numpy as np
import pytest

from datacomp.pool import open_pool
from datacomp.subset import UID_DTYPE, uids
from datacomp.worker.faults import UserFault
from datacomp.worker.tasks.filter import _checked


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


class Trap:
    def __reduce__(self):
        return (open, ("unpickled", "w"))


def header(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": UID_DTYPE.descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "F101"),
        (b"select: everything", "F101"),
        (pickle.dumps(Trap()), "F101"),
        (npy(np.array([Trap()], object)), "F102"),
        (header((10**15,)), "F104"),
        (header((-1,)), "F103"),
        (npy(np.array([(0, 2), (0, 1)], UID_DTYPE)), "F105"),
        (npy(np.array([(0, 1)], UID_DTYPE)) + b"more", "F104"),
        (npy(np.array([], UID_DTYPE)), "F106"),
        (npy(np.array([(0, 1), (0, 1), (0, 9), (0, 9)], UID_DTYPE)), "plugin_foreign"),
        (npy(np.array([(0, n) for n in range(9)], UID_DTYPE)), "plugin_foreign"),
    ],
)
def test_bytes_that_are_no_subset_of_the_pool_are_refused(
    tmp_path, plugin_pool, monkeypatch, data, code
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.npy").write_bytes(data)
    with pytest.raises(UserFault) as refused:
        _checked(tmp_path / "made.npy", open_pool(str(plugin_pool)))
    assert refused.value.code == code
    assert not (tmp_path / "unpickled").exists()


def test_a_uid_given_out_a_million_times_takes_no_more_memory(tmp_path, plugin_pool, monkeypatch):
    monkeypatch.setattr(uids, "are_many", lambda n: False)  # nothing is compiled meanwhile
    pool, made = open_pool(str(plugin_pool)), tmp_path / "made.npy"
    made.write_bytes(npy(np.repeat(np.array([(0, 1)], UID_DTYPE), 2**21)))
    tracemalloc.start()
    facts = _checked(made, pool)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (facts.n, facts.n_unique) == (2**21, 1)
    assert peak < 2**24, "the file has 2**25 bytes"
