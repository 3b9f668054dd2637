"""Checkpoint files: the header as every reader of safetensors judges it; then the values."""

import json
import pickle
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save_file

from datacomp.submission.checkpoint_file import BLOCK_BYTES, Tensor
from datacomp.submission.checks import check_file

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def write(path, header, data=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def codes(path):
    checked = check_file("checkpoint", path)
    assert not checked.facts
    return [finding.code for finding in checked.findings]


def test_a_good_one(path):
    tensors = {"a": np.ones((3, 4), np.float32), "b": np.array(7), "none": np.ones((0, 2))}
    save_file(tensors, path, {"datacomp": "{}"})

    checked = check_file("checkpoint", path)

    assert checked.findings == ()
    assert checked.facts == {"n_tensors": 3, "n_parameters": 13}


def tensor(**values):
    return {"a": F32 | values}


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (tensor(data_offsets=[0, 2**40]), "F205"),
        (tensor(shape=[2**40]), "F205"),
        (tensor(shape=[2**62, 2**62]), "F205"),
        (tensor(shape=[-2]), "F204"),
        (tensor(shape=[2.0]), "F203"),
        (tensor(shape=[True]), "F204"),
        (tensor(shape=2), "F204"),
        (tensor(shape=[1] * 9), "F204"),
        (tensor(data_offsets=[8, 0]), "F204"),
        (tensor(data_offsets=[-8, 0]), "F204"),
        (tensor(data_offsets=[0]), "F204"),
        (tensor(dtype="F99"), "F204"),
        (tensor(dtype=["F32"]), "F204"),
        (tensor(more=1), "F204"),
        ({"a": 1}, "F204"),
        ({"a" * 600: F32}, "F204"),
        (tensor(data_offsets=[8, 16]), "F206"),
        ({"a": F32, "b": F32}, "F206"),
        ({"a": F32, "b": F32 | {"data_offsets": [4, 12]}}, "F206"),
        ({"a": F32, "b": F32 | {"data_offsets": [8, 16]}}, "F206"),
        (tensor(shape=[1], data_offsets=[0, 4]), "F206"),
        ({}, "F203"),
        ([], "F203"),
        ({"__metadata__": {}}, "F203"),
        ({"__metadata__": {"a": 1}} | tensor(), "F203"),
        (b'{"a": NaN}', "F203"),
        (b'{"a": 1, "a": 2}', "F203"),
        (json.dumps(tensor())[:-2].encode() + b', "dtype": "I32"}}', "F203"),
        (b"\xff\xfe", "F203"),
        (b"[" * 100_000, "F203"),
        (b'{"a":' * 50_000, "F203"),
        (b'{"a": ' + b"9" * 5000 + b"}", "F203"),
    ],
)
def test_headers_that_lie(path, header, code):
    assert codes(write(path, header)) == [code]


@pytest.mark.parametrize("content", [b"", b"1234567", b"\xff" * 100, bytes(8), bytes(100)])
def test_other_files(path, content):
    path.write_bytes(content)
    assert codes(path) == ["F201"]


def test_pickles_are_named_as_such(path):
    path.write_bytes(pickle.dumps({"a": 1}))
    assert codes(path) == ["F207"]
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    assert codes(path) == ["F207"]


def test_memory_is_bounded_by_the_header_that_is_read(path):
    write(path, b'{"a": ' + b" " * 100 * 2**20 + b"1}")
    tracemalloc.start()
    assert codes(path) == ["F202"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20

    write(path, b"[" + b"[]," * 349_000 + b"1]")
    tracemalloc.start()
    assert codes(path) == ["F203"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


EXPECTED = {"a": Tensor("F32", (2, 3)), "n": Tensor("I64", ())}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"a": np.ones((3, 2), np.float32), "n": np.array(1)}, "shape [3, 2], expected F32"),
        ({"a": np.ones((2, 3), np.float16), "n": np.array(1)}, "a is F16 of"),
        ({"a": np.ones((2, 3), np.float32)}, "no tensor n"),
        ({"a": np.ones((2, 3), np.float32), "n": np.array(1), "m\u202e": np.ones(1)}, r"'m\u202e'"),
    ],
)
def test_tensors_of_another_model(path, tensors, said):
    save_file(tensors, path)
    checked = check_file("checkpoint", path, tensors=EXPECTED)

    (finding,) = checked.findings
    assert finding.code == "F208"
    assert said in finding.message


def test_many_differences_are_told_shortly(path):
    save_file({f"other{n}": np.ones(1) for n in range(1000)}, path)
    (finding,) = check_file("checkpoint", path, tensors=EXPECTED).findings

    assert "and 999 more" in finding.message
    assert len(finding.message) < 400


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("place", [0, 7, 999])
def test_a_value_that_is_no_number(path, kind, bad, place):
    values = np.full(1000, 1e4, kind)
    values[place] = bad
    save_file({"a": np.ones(3), "b": values, "c": np.full(5, -1)}, path)

    (finding,) = check_file("checkpoint", path).findings
    assert finding.code == "F209"
    assert f"'b': value {place:,} is" in finding.message


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("BF16", b"\x7f\x7f\xff\xff", b"\x80\x7f"),
        ("F8_E5M2", b"\x7b\xfb", b"\x7c"),
        ("F8_E4M3", b"\x7e\xfe", b"\xff"),
    ],
)
def test_floats_that_numpy_does_not_know(path, dtype, good, bad):
    size = len(bad)

    def entry(data):
        shape = [len(data) // size]
        return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}

    assert not check_file("checkpoint", write(path, entry(good[:size]), good[:size])).findings
    assert codes(write(path, entry(good[:size] + bad), good[:size] + bad)) == ["F209"]


def test_values_are_read_in_blocks(path):
    values = np.ones(4 * BLOCK_BYTES // 4 + 1, np.float32)
    values[-1] = np.inf
    save_file({"a": values}, path)
    tracemalloc.start()
    (finding,) = check_file("checkpoint", path).findings
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert f"value {4 * BLOCK_BYTES // 4:,} is" in finding.message
    assert peak < 4 * BLOCK_BYTES
