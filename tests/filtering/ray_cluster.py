"""A Ray cluster of two nodes in which filters are run, as a script: POOL FOLDER.

The second node has two logical GPUs; it is killed in the middle of the last run. What was seen is
printed as JSON. Ray stays out of the process that runs the tests.
"""

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

# Here Ray is imported before the executor could quiet it.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}

from datacomp.errors import FilterError
from datacomp.filtering import PartsFailed, filter_class, load_plugin, run_filter
from datacomp.filtering.ray_executor import RayExecutor
from datacomp.pool import open_pool

SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
# A dead node is found out in two seconds, and a slow one is not taken for dead.
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 10_000,
    "health_check_failure_threshold": 4,
}


def control(folder, doomed=""):
    """A folder with the pipes and notes of one run."""
    folder.mkdir()
    (folder / "doomed").write_text(doomed)
    for pipe in ("held", "go"):
        os.mkfifo(folder / pipe)
    return folder


def notes(folder):
    """What the steps noted: part, pid, node, device, GPUs."""
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def kill_when_held(node, folder, workers):
    """Kill a node with all that runs on it, once that many of its workers hold a part."""
    with open(folder / "held", "r+b", buffering=0) as pipe:
        held = [int(pipe.readline()) for _ in range(workers)]
    before = sorted(p.name for p in folder.with_name("survived").rglob("*.parquet"))
    raylets = [info.process.pid for infos in node.all_processes.values() for info in infos]
    for pid in [*raylets, *held]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    (folder / "go").write_bytes(b"")
    (folder / "stored_before").write_text(json.dumps(before))


def main(pool_url, home):
    from ray.cluster_utils import Cluster

    load_plugin(Path(__file__).with_name("ray_toys.py"))
    kind, pool = filter_class("toy_long"), open_pool(pool_url)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": HEALTH, **SMALL}
    )
    second = cluster.add_node(num_cpus=2, num_gpus=2, **SMALL)
    at = {"address": cluster.address}
    facts = {"doomed": second.node_id}
    try:
        notebook = control(home / "gpu")
        chosen = kind(control=str(notebook))
        run_filter(chosen, pool, home / "gpu_scores", RayExecutor(4, gpus_per_worker=1, **at))
        facts["gpu"] = notes(notebook)

        try:
            run_filter(kind(), pool, home / "none", RayExecutor(1, 8, start_seconds=1, **at))
        except FilterError as error:
            facts["no_room"] = str(error)

        notebook = control(home / "deadly")
        chosen = kind(control=str(notebook), deadly="p3")
        try:
            run_filter(chosen, pool, home / "deadly_scores", RayExecutor(2, **at))
        except PartsFailed as error:
            (report,) = error.steps
            facts["deadly"] = [report.done, dict(report.failed), notes(notebook)]

        notebook = control(home / "kill", doomed=second.node_id)
        killer = threading.Thread(target=kill_when_held, args=(second, notebook, 2), daemon=True)
        killer.start()
        chosen = kind(control=str(notebook), hold=True)
        result = run_filter(chosen, pool, home / "survived", RayExecutor(3, **at))
        killer.join()
        (report,) = result.steps
        facts["kill"] = {
            "done": report.done,
            "sha256": result.subset.sha256,
            "notes": notes(notebook),
            "stored_before": json.loads((notebook / "stored_before").read_text()),
        }
    finally:
        cluster.shutdown()
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
