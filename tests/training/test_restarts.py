"""Folders of stopped runs in which somebody changed something before the restart."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from datacomp.errors import TrainingError, UsageError
from datacomp.pool import Pool, open_pool
from datacomp.progress import Progress
from datacomp.training import RunRecord, Systems, load_scale, read_run, train, whole_pool
from datacomp.training.checkpoint import RESUME
from datacomp.training.data import open_data
from datacomp.training.run import METRICS, describe_run, origin_of, same_run
from datacomp.training.verify import verify_run

SMOKE = load_scale("smoke")
STOPPED_AFTER = 12


class _Stops:
    """Raises after so many steps, as ^C would."""

    def __init__(self) -> None:
        self.steps = 0

    def advance(self, n: int = 1, note: str = "") -> None:
        self.steps += 1
        if self.steps > STOPPED_AFTER:
            raise KeyboardInterrupt


def run(pool: Pool, folder: Path, seed: int = 3, progress: Progress | None = None) -> RunRecord:
    systems = Systems(checkpoint_seconds=0, milestones=seed == 4)
    return train(
        SMOKE,
        pool,
        whole_pool(pool),
        folder,
        subset_name="all",
        seed=seed,
        systems=systems,
        progress=progress,
    )


def stop(pool: Pool, folder: Path, seed: int) -> Path:
    with pytest.raises(KeyboardInterrupt):
        run(pool, folder, seed, _Stops())
    return folder


@pytest.fixture(scope="module")
def stopped(pool_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stop(open_pool(str(pool_folder)), tmp_path_factory.mktemp("stopped"), 3)


@pytest.fixture(scope="module")
def other(pool_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stop(open_pool(str(pool_folder)), tmp_path_factory.mktemp("other"), 4)


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(stopped, tmp_path / "run"))


def test_the_state_of_another_run_is_refused(folder: Path, other: Path, pool: Pool) -> None:
    shutil.copy(other / RESUME, folder / RESUME)
    with pytest.raises(TrainingError, match=r"is not a state of this run: it is of run .* step 1"):
        run(pool, folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: "", "lacks lines before step 12: it ends with chain"),
        (lambda text: text.replace('"samples": 640', '"samples": 641'), "does not follow from"),
    ],
    ids=["gone", "edited"],
)
def test_a_log_that_does_not_lead_to_the_state_is_refused(
    folder: Path, pool: Pool, change: Callable[[str], str], told: str
) -> None:
    log = folder / METRICS
    log.write_text(change(log.read_text()))
    with pytest.raises(TrainingError, match=told):
        run(pool, folder)


def test_a_log_that_is_taken_away_from_a_run_does_not_let_it_finish(
    folder: Path, pool: Pool
) -> None:
    class Removes:
        def advance(self, n: int = 1, note: str = "") -> None:
            if note != "resumed":
                (folder / METRICS).unlink(missing_ok=True)

    with pytest.raises(TrainingError, match=r"metrics\.jsonl is not what this run wrote"):
        run(pool, folder, progress=Removes())
    with pytest.raises(TrainingError, match="not finished"):
        verify_run(folder)


def test_what_is_no_folder_or_no_seed_is_refused(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record = describe_run(
        SMOKE, origin_of(pool, whole_pool(pool), "all"), 3, open_data(pool, whole_pool(pool))
    )
    with pytest.raises(TrainingError, match="is not a folder"):
        same_run(tmp_path / "file", record)
    for seed in (-1, 2**64):
        with pytest.raises(UsageError, match="a whole number from 0"):
            run(pool, tmp_path / "run", seed)


@pytest.mark.parametrize("step", [5, 10, 16])
def test_an_update_that_spoils_the_weights_is_not_saved(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole, calls = torch.optim.AdamW.step, count(1)

    def spoilt(self: torch.optim.AdamW, *args: Any) -> None:
        if next(calls) == step:
            for parameter in self.param_groups[0]["params"]:
                parameter.grad.fill_(torch.nan)
        whole(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", spoilt)
        with pytest.raises(TrainingError, match=r"finite|loss is nan"):
            run(pool, tmp_path)
    assert not read_run(tmp_path).finished
    run(pool, tmp_path)
    assert all(check.passed is not False for check in verify_run(tmp_path))


@pytest.mark.parametrize("data", [b"", b"\xff" * 100], ids=["empty", "noise"])
def test_a_damaged_state_is_told(folder: Path, pool: Pool, data: bytes) -> None:
    (folder / RESUME).write_bytes(data)
    with pytest.raises(TrainingError, match=r"not a readable safetensors file: .*train again"):
        run(pool, folder)
