"""A task's process, started and signalled; and the executors that start it by submitit.

What a training or an evaluation computes is tested where it lives.
"""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM

import numpy as np
import pytest

from datacomp.errors import UsageError
from datacomp.pool import open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.subset import UID_DTYPE, Subset, write_subset
from datacomp.training import whole_pool
from datacomp.worker.executors import LocalExecutor, SlurmExecutor
from datacomp.worker.orders import PROGRESS, Order, read_result, write_order
from datacomp.worker.processes import ProcessId
from support.processes import BOUND_SECONDS

DO_TASK = Path(__file__).with_name("do_task.py")


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pools") / "tiny"
    build_tiny(folder, TinyConfig(rows=300, seed=3))
    return folder


@pytest.fixture
def make_order(tmp_path, pool):
    """`make_order(**fields)`: the folder of an attempt to train on the whole pool."""

    def make(kind="train", scale="smoke", subset=None, **fields):
        folder = tmp_path / "job" / "lease"
        folder.mkdir(parents=True)
        path = tmp_path / "subset.npy"
        write_subset(subset or whole_pool(open_pool(str(pool))), path, {})
        order = Order(
            kind=kind,
            params={"scale": scale, "seed": 0, "subset_name": "mine"},
            inputs={"subset": str(path)},
            work=str(folder.parent / "work"),
            pool=str(pool),
            eval_data=None,
            device="cpu",
            decode_threads=1,
            checkpoint_seconds=300.0,
        )
        write_order(folder, replace(order, **fields))
        return folder

    return make


def until(found):
    deadline = time.monotonic() + BOUND_SECONDS
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_training_leaves_its_files_and_their_hashes(make_order, start_python):
    folder = make_order()
    start_python(DO_TASK, folder).succeed()

    result = read_result(folder)
    assert result.outcome == "succeeded"
    assert [one.role for one in result.outputs] == ["checkpoint", "run", "metrics", "profile"]
    assert result.outputs[0].facts["seed"] == 0
    run = json.loads(Path(result.outputs[1].path).read_text())
    assert run["checkpoint_sha256"] == result.outputs[0].sha256
    assert run["subset"]["name"] == "mine"
    profile = json.loads(Path(result.outputs[3].path).read_text())
    assert profile["portrait"]["n"] == profile["portrait"]["kept_read"] == 300
    assert profile["curve"]["samples"][-1] == result.outputs[0].facts["samples_seen"]
    assert "train: " in (folder / "log.txt").read_text()


def test_a_subset_of_another_pool_is_its_teams_fault(make_order, start_python):
    foreign = Subset.from_uids(np.array([(1, 2)], UID_DTYPE))
    folder = make_order(subset=foreign)
    start_python(DO_TASK, folder).succeed()

    result = read_result(folder)
    assert (result.outcome, result.fault) == ("failed", "user")
    assert result.detail.startswith("subset_not_in_pool: 1 of the subset's 1 entries")


def test_a_pool_that_is_away_is_this_machines_fault(make_order, start_python, tmp_path):
    folder = make_order(pool=str(tmp_path / "gone"))
    start_python(DO_TASK, folder).succeed()

    assert read_result(folder).fault == "infrastructure"


def test_sigterm_saves_and_a_second_process_keeps_away(make_order, start_python):
    folder = make_order(scale="tiny")
    first = start_python(DO_TASK, folder)
    until((folder / PROGRESS).exists)
    until(lambda: "train" in (folder / PROGRESS).read_text())
    start_python(DO_TASK, folder).succeed()
    assert read_result(folder) is None

    first.send(SIGTERM)
    first.succeed()

    result = read_result(folder)
    assert result.outcome == "stopped"
    assert "saved after step" in result.detail
    assert (folder.parent / "work" / "run" / "resume.safetensors").exists()


def test_a_local_task_is_found_again_by_another_executor(make_order):
    folder = make_order(kind="nothing")
    executor = LocalExecutor()
    executor.start(folder, 0)
    assert LocalExecutor().is_running(folder)
    until(lambda: not executor.is_running(folder))
    assert not LocalExecutor().is_running(folder)

    result = read_result(folder)
    assert result.fault == "infrastructure"
    assert "no kind of job named 'nothing'" in result.detail


def test_a_process_is_known_by_more_than_its_id():
    own = ProcessId.own()

    assert own.is_alive()
    assert not replace(own, started=own.started + 1).is_alive()
    assert not replace(own, boot="another").is_alive()


def test_slurm_is_asked_by_its_commands(make_order, tmp_path, monkeypatch):
    folder, tools = make_order(kind="nothing"), tmp_path / "bin"
    tools.mkdir()
    scripts = {
        "sbatch": f"""cp "$1" {tmp_path}/batch
            SLURM_JOB_ID=17 setsid bash "$1" >/dev/null 2>&1 & echo $! > {tmp_path}/pid
            echo Submitted batch job 17""",
        "srun": """while [ "${1#*python}" = "$1" ]; do shift; done; exec "$@" """,
        "sacct": f"kill -0 $(cat {tmp_path}/pid) 2>/dev/null && echo RUNNING || echo COMPLETED",
        "scancel": f"echo $* >> {tmp_path}/cancelled",
    }
    for name, text in scripts.items():
        (tools / name).write_text(f"#!/bin/bash\n{text}\n")
        (tools / name).chmod(0o755)
    with pytest.raises(UsageError, match="not found on PATH"):
        SlurmExecutor()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    executor = SlurmExecutor({"timeout_min": 60, "slurm_partition": "gpu"})

    assert executor.start(folder, 0) == "SLURM job 17"
    assert executor.is_running(folder)
    executor.stop(folder)
    until(lambda: not executor.is_running(folder))

    assert "--partition=gpu" in (tmp_path / "batch").read_text()
    assert read_result(folder).fault == "infrastructure"
    cancelled = (tmp_path / "cancelled").read_text().splitlines()
    assert cancelled == ["--state=PENDING 17", "--signal=TERM 17"]
