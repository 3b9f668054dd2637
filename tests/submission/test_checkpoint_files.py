"""Checkpoint files: the header is judged as every reader of safetensors would."""

import json
import pickle
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save_file

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
