"""What a run would take, told without running: memory against real tensors, hours, refusals."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datacomp.cli.train import app
from datacomp.errors import TrainingError, UsageError
from datacomp.pool import Pool
from datacomp.training import Recipe, Systems, load_scale, train, whole_pool
from datacomp.training.data import open_data
from datacomp.training.dry_run import ASSUMED_MFU, Forecast, forecast
from datacomp.training.flops import training_flops
from datacomp.training.memory import Memory, _step_peak, expected_memory
from datacomp.training.model import build_model
from datacomp.training.run import origin_of

TOWER = {"layers": 3, "width": 64, "patch_size": 8, "image_size": 32}
TEXT = {"context_length": 16, "vocab_size": 1000, "width": 64, "heads": 2, "layers": 3}


def transformer(**changes: object) -> Recipe:
    """The smoke scale with small transformers, which can be cut and checkpointed."""
    model = {"embed_dim": 32, "vision_cfg": TOWER, "text_cfg": TEXT}
    return replace(load_scale("smoke"), model=model, **changes)


def told(recipe: Recipe, pool: Pool, folder: Path, systems: Systems, seed: int = 4) -> Forecast:
    subset = whole_pool(pool)
    data, origin = open_data(pool, subset), origin_of(pool, subset, "all")
    return forecast(recipe, data, origin, folder, seed=seed, systems=systems)


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that look at the rest."""
    nothing = Memory(rows=1, weights=0, moments=0, step=0, message=0, host=0)
    monkeypatch.setattr("datacomp.training.memory.expected_memory", lambda *_: nothing)


@pytest.mark.parametrize("recipe", [load_scale("smoke"), transformer()], ids=["resnet", "vit"])
def test_a_step_without_contents_takes_what_a_real_one_takes(recipe: Recipe) -> None:
    real = _step_peak(build_model(recipe).train(), recipe, 64, 64, 1)
    assert expected_memory(recipe, Systems(), 1).step == pytest.approx(real, rel=0.05)


def test_weights_and_moments_are_those_of_the_model() -> None:
    recipe = transformer()
    weights = sum(4 * p.numel() for p in build_model(recipe).parameters())
    memory = expected_memory(recipe, Systems(), 1)
    assert (memory.weights, memory.moments) == (weights, 2 * weights)
    assert memory.total == 3 * weights + memory.step


def test_more_pairs_take_more_and_pieces_less() -> None:
    recipe = transformer(global_batch_size=512)
    whole = expected_memory(recipe, Systems(), 1)
    cut = expected_memory(recipe, Systems(micro_batch=64), 1)
    shared = expected_memory(recipe, Systems(), 4)
    lean = expected_memory(recipe, Systems(grad_checkpointing=1.0), 1)
    assert (whole.rows, cut.rows, shared.rows) == (512, 64, 128)
    assert cut.step < shared.step < whole.step
    assert lean.step < 0.6 * whole.step


def test_half_the_precision_takes_less() -> None:
    sizes = [
        expected_memory(transformer(precision=precision), Systems(), 1).step
        for precision in ("fp32", "amp_bf16")
    ]
    assert sizes[1] < 0.8 * sizes[0]


@pytest.mark.usefixtures("no_memory")
def test_hours_of_a_cpu_are_tried(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    found = told(recipe, pool, tmp_path / "run", Systems())
    assert (found.steps, found.samples, found.world) == (8, 256, 1)
    assert found.flops == training_flops(recipe) * 256
    assert found.tried_pairs == 32
    assert found.hours
    assert found.mfu == pytest.approx(found.flops / (found.hours * 3600 * found.peak))
    assert found.before is None
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_memory")
def test_hours_of_a_gpu_are_assumed(
    recipe: Recipe, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datacomp.training.dry_run.peak_flops", lambda *_: 1e12)
    monkeypatch.setenv("WORLD_SIZE", "4")
    found = told(recipe, pool, tmp_path, Systems(device="cuda"))
    assert (found.world, found.tried_pairs) == (4, 0)
    assert found.hours == pytest.approx(found.flops / (4 * 1e12 * ASSUMED_MFU) / 3600)


@pytest.mark.usefixtures("no_memory")
def test_a_device_that_nobody_knows_has_no_hours(
    recipe: Recipe, pool: Pool, tmp_path: Path
) -> None:
    found = told(recipe, pool, tmp_path, Systems(device="mps"))
    assert (found.peak, found.hours, found.mfu) == (None, None, None)


@pytest.mark.usefixtures("no_memory")
def test_computing_again_takes_a_third_more(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datacomp.training.dry_run.peak_flops", lambda *_: 1e12)
    plain, cut = (
        told(transformer(), pool, tmp_path, Systems(device="cuda", micro_batch=size)).hours
        for size in (None, 32)
    )
    assert plain
    assert cut == pytest.approx(plain * 4 / 3)


def test_what_training_refuses_is_refused(
    recipe: Recipe, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainingError, match="asks for loss"):
        told(replace(recipe, loss="other/2"), pool, tmp_path, Systems())
    with pytest.raises(TrainingError, match="order of samples"):
        told(load_scale("smoke", "sequential"), pool, tmp_path, Systems())
    with pytest.raises(UsageError, match="micro-batches of 5"):
        told(recipe, pool, tmp_path, Systems(micro_batch=5))
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UsageError, match="cannot be shared by 3"):
        told(recipe, pool, tmp_path, Systems())
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_memory")
def test_a_folder_with_a_run_is_told_and_one_with_another_is_refused(
    recipe: Recipe, pool: Pool, tmp_path: Path
) -> None:
    train(recipe, pool, whole_pool(pool), tmp_path, subset_name="all", seed=4)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert told(recipe, pool, tmp_path, Systems(device="mps")).before == "finished"
    with pytest.raises(TrainingError, match="seed"):
        told(recipe, pool, tmp_path, Systems(), seed=5)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_command_says_it_all_and_writes_nothing(
    pool_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["--scale", "smoke", "--pool", str(pool_folder), "--dry-run"])
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "16 of 64 pairs, 1,024 in all" in lines["steps"]
    assert "1.07e+10 in all" in lines["FLOPs"]
    assert "MB a device" in lines["memory"]
    assert "minutes expected" in lines["hours"]
    assert "by steps of 64 random pairs here" in result.stdout
    own = [line for line in result.stdout.splitlines() if str(tmp_path) not in line]
    assert max(map(len, own)) <= 80 + len(str(pool_folder))
    assert not list(tmp_path.iterdir())
