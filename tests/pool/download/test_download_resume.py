"""SIGKILL in the middle of the shards, then the same command."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from datacomp.pool import index_pool
from datacomp.pool.download import CrawlOptions, FolderSource, ImageOptions, download_pool

WAIT_AT_MOST_SECONDS = 30


def test_a_killed_download_goes_on_and_loses_only_the_shards_in_flight(
    web, write_metadata, tmp_path
):
    rows = [("ok", 0), ("ok", 1), ("held", 2), ("ok", 3), ("ok", 4), ("ok", 5)]
    own, pool = write_metadata(web.url, rows), tmp_path / "pool"
    words = f"pool download --metadata-dir {own} -o {pool} --shard-rows 2 --processes-count 1"
    process = subprocess.Popen(
        [sys.executable, "-m", "datacomp", *words.split()], stderr=subprocess.PIPE
    )
    assert web.held.wait(WAIT_AT_MOST_SECONDS)
    family = [os.pidfd_open(pid) for pid in descendants(process.pid)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for one in family:
        poll = select.poll()
        poll.register(one, select.POLLIN)
        assert poll.poll(WAIT_AT_MOST_SECONDS * 1000), "a process outlived the one that began it"
        os.close(one)
    assert sorted(path.name for path in (pool / "shards").iterdir()) == [
        "00000000.parquet",
        "00000000.tar",
        "00000000_stats.json",
    ]
    first = (pool / "shards" / "00000000.tar").read_bytes()

    web.gate.set()
    report = download_pool(
        str(pool),
        FolderSource(str(own)),
        images=ImageOptions(shard_rows=2),
        crawl=CrawlOptions(processes=1),
    )
    assert (report.n_shards_before, report.summary.succeeded) == (1, 6)
    assert [web.asked[f"/ok/{n}.jpg"] for n in (0, 1, 4, 5)] == [1, 1, 1, 1]
    assert (pool / "shards" / "00000000.tar").read_bytes() == first
    assert index_pool(str(pool)).problems == ()
    assert not (pool / ".download").exists()


def descendants(pid: int) -> list[int]:
    """The processes below one, as the kernel lists them."""
    below = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            below += [child, *descendants(child)]
    return below
