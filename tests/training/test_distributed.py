"""One, two and four processes see the same batches, losses, gradients and statistics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from datacomp.errors import UsageError
from datacomp.pool import Pool
from datacomp.training import Recipe, Systems, train, whole_pool
from datacomp.training.data import open_data
from datacomp.training.devices import first_host, own_device, slurm_variables


@pytest.fixture(scope="module")
def numbers(run_worlds: Callable[[Path], Path]) -> Path:
    """The folder in which every process of every number of processes left its numbers."""
    return run_worlds(Path(__file__).with_name("processes.py"))


@pytest.mark.parametrize(("world", "rank"), [(2, 0), (2, 1), (4, 0), (4, 1), (4, 2), (4, 3)])
def test_every_process_has_what_one_has_alone(numbers: Path, world: int, rank: int) -> None:
    alone, found = np.load(numbers / "1-0.npz"), np.load(numbers / f"{world}-{rank}.npz")
    assert set(found.files) == set(alone.files)
    assert found["joined"].tolist() == [5] * world
    for name in set(alone.files) - {"joined"}:
        np.testing.assert_allclose(found[name], alone[name], rtol=1e-9, atol=1e-11, err_msg=name)


def test_pieces_change_nothing(numbers: Path) -> None:
    alone = np.load(numbers / "1-0.npz")
    whole = [name for name in alone.files if name.startswith("vit: ")]
    assert len(whole) > 20
    for name in whole:
        other = alone[name.replace("vit:", "vit in pieces:")]
        np.testing.assert_allclose(other, alone[name], rtol=1e-9, atol=1e-11, err_msg=name)


def test_processes_share_each_batch(recipe: Recipe, pool: Pool) -> None:
    data = open_data(pool, whole_pool(pool))
    whole = next(data.batches(recipe, 0, 3, 1))
    parts = [next(data.batches(recipe, 0, 3, 1, (rank, 4))) for rank in range(4)]
    assert np.array_equal(np.concatenate([part.pixels for part in parts]), whole.pixels)
    assert sum((part.captions for part in parts), ()) == whole.captions


@pytest.mark.parametrize(
    ("micro_batch", "message"),
    [
        (5, "32 cannot be cut into micro-batches of 5; nearest that divide: 4, 8"),
        (8, "normalises over the"),
    ],
)
def test_a_batch_that_cannot_be_cut_is_refused(
    recipe: Recipe, pool: Pool, tmp_path: Path, micro_batch: int, message: str
) -> None:
    systems = Systems(micro_batch=micro_batch)
    with pytest.raises(UsageError, match=message):
        train(recipe, pool, whole_pool(pool), tmp_path, subset_name="all", systems=systems)
    assert not list(tmp_path.iterdir())


def test_slurm_says_which_process_this_is() -> None:
    step = {
        "SLURM_PROCID": "5",
        "SLURM_LOCALID": "1",
        "SLURM_STEP_NUM_TASKS": "8",
        "SLURM_STEP_NODELIST": "gpu[03-04]",
    }
    assert slurm_variables(step) == {
        "RANK": "5",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "8",
        "MASTER_ADDR": "gpu03",
        "MASTER_PORT": "29500",
    }
    assert slurm_variables(step | {"RANK": "0"}) == {}
    assert slurm_variables({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}) == {}


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("x1", "x1"), ("a,b", "a"), ("gpu[03-07,11],x1", "gpu03"), ("n[1,4]", "n1"), ("", "")],
)
def test_the_first_of_slurms_nodes(nodes: str, first: str) -> None:
    assert first_host(nodes) == first


def test_each_process_has_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert own_device("cuda") == "cuda"
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert [own_device(device) for device in ("cuda", "cuda:0", "cpu")] == [
        "cuda:1",
        "cuda:0",
        "cpu",
    ]
