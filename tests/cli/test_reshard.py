"""`datacomp reshard` as a user types it; what it writes is tested in tests/shards."""

import io
import json
import os
import subprocess
import sys
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from datacomp.cli.reshard import app
from datacomp.errors import ShardsError, SubsetError, UsageError
from datacomp.pool import index_pool
from datacomp.subset import Subset, parse_uids, write_subset

UIDS = [f"{number:032x}" for number in range(1, 9)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A pool of six samples and a dead row, one.npy, and strange.npy with a uid of no pool."""
    monkeypatch.chdir(tmp_path)
    for folder in ("metadata", "shards"):
        (tmp_path / "pool" / folder).mkdir(parents=True)
    with tarfile.open("pool/shards/00000000.tar", "w") as tar:
        for uid in UIDS[:6]:
            members = {"jpg": b"picture", "json": json.dumps({"uid": uid}).encode(), "txt": b"hi"}
            for suffix, data in members.items():
                info = tarfile.TarInfo(f"{uid[-4:]}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    pq.write_table(pa.table({"uid": UIDS[:7], "text": ["hi"] * 7}), "pool/metadata/a.parquet")
    index_pool("pool")
    for name, uids in (("mine", UIDS[1:7] * 2), ("strange", [UIDS[0], UIDS[7]])):
        write_subset(Subset.from_uids(parse_uids(uids)), f"{name}.npy", {})
    return tmp_path


def call(*words):
    arguments = ["--pool", "pool", "-o", "out", *words]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_says_what_it_wrote_and_what_it_left_out(here):
    output = call("--subset", "mine.npy", "--samples-per-shard", "4")
    assert "3, up to 4 samples in each" in output
    assert "10, 5 different" in output
    assert "2 entries have no sample (dead links): left out" in output
    assert "out/{00000000..00000002}.tar" in output
    assert all(len(line) <= 80 for line in output.splitlines())


def test_again_it_says_what_was_there(here):
    call("--subset", "mine.npy")
    assert "1 were there before" in call("--subset", "mine.npy", "--workers", "2")


def test_without_a_subset_the_whole_pool_is_written(here):
    assert json.loads(call("--json"))["manifest"]["samples"] == 6


def test_a_dry_run_prints_the_sizes_and_writes_nothing(here):
    output = call("--subset", "mine.npy", "--dry-run")
    assert "10, 5 different; 0.0 MB" in output
    assert "nothing was written" in output
    facts = json.loads(call("--subset", "mine.npy", "--dry-run", "--json"))
    assert (facts["dry_run"], facts["samples"], facts["no_sample"]) == (True, 10, 2)
    assert not (here / "out").exists()


def test_json_holds_the_manifest(here):
    facts = json.loads(call("--subset", "mine.npy", "--json"))
    assert facts["manifest"] == json.loads((here / "out" / "shards.json").read_text())


def test_uids_of_no_pool_are_refused_or_counted(here):
    with pytest.raises(SubsetError, match="lacks 1 entry"):
        call("--subset", "strange.npy")
    assert "1 entries are not in the pool: left out" in call(
        "--subset", "strange.npy", "--missing", "skip"
    )


def test_another_reshard_is_refused_or_overwritten(here):
    call("--subset", "mine.npy")
    with pytest.raises(ShardsError, match="--overwrite"):
        call("--samples-per-shard", "1")
    call("--samples-per-shard", "1", "--overwrite")
    assert len(list((here / "out").glob("*.tar"))) == 6


def test_a_url_to_write_to_is_refused(here):
    with pytest.raises(UsageError, match="local folder"):
        call("--subset", "mine.npy", "-o", "s3://bucket/shards")


def test_a_refusal_exits_with_1_and_one_line(here):
    words = ["reshard", "--pool", "pool", "--subset", "strange.npy", "-o", "out"]
    result = subprocess.run(
        [sys.executable, "-m", "datacomp", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: the pool pool lacks 1 entry")
    assert "Traceback" not in result.stderr
