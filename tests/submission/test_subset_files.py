"""Subset files: what a good one holds, and the code of everything that is none."""

import tracemalloc

import numpy as np
import pytest

from datacomp.errors import SubsetError
from datacomp.submission.checks import check_file
from datacomp.subset import Subset, read_subset, write_subset
from datacomp.subset.blocks import SubsetFacts, read_facts

UIDS = np.array([(1, 5), (1, 7), (1, 7), (2, 0)], "u8,u8")
HEADER = "{'descr': [('f0', '<u8'), ('f1', '<u8')], 'fortran_order': False, 'shape': (4,), }"


@pytest.fixture
def path(tmp_path):
    write_subset(Subset(UIDS), tmp_path / "good.npy", {})
    return tmp_path / "good.npy"


def npy(path, header, data=b"", version=1, length=None):
    text = header.encode() if isinstance(header, str) else header
    n_digits = 2 if version == 1 else 4
    size = (len(text) if length is None else length).to_bytes(n_digits, "little")
    path.write_bytes(b"\x93NUMPY" + bytes((version, 0)) + size + text + data)
    return path


def codes(path, **options):
    checked = check_file("subset", path, **options)
    assert not checked.facts
    return [finding.code for finding in checked.findings]


def test_a_good_one(path):
    checked = check_file("subset", path, stated=read_facts(path))

    assert checked.findings == ()
    assert checked.facts == {"sha256": Subset(UIDS).sha256, "n": 4, "n_unique": 3}


def test_it_is_not_the_one_of_the_report(path):
    stated = SubsetFacts("0" * 64, 4, 2)
    assert codes(path, stated=stated) == ["F107", "F107"]


def test_saved_by_numpy_itself(path):
    np.save(path, UIDS)
    assert check_file("subset", path).findings == ()


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (UIDS[::-1].copy(), "F105"),
        (UIDS[:0], "F106"),
        (UIDS.reshape(2, 2), "F103"),
        (np.array(UIDS[0]), "F103"),
        (UIDS["f0"], "F102"),
        (UIDS.astype(">u8,>u8"), "F102"),
        (UIDS.astype("i8,i8"), "F102"),
        (UIDS.astype([("a", "<u8"), ("b", "<u8")]), "F102"),
        (np.array(["0" * 32]), "F102"),
        (np.array([{"a": 1}]), "F102"),
        (UIDS.astype({"names": ["f0", "f1"], "formats": ["<u8"] * 2, "itemsize": 24}), "F102"),
    ],
)
def test_other_arrays(path, array, code):
    np.save(path, array, allow_pickle=True)
    assert codes(path) == [code]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (HEADER.replace("(4,)", f"({2**60},)"), "F104"),
        (HEADER.replace("(4,)", "(5,)"), "F104"),
        (HEADER.replace("(4,)", "(3,)"), "F104"),
        (HEADER.replace("(4,)", "(-4,)"), "F103"),
        (HEADER.replace("(4,)", "(True,)"), "F103"),
        (HEADER.replace("(4,)", "[4]"), "F103"),
        (HEADER.replace("(4,)", "4"), "F103"),
        (HEADER.replace("(4,)", "(4.0,)"), "F103"),
        (HEADER.replace("False", "True"), "F103"),
        (HEADER.replace("False", "0"), "F103"),
        (HEADER.replace("}", "'x': 1}"), "F101"),
        (HEADER.replace("'shape': (4,), ", ""), "F101"),
        ("", "F101"),
        ("(" * 4000, "F101"),
        ("-" * 4000 + "1", "F101"),
        ("[" * 90 + "]" * 90, "F101"),
        ("{**{}}", "F101"),
        ("__import__('os')", "F101"),
        (b"\xff\x00\x01", "F101"),
        ("'\\d'", "F101"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid escape sequence", "ignore:Reading `.npy`")
def test_headers_that_lie(path, header, code):
    assert codes(npy(path, header, UIDS.tobytes())) == [code]
    if header != HEADER.replace("False", "True"):  # harmless where there is one dimension
        with pytest.raises(SubsetError):
            read_subset(path)


@pytest.mark.parametrize("length", [65_535, 2**32 - 1])
def test_a_header_is_not_read_beyond_its_limit(path, length):
    tracemalloc.start()
    version = 1 if length < 2**16 else 2
    npy(path, HEADER + " " * 70_000, UIDS.tobytes(), version=version, length=length)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    assert codes(path) == ["F101"]
    with pytest.raises(SubsetError):
        read_subset(path)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()

    assert peak < 2**20


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPY", b"\x93NUMPY\x03\x00\x00\x00\x00\x00", b"\x80\x04N.", b"PK\x03\x04"],
)
def test_other_files(path, content):
    path.write_bytes(content)
    assert codes(path) == ["F101"]


@pytest.mark.parametrize("cut", [-1, -16])
def test_cut_off(path, cut):
    path.write_bytes(path.read_bytes()[:cut])
    assert codes(path) == ["F104"]


def test_bytes_behind_the_end(path):
    path.write_bytes(path.read_bytes() + b"\0" * 16)
    assert codes(path) == ["F104"]


def test_what_is_no_file(tmp_path):
    assert codes(tmp_path) == ["F001"]
    assert codes(tmp_path / "absent") == ["F001"]


def test_memory_does_not_grow_with_the_file(path):
    uids = np.zeros(2_000_000, "u8,u8")
    np.save(path, uids)
    del uids
    check_file("subset", path)  # loads what it needs
    tracemalloc.start()
    assert check_file("subset", path).facts["n"] == 2_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 16 * 2**20
