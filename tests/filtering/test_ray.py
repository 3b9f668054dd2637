"""The Ray executor on a real cluster of two nodes, one of which is killed in the middle.

Ray runs in scripts of its own: ray_cluster.py, once for most of these tests (it takes some seconds
to start), and ray_alone.py. No step waits for a clock: they hold until a pipe is opened.
"""

import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import UsageError
from datacomp.filtering import LocalExecutor, filter_class, load_plugin, run_filter
from datacomp.filtering.ray_executor import RayExecutor
from datacomp.pool import open_pool
from support.processes import BOUND_SECONDS

HERE = Path(__file__).parent
TOYS = HERE / "ray_toys.py"
PARTS = 9

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed"
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Nine parts of three rows, each known by its first caption."""
    folder = tmp_path_factory.mktemp("pool")
    for part in range(PARTS):
        uids = [f"{10 * part + row:032x}" for row in range(3)]
        table = pa.table({"uid": uids, "text": [f"p{part}", "abc", "d" * part]})
        pq.write_table(table, folder / f"{part:04d}.parquet")
        os.utime(folder / f"{part:04d}.parquet", (1_600_000_000, 1_600_000_000))
    return open_pool(str(folder))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the script of the cluster leaves its stores."""
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def cluster(pool, home):
    """What ray_cluster.py saw."""
    return json.loads(script("ray_cluster.py", pool.url, home))


@pytest.fixture(scope="module")
def local(pool, home):
    """The same filter, run by this process."""
    load_plugin(TOYS)
    return run_filter(filter_class("toy_long")(), pool, home / "local", LocalExecutor(1))


def script(name, *words):
    command = [sys.executable, HERE / name, *words]
    done = subprocess.run(command, capture_output=True, timeout=BOUND_SECONDS, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def files(store):
    """All files of a store; of a manifest, the lines without their times, in order."""
    found = {}
    for path in store.rglob("*"):
        if path.name == "manifest.jsonl":
            lines = (json.loads(line) for line in path.read_text().splitlines())
            found[str(path.relative_to(store))] = sorted(
                json.dumps(line | {"seconds": None}, sort_keys=True) for line in lines
            )
        elif path.is_file():
            found[str(path.relative_to(store))] = path.read_bytes()
    return found


def test_a_killed_node_changes_no_byte_of_the_result(cluster, local, home):
    assert cluster["kill"]["done"] == PARTS
    assert cluster["kill"]["sha256"] == local.subset.sha256
    assert files(home / "survived") == files(home / "local")


def test_what_was_done_before_a_node_was_killed_is_not_done_again(cluster, home):
    before = {name.split(".")[0] for name in cluster["kill"]["stored_before"]}
    noted = Counter(f"000{part[1]}" for part, *_ in cluster["kill"]["notes"])
    lost = {part for part, times in noted.items() if times == 2}
    assert len(before) >= 2
    assert len(lost) == 2
    assert not lost & before
    assert set(noted.values()) == {1, 2}
    (manifest,) = (home / "survived").rglob("manifest.jsonl")
    assert len(manifest.read_text().splitlines()) == PARTS


def test_the_parts_of_a_killed_node_are_computed_elsewhere(cluster):
    nodes = {part: node for part, _, node, _, _ in cluster["kill"]["notes"]}
    again = Counter(part for part, *_ in cluster["kill"]["notes"])
    assert all(nodes[part] != cluster["doomed"] for part, times in again.items() if times == 2)


def test_workers_get_gpus_of_their_own_and_no_more_run_than_there_are_gpus(cluster, local, home):
    assert len(cluster["gpu"]) == PARTS
    assert {(node, device) for _, _, node, device, _ in cluster["gpu"]} == {
        (cluster["doomed"], "cuda")
    }
    gpu_of = {pid: gpu for _, pid, _, _, gpu in cluster["gpu"]}
    assert sorted(gpu_of.values()) in (["0"], ["1"], ["0", "1"])
    assert files(home / "gpu_scores") == files(home / "local")


def test_a_part_that_kills_its_workers_fails_alone(cluster):
    done, failed, noted = cluster["deadly"]
    assert done == PARTS - 1
    assert list(failed) == ["0003"]
    assert "3 workers died at this part" in failed["0003"]
    assert Counter(part for part, *_ in noted)["p3"] == 3


def test_a_cluster_without_room_is_an_error_with_the_numbers(cluster):
    assert "each needs 1 CPU and 8 GPUs on one node" in cluster["no_room"]
    assert "room for 0" in cluster["no_room"]


def _line(pipe):
    assert select.select([pipe], [], [], BOUND_SECONDS)[0], "no worker came to hold a part"
    return int(pipe.readline())


def test_an_interrupted_run_ends_with_its_workers_and_says_nothing_to_stdout(pool, tmp_path):
    for pipe in ("held", "go"):
        os.mkfifo(tmp_path / pipe)
    (tmp_path / "doomed").write_text("all")
    store = tmp_path / "scores"
    command = [sys.executable, HERE / "ray_alone.py", pool.url, store, tmp_path]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with open(tmp_path / "held", "r+b", buffering=0) as pipe:
            # The second to hold took the place of the one that died.
            workers = [os.pidfd_open(_line(pipe)) for _ in range(2)]
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=BOUND_SECONDS)
    finally:
        running.kill()
    assert "KeyboardInterrupt" in errors
    assert "lost the worker at part 0000" in errors
    assert output == ""
    for worker in workers:
        assert select.select([worker], [], [], BOUND_SECONDS)[0]
        os.close(worker)
    assert not list(store.glob(".seen-by-workers*"))


def test_a_node_without_the_plugin_file_gets_it_and_one_that_differs_is_refused(pool, tmp_path):
    plugin = tmp_path / "plugin.py"
    shutil.copy(TOYS, plugin)
    said = json.loads(script("ray_elsewhere.py", plugin, pool.url, tmp_path / "scores"))
    assert said.pop("fine") == [None, [None] * PARTS]
    facts = {
        "other store": "not the one here",
        "other pool": "the same pool",
        "other step": "step 'watched' there",
    }
    assert {name: (facts[name] in problem, done) for name, (problem, done) in said.items()} == {
        name: (True, []) for name in facts
    }


def test_an_address_where_nobody_listens_is_an_error_at_once(pool, tmp_path):
    said = subprocess.run(
        [sys.executable, HERE / "ray_alone.py", pool.url, tmp_path, tmp_path],
        env=os.environ | {"RAY_ADDRESS": "ray://127.0.0.1:1"},
        stderr=subprocess.PIPE,
        timeout=BOUND_SECONDS,
        text=True,
    )
    assert "nobody listens at 'ray://127.0.0.1:1'" in said.stderr
    assert not list(tmp_path.glob(".seen-by-workers*"))


@pytest.mark.parametrize(("workers", "gpus"), [(0, 0), (1, -1), (1, 1.5)])
def test_impossible_numbers_are_refused(workers, gpus):
    with pytest.raises(UsageError):
        RayExecutor(workers, gpus)
