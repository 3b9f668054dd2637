"""`datacomp pool download` as a user types it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from datacomp.cli import download as cli
from datacomp.cli.pool import app
from datacomp.errors import PoolError, UsageError
from datacomp.pool import open_pool
from datacomp.pool.download import HUB_REPOS
from datacomp.pool.download.options import ENCODE_FORMATS, OUTPUT_FORMATS, RESIZE_MODES

PAGE = Path(__file__).parents[3] / "docs" / "download.md"


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def call(*words, exit_code=0):
    result = CliRunner().invoke(app, ["download", *words], catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    return result.stdout


def lines(output):
    """The facts by their labels."""
    assert max(len(line) for line in output.splitlines()) <= 80
    return {
        line.split()[0]: " ".join(line.split()[1:]) for line in output.splitlines() if line.strip()
    }


def test_a_pool_of_the_hub_comes_with_one_command(hub, web, table_bytes):
    rows = [("ok", 0), ("ok", 1), ("gone", 2), ("changed", 3)]
    commit = hub.commit({"part_0/aa.parquet": table_bytes(web.url, rows)})
    said = lines(call("--scale", "small", "--revision", "main", "-o", "pool"))
    assert said["from"] == f"mlfoundations/datacomp_small at {commit[:12]}"
    assert said["pictures"] == "3, 75.0% of the rows tried"
    assert said["hashes"].startswith("1 of 3 compared (33.3%) are not")
    assert said["not"] == "found (404, 410) 1 25.0%"
    assert said["next"] == "datacomp pool index pool"
    assert open_pool("pool").n_rows == 4


def test_json_tells_the_same(web, write_metadata):
    own = write_metadata(web.url, [("ok", 0), ("gone", 1)])
    report = json.loads(call("--metadata-dir", str(own), "-o", "pool", "--json"))
    assert report["summary"]["success_rate"] == 0.5
    assert report["summary"]["failures"] == {"not found (404, 410)": 1}


def test_rows_that_were_not_tried_are_a_failure(web, write_metadata, tmp_path):
    own = write_metadata(web.url, [("changed", 0)])
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "hash_mismatches").write_text("in the way")
    said = lines(call("--metadata-dir", str(own), "-o", "pool", exit_code=1))
    assert said["failed"].startswith("shard 00000000: ")
    assert said["missing"] == "1 shards; run the same command again"


def test_metadata_alone(write_metadata):
    own = write_metadata("http://127.0.0.1:9", [("ok", 0)])
    said = lines(call("--metadata-dir", str(own), "-o", "pool", "--skip-shards"))
    assert said["metadata"].startswith("1 files, ")
    assert "shards" not in said


@pytest.mark.parametrize("words", [[], ["--metadata-dir", "own", "--revision", "main"]])
def test_a_source_is_demanded_and_a_revision_is_the_hubs(words):
    with pytest.raises(UsageError, match="--metadata-dir"):
        call("-o", "pool", *words)


def test_a_refusal_leaves_no_empty_folder(tmp_path):
    with pytest.raises(PoolError, match="is not a pool"):
        call("-o", "pool", "--metadata-dir", str(tmp_path))
    assert not (tmp_path / "pool").exists()


def test_the_choices_are_the_librarys():
    assert [*cli.Scale] == [*HUB_REPOS]
    assert [*cli.ResizeMode] == [*RESIZE_MODES]
    assert [*cli.EncodeFormat] == [*ENCODE_FORMATS]
    assert [*cli.OutputFormat] == [*OUTPUT_FORMATS]


def test_the_page_explains_every_option():
    text = PAGE.read_text()
    options = [
        option for word in call("--help").split() if (option := word.strip("│")).startswith("--")
    ]
    assert len(options) > 20
    assert [option for option in options if f"`{option}" not in text] == ["--help"]


def test_own_data_come_with_one_option(web, tmp_path):
    urls = [f"{web.url}/ok/1.jpg", f"{web.url}/gone/2.jpg"]
    pq.write_table(pa.table({"url": urls, "caption": ["one", "two"]}), "mine.parquet")
    said = lines(call("--byod", "mine.parquet", "-o", "pool"))
    assert said["pictures"] == "1, 50.0% of the rows tried"
    assert open_pool("pool").n_rows == 2
    with pytest.raises(UsageError, match="--byod is all of a pool"):
        call("--byod", "mine.parquet", "--scale", "small", "-o", "pool")
