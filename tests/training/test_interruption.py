"""Runs that are stopped, killed, restarted, and taken over by another number of processes."""

import json
import re
import resource
import shutil
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from datacomp.errors import TrainingError
from datacomp.pool import Pool
from datacomp.training import Recipe, Systems, load_scale, read_run, train, whole_pool
from datacomp.training import saver as saver_module
from datacomp.training.checkpoint import RESUME, load_resume
from datacomp.training.metrics_log import read_metrics
from datacomp.training.milestones import keeps_milestones, milestone_steps
from datacomp.training.saver import Saver, sole_owner
from datacomp.training.signals import STOP_SIGNALS, stop_signals
from datacomp.training.verify import verify_run
from support.processes import BOUND_SECONDS

SCRIPT = Path(__file__).with_name("interrupted.py")
STRUCK = Path(__file__).with_name("struck.py")
# A model without batch normalisation and a low rate: rounding does not grow.
VISION = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
SMOKE = load_scale("smoke")
GENTLE = replace(
    SMOKE,
    model={**SMOKE.model, "vision_cfg": VISION},
    samples_seen=192,
    global_batch_size=16,
    learning_rate=1e-4,
)
Start = Callable[..., Any]


@pytest.fixture(scope="module")
def cli(start_python: Start, pool_folder: Path) -> Start:
    """`cli(folder, *launcher, strike=..., **environ)` starts a smoke run that saves every step."""

    def start(
        folder: Path, *launcher: Any, strike: dict[str, Any] | None = None, **environ: Any
    ) -> Any:
        words = ("train", "--scale", "smoke", "--seed", 3, "--checkpoint-seconds", 0)
        where = ("--pool", pool_folder, "--output-dir", folder, "--device", "cpu", "--milestones")
        program = ("-m", "datacomp") if strike is None else (*launcher, STRUCK)
        environ |= {"STRIKE": json.dumps(strike)}
        return start_python(*program, *words, *where, **environ)

    return start


@pytest.fixture(scope="module")
def whole(cli: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smoke run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    cli(folder).succeed()
    return folder


@pytest.fixture(scope="module")
def together(
    start_python: Start, meet: Start, pool_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Start:
    """`together(folder, *words of each process)` trains as so many and returns the exit codes."""
    recipe = tmp_path_factory.mktemp("recipes") / "gentle.json"
    recipe.write_text(json.dumps(asdict(GENTLE)))

    def run(folder: Path, *words: tuple[Any, ...]) -> list[int]:
        place = meet() | {"WORLD_SIZE": len(words)}
        children = [
            start_python(SCRIPT, recipe, pool_folder, folder, *mine, **place, RANK=rank)
            for rank, mine in enumerate(words)
        ]
        return [child.wait() for child in children]

    return run


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder / "metrics.jsonl")]


def hashes(folder: Path) -> tuple[Any, ...]:
    record = read_run(folder)
    return record.checkpoint_sha256, record.milestones


def torn(folder: Path) -> list[Path]:
    return list(folder.glob(".resume*.tmp"))


