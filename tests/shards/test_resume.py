"""Stopped anywhere and started again: the same bytes, nothing finished written twice."""

import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest

from datacomp.errors import ShardsError
from datacomp.pool import open_pool
from datacomp.shards import Duplicates, Layout, reshard
from datacomp.subset import write_subset

LAYOUT = Layout(samples_per_shard=3)
SHARDS = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
# 10 entries, 4 shards; a uid that metadata has and no shard, so that skipped.npy is written too.
CHOSEN = range(11)

# Kills itself at the n-th time that a file is made durable or gets its name ("file"), or that its
# parent hears of a finished shard ("record").
KILLED = """
import os, signal, sys
from pathlib import Path
from datacomp.pool import open_pool
from datacomp.shards import Layout, reshard
from datacomp.shards.output import Output
from datacomp.subset import read_subset

def main():
    pool, subset, out, moment, workers, what = sys.argv[1:]
    left = int(moment)

    def killing(function):
        def call(*arguments, **options):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)
        return call

    if what == "file":
        os.fsync, os.replace = killing(os.fsync), killing(os.replace)
    else:
        Output.record = killing(Output.record)
    reshard(open_pool(pool), read_subset(subset), Path(out),
            layout=Layout(samples_per_shard=3), workers=int(workers))

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def pool(lab):
    return lab.pool(SHARDS, metadata=CHOSEN)


@pytest.fixture
def whole(lab, pool):
    """What an uninterrupted run writes."""
    reshard(pool, lab.subset(*CHOSEN), lab.path / "whole", layout=LAYOUT)
    return lab.tree(lab.path / "whole")


@pytest.fixture
def kill_at(lab, pool):
    """`kill_at(moment, workers, what)`: reshard into out/ in a process that is killed."""

    def run(moment, workers=1, what="file"):
        write_subset(lab.subset(*CHOSEN), lab.path / "mine.npy", {})
        script = lab.path / "killed.py"
        script.write_text(KILLED)
        arguments = [pool.url, lab.path / "mine.npy", lab.path / "out", moment, workers, what]
        killed = subprocess.run([sys.executable, script, *map(str, arguments)], check=False)
        assert killed.returncode == -signal.SIGKILL

    return run


def stamps(folder):
    """Inode and time of every tar."""
    stats = {path.name: path.stat() for path in folder.glob("*.tar")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


# 1, 2: the journal; then six for each shard; 27 to 30 skipped.npy with its lock; 31, 32 manifest.
@pytest.mark.parametrize(
    ("moment", "finished"),
    [(1, 0), (2, 0), (3, 0), (5, 0), (7, 0), (9, 1), (22, 3), (29, 4), (32, 4)],
)
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(
    lab, pool, whole, kill_at, moment, finished
):
    subset, out = lab.subset(*CHOSEN), lab.path / "out"
    kill_at(moment)
    before = stamps(out)
    report = reshard(open_pool(pool.url), subset, out, layout=LAYOUT)
    assert lab.tree(out) == whole
    assert (report.reused, report.written) == (finished, 4 - finished)
    after = stamps(out)
    kept = sorted(before)[:finished]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


@pytest.mark.parametrize(("moment", "finished"), [(1, 0), (3, 2)])
def test_killed_among_workers_it_ends_with_the_same_bytes(
    lab, pool, whole, kill_at, moment, finished
):
    subset, out = lab.subset(*CHOSEN), lab.path / "out"
    kill_at(moment, workers=2, what="record")
    report = reshard(open_pool(pool.url), subset, out, layout=LAYOUT, workers=2)
    assert lab.tree(out) == whole
    assert report.reused == finished


def test_what_is_complete_is_left_alone(lab, pool):
    subset, out = lab.subset(*CHOSEN), lab.path / "out"
    reshard(pool, subset, out, layout=LAYOUT)
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    report = reshard(pool, subset, out, layout=LAYOUT, workers=2)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert (report.reused, report.written) == (4, 0)


@pytest.mark.parametrize("name", ["00000001.tar", "00000001_stats.json", "00000001_samples.npy"])
def test_what_was_removed_or_cut_is_written_again(lab, pool, whole, name):
    subset, out = lab.subset(*CHOSEN), lab.path / "out"
    reshard(pool, subset, out, layout=LAYOUT)
    (out / name).unlink()
    os.truncate(out / "00000002.tar", 512)
    report = reshard(pool, subset, out, layout=LAYOUT)
    assert (report.reused, report.written) == (2, 2)
    assert lab.tree(out) == whole


def test_a_journal_that_broke_off_loses_its_last_line_only(lab, pool, whole, kill_at):
    subset, out = lab.subset(*CHOSEN), lab.path / "out"
    kill_at(22)
    journal = out / ".reshard.jsonl"
    assert len(journal.read_text().splitlines()) == 4
    os.truncate(journal, journal.stat().st_size - 5)
    assert reshard(pool, subset, out, layout=LAYOUT).reused == 2
    assert lab.tree(out) == whole


@pytest.mark.parametrize(
    ("layout", "numbers", "says"),
    [
        (LAYOUT, [0, 1], "subset_sha256 was"),
        (Layout(samples_per_shard=4), CHOSEN, "samples_per_shard was 3, is 4"),
        (
            Layout(samples_per_shard=3, duplicates=Duplicates.ALL),
            CHOSEN,
            "duplicates was first, is all",
        ),
    ],
)
def test_another_reshard_is_refused_or_takes_the_place(lab, pool, layout, numbers, says):
    out = lab.path / "out"
    reshard(pool, lab.subset(*CHOSEN), out, layout=LAYOUT)
    before = lab.tree(out)
    with pytest.raises(ShardsError, match=f"{says}.*--overwrite"):
        reshard(pool, lab.subset(*numbers), out, layout=layout)
    assert lab.tree(out) == before
    reshard(pool, lab.subset(*numbers), out, layout=layout, overwrite=True)
    reshard(pool, lab.subset(*numbers), lab.path / "fresh", layout=layout)
    assert lab.tree(out) == lab.tree(lab.path / "fresh")


def test_another_pool_is_refused(lab, pool):
    out = lab.path / "out"
    reshard(pool, lab.subset(1, 2), out)
    other = lab.pool([[1, 2, 3]], name="other")
    with pytest.raises(ShardsError, match="pool_id was"):
        reshard(other, lab.subset(1, 2), out)


def test_tars_that_nobody_recorded_are_refused_or_removed(lab, pool):
    out = lab.path / "out"
    out.mkdir()
    (out / "00000007.tar").write_bytes(b"stale")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ShardsError, match=r"holds 1 tars, the first one 00000007\.tar"):
        reshard(pool, lab.subset(1), out)
    reshard(pool, lab.subset(1), out, overwrite=True)
    assert sorted(path.name for path in out.glob("*.tar")) == ["00000000.tar"]
    assert (out / "notes.txt").read_text() == "mine"


def test_a_tar_of_another_name_is_not_removed_but_refused(lab, pool):
    out = lab.path / "out"
    out.mkdir()
    (out / "backup.tar").write_bytes(b"precious")
    with pytest.raises(ShardsError, match=r"backup\.tar.*Move them away"):
        reshard(pool, lab.subset(1), out, overwrite=True)
    assert (out / "backup.tar").read_bytes() == b"precious"


def test_a_pool_whose_shards_changed_meanwhile_is_refused(lab, pool, kill_at):
    subset, out = lab.subset(*CHOSEN), lab.path / "out"
    kill_at(12)
    os.utime(lab.path / "pool" / "shards" / "00000000.tar", ns=(1, 1))
    touched = lab.index(lab.path / "pool")
    with pytest.raises(ShardsError, match="changed since the reshard"):
        reshard(touched, subset, out, layout=LAYOUT)


def test_a_folder_that_another_process_writes_to_is_refused(lab, pool):
    out = lab.path / "out"
    out.mkdir()
    handle = os.open(out, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(ShardsError, match="another process is writing"):
        reshard(pool, lab.subset(1), out)
    os.close(handle)


def test_the_journal_is_gone_at_the_end(lab, pool):
    out = lab.path / "out"
    reshard(pool, lab.subset(*CHOSEN), out, layout=LAYOUT)
    assert not (out / ".reshard.jsonl").exists()
    assert len(json.loads((out / "shards.json").read_text())["shards"]) == 4
