"""Own data: rows of url and caption, read in a process that is bounded."""

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.pool.pairs import PairsId
from datacomp.submission import byod_file
from datacomp.submission.byod_file import check_pool, read_pairs
from datacomp.submission.checked import BadFileError
from datacomp.submission.checks import check_file

URL, CAPTION = "https://pictures.example/1.jpg", "a café"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "byod.parquet"


def write(path, urls=(URL,) * 3, captions=(CAPTION,) * 3, **options):
    table = pa.table({"url": pa.array(urls), "caption": pa.array(captions)})
    pq.write_table(table, path, **options)
    return path


def code(path):
    """By the reader itself, in this process: for files that are only wrong."""
    try:
        byod_file._demand_footer(path)
        read_pairs(path)
    except BadFileError as error:
        return error.finding.code


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False, "compression": "zstd"}])
def test_a_good_one(path, options):
    write(path, [f"{URL}?{i}" for i in range(10_000)], [CAPTION] * 10_000, **options)

    assert read_pairs(path).rows == 10_000


def test_through_its_own_process(path):
    known = PairsId()
    known.add([URL] * 3, [CAPTION] * 3)
    assert check_file("byod", write(path)).facts == {"rows": 3, "pool_id": known.pool_id}

    write(path, urls=["file:///etc/passwd"] * 3)
    assert [finding.code for finding in check_file("byod", path).findings] == ["F306"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/x",
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "https://a.example/x y",
        "https://a.example/\r\nHost: b",
        "//a.example",
        "",
        None,
        "https://a.example/" + "x" * 5000,
    ],
)
def test_an_address_that_is_none(path, url):
    assert code(write(path, urls=[URL, URL, url])) == "F306"


@pytest.mark.parametrize("caption", [None, "x" * 70_000])
def test_a_caption_that_is_none(path, caption):
    assert code(write(path, captions=["", CAPTION, caption])) == "F306"


def test_text_that_is_no_text(path):
    bad = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    assert code(write(path, urls=[URL], captions=bad)) == "F306"


@pytest.mark.parametrize(
    "columns",
    [
        {"url": [URL]},
        {"url": [URL], "text": [CAPTION]},
        {"url": [URL], "caption": [CAPTION], "more": [1]},
        {"url": [[URL]], "caption": [CAPTION]},
        {"url": [{"a": URL}], "caption": [CAPTION]},
        {"url": [1], "caption": [CAPTION]},
        {"url": [b"x"], "caption": [CAPTION]},
    ],
)
def test_other_columns(path, columns):
    pq.write_table(pa.table(columns), path)
    assert code(path) == "F303"


def test_no_rows(path):
    assert code(write(path, pa.array([], pa.string()), pa.array([], pa.string()))) == "F304"


def test_more_rows_than_anybody_trains_on(path, monkeypatch):
    monkeypatch.setattr(byod_file, "MAX_ROWS", 2)
    assert code(write(path)) == "F304"


def test_a_footer_that_promises_too_much(path, monkeypatch):
    monkeypatch.setattr(byod_file, "MAX_UNCOMPRESSED_BYTES", 10)
    assert code(write(path)) == "F305"


def test_row_groups_that_take_too_much_memory(path, monkeypatch):
    monkeypatch.setattr(byod_file, "MAX_GROUP_ROWS", 2)
    assert code(write(path)) == "F305"
    assert read_pairs(write(path, row_group_size=2)).rows == 3


def test_a_footer_that_is_too_large(path, monkeypatch):
    monkeypatch.setattr(byod_file, "MAX_FOOTER_BYTES", 100)
    assert code(write(path)) == "F302"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"PAR1PAR1PAR1",
        lambda data: data[:-1],
        lambda data: data[:-8] + (2**31).to_bytes(4, "little") + b"PAR1",
        lambda data: b"PAR1" + data[-200:],
        lambda data: data[:4] + bytes(len(data) // 2) + data[4 + len(data) // 2 :],
    ],
)
def test_damaged(path, damage):
    path.write_bytes(damage(write(path).read_bytes()))
    assert code(path) == "F301"


def test_one_long_text_a_million_times_is_never_written_out(path):
    """24 GB if it were."""
    n, text = 400_000, "x" * 60_000
    values = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), [text])
    write(path, urls=pa.DictionaryArray.from_arrays(values.indices, [URL]), captions=values)
    assert path.stat().st_size < 100_000

    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));"
        "from pathlib import Path; from datacomp.submission.byod_file import read_pairs;"
        "sys.exit(read_pairs(Path(sys.argv[1])).rows != 400_000)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)


def test_a_reader_that_dies_is_the_files_fault(path, monkeypatch):
    write(path)
    monkeypatch.setattr(byod_file.sys, "executable", "/bin/false")

    assert [finding.code for finding in check_file("byod", path).findings] == ["F307"]


def test_data_are_the_pool_that_a_run_names_or_another():
    facts = {"rows": 3, "pool_id": 64 * "a"}

    assert check_pool(facts, 64 * "a") == []
    assert check_pool(facts, "sources-" + 64 * "a") == []  # tars: nobody can tell
    (other,) = check_pool(facts, 64 * "b")
    assert other.code == "F308"
    assert "3 pairs" in other.message