def test_stopped_killed_and_started_again_it_ends_with_the_same_bytes(
    cli: Start, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    stopped = cli(folder, strike={"step": 3, "signals": ["SIGTERM", "SIGUSR1", "SIGTERM"]})
    assert stopped.wait() == 75
    line = r"^stopped and saved after step \d+ of 16; run the same command to go on$"
    assert re.search(line, stopped.told, re.MULTILINE)
    assert "Traceback" not in stopped.told
    assert not torn(folder)
    killed = cli(folder, strike={"state": 4, "signals": ["SIGKILL"]})
    assert killed.wait() == -signal.SIGKILL
    assert torn(folder)
    cli(folder).succeed()
    assert hashes(folder) == hashes(whole)
    assert read_run(folder).resumes == 2
    assert {path.name for path in folder.iterdir()} == {path.name for path in whole.iterdir()}


def test_torchrun_starts_again_when_a_rank_is_killed(
    cli: Start, whole: Path, meet: Start, pool: Pool, tmp_path: Path
) -> None:
    alone, folder = tmp_path / "undisturbed", tmp_path / "run"
    place = meet() | {"WORLD_SIZE": 2}
    for child in [cli(alone, **place, RANK=rank) for rank in range(2)]:
        child.succeed()
    options = ("--standalone", "--nproc-per-node", 2, "--max-restarts", 1)
    strike = {"step": 4, "signals": ["SIGKILL"], "rank": 1}
    torchrun = cli(folder, "-m", "torch.distributed.run", *options, strike=strike)
    torchrun.succeed()
    assert read_run(folder).resumes == 1
    assert hashes(folder) == hashes(alone)
    assert all(check.passed for check in verify_run(folder, pool))
    assert read_run(folder).first_batches == read_run(whole).first_batches
    # AdamW's first steps are nearly the signs of gradients: rounding grows.
    assert losses(folder) == pytest.approx(losses(whole), rel=1e-3)


def test_a_signal_to_one_process_stops_all_and_others_may_go_on(
    together: Start, tmp_path: Path
) -> None:
    one, two, taken, given = (tmp_path / name for name in ("one", "two", "taken", "given"))
    assert together(one, ()) == [0]
    assert together(two, (), ()) == [0, 0]
    stopped = tmp_path / "stopped"
    assert together(stopped, (), ("SIGUSR1", 80)) == [75, 75]
    shutil.copytree(stopped, taken)
    assert together(taken, ()) == [0]
    assert together(stopped, (), ()) == [0, 0]
    assert hashes(stopped) == hashes(two)
    assert together(given, ("SIGTERM", 96)) == [75]
    assert together(given, (), ()) == [0, 0]
    for folder in (two, taken, given):
        assert losses(folder) == pytest.approx(losses(one), rel=1e-5)
    assert [read_run(folder).resumes for folder in (stopped, taken, given)] == [1, 1, 1]


def test_a_state_that_cannot_be_written_ends_the_run_and_the_one_before_stays(
    recipe: Recipe, pool: Pool, tmp_path: Path
) -> None:
    class FullAfter:
        """Progress after which, once `samples` were seen, files may no longer grow large."""

        left = 128

        def advance(self, n: int = 1, note: str = "") -> None:
            self.left -= n
            if self.left == 0:
                resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    def run(name: str, progress: FullAfter | None = None) -> Any:
        systems = Systems(checkpoint_seconds=0)
        subset, folder = whole_pool(pool), tmp_path / name
        return train(
            recipe, pool, subset, folder, subset_name="all", systems=systems, progress=progress
        )

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    told = r"run/resume\.safetensors could not be written: .*too large.* before is unchanged"
    try:
        with pytest.raises(TrainingError, match=told):
            run("run", FullAfter())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not torn(tmp_path / "run")
    assert run("run").checkpoint_sha256 == run("undisturbed").checkpoint_sha256
    assert read_run(tmp_path / "run").resumes == 1


def test_a_folder_belongs_to_one_job(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    with sole_owner(tmp_path), pytest.raises(TrainingError, match="trained by another process"):
        train(recipe, pool, whole_pool(pool), tmp_path, subset_name="all")


def test_signals_do_what_they_did_before_and_are_heard_in_the_main_thread_alone() -> None:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with stop_signals() as stop:
        during = [signal.getsignal(number) for number in STOP_SIGNALS]
        signal.raise_signal(signal.SIGUSR1)
        assert stop.asked

        def elsewhere() -> bool:
            with stop_signals() as other:
                return other.asked

        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(elsewhere).result() is False
        assert [signal.getsignal(number) for number in STOP_SIGNALS] == during
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_what_is_saved_is_the_state_at_the_end_of_the_step(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = torch.nn.Linear(3, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    then, go = model.weight.detach().clone(), threading.Event()
    write = saver_module.write_resume
    monkeypatch.setattr(
        saver_module, "write_resume", lambda *a: go.wait(BOUND_SECONDS) and write(*a)
    )
    with Saver(tmp_path, recipe, model, optimizer, "run", {}, None) as saver:
        saver.save(1, log_head="head", broken={})
        with torch.no_grad():
            model.weight.add_(1)
        assert not (tmp_path / RESUME).exists()
        go.set()
        saver.wait()
    assert load_resume(tmp_path / RESUME, model, optimizer)["step"] == 1
    assert torch.equal(model.weight, then)


def test_long_runs_keep_their_weights_at_fifths() -> None:
    scales = ("smoke", "tiny", "small", "xlarge")
    kept = [keeps_milestones(load_scale(scale), None) for scale in scales]
    assert kept == [False, False, True, True]
    assert milestone_steps(load_scale("small")) == (625, 1250, 1875, 2500)
    assert milestone_steps(SMOKE) == (3, 6, 9, 12)
