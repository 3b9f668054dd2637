"""What a run says about itself, and each lie about it."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from datacomp.cli.main import app
from datacomp.errors import TrainingError
from datacomp.pool import Pool
from datacomp.subset import Subset, write_subset
from datacomp.training import Systems, load_scale, train, whole_pool
from datacomp.training.metrics_log import ChainedLog, chain_head, read_metrics
from datacomp.training.verify import verify_run

NAMES = ["recipe", "weights", "milestones", "log", "pool", "subset", "batches"]


@pytest.fixture(scope="module")
def trained(pool_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the smoke scale."""
    from datacomp.pool import open_pool

    folder = tmp_path_factory.mktemp("runs") / "run"
    pool = open_pool(str(pool_folder))
    systems, subset = Systems(milestones=True), whole_pool(pool)
    train(load_scale("smoke"), pool, subset, folder, subset_name="all", seed=3, systems=systems)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def failed(checks: Any) -> dict[str, str]:
    return {check.name: check.told for check in checks if check.passed is False}


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_an_honest_run_passes(run: Path, pool: Pool) -> None:
    checks = verify_run(run, pool)
    assert [check.name for check in checks] == NAMES
    assert all(check.passed for check in checks), failed(checks)


def test_without_its_pool_the_data_are_not_looked_at(run: Path) -> None:
    checks = verify_run(run)
    assert [check.passed for check in checks] == [True] * 4 + [None] * 3


@pytest.mark.parametrize(
    ("record", "name", "told"),
    [
        ({"recipe_id": "0" * 64}, "recipe", "recipe.json has the id"),
        ({"scale": "tiny"}, "recipe", "is not the recipe of scale tiny, which has: b138f90e48b1 ("),
        ({"scale": "huge"}, "recipe", "of scale huge, which has: none, for there is no such"),
        ({"samples_seen": 7}, "recipe", "the run 7"),
        ({"checkpoint_sha256": "0" * 64}, "weights", "is not the checkpoint"),
        ({"milestones": {"5": "0" * 64}}, "milestones", "at [5], which are no fifths"),
        ({"log_head": "0" * 64}, "log", "the log ends with chain"),
        ({"pool_id": "0" * 64}, "pool", "the run was on 000"),
        ({"first_batches": ["0" * 64]}, "batches", "hold other uids"),
        ({"seed": 4}, "batches", "batches of seed 4 hold other uids"),
    ],
)
def test_a_record_that_lies(
    run: Path, pool: Pool, record: dict[str, Any], name: str, told: str
) -> None:
    rewrite(run / "run.json", lambda value: value | record)
    assert told in failed(verify_run(run, pool))[name]


def test_another_recipe_is_not_the_published_one(run: Path) -> None:
    rewrite(run / "recipe.json", lambda value: value | {"learning_rate": 0.1})
    assert "recipe.json has the id" in failed(verify_run(run))["recipe"]


def test_a_published_variant_is_named(run: Path) -> None:
    variant = load_scale("smoke", "sequential")
    rewrite(run / "recipe.json", lambda value: value | {"sampler": variant.sampler})
    rewrite(run / "run.json", lambda value: value | {"recipe_id": variant.recipe_id})
    recipe = verify_run(run)[0]
    assert (recipe.name, recipe.passed) == ("recipe", True)
    assert recipe.told == "the published one of scale smoke, variant sequential"


def edit(folder: Path) -> None:
    with (folder / "6.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (edit, r"6\.safetensors is not the milestone .* expected sha256 \w{64}, found \w{64}"),
        (lambda folder: (folder / "9.safetensors").unlink(), r"9\.safetensors .* found no file"),
        (lambda folder: (folder / "7.safetensors").touch(), r"not name: \['7\.safetensors'\]"),
    ],
)
def test_a_milestone_that_is_not_the_runs(
    run: Path, tamper: Callable[[Path], None], told: str
) -> None:
    tamper(run / "milestones")
    assert re.search(told, failed(verify_run(run))["milestones"])


def test_weights_of_another_run(run: Path) -> None:
    (run / "weights.safetensors").write_bytes(b"x")
    assert list(failed(verify_run(run))) == ["weights"]


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (lambda lines: [lines[0].replace('"loss": ', '"loss": 1'), *lines[1:]], ":1 does not fol"),
        (lambda lines: lines[1:], ":1 does not follow"),
        (lambda lines: lines[:-1], "the log ends with chain"),
        (lambda lines: [lines[1], lines[0]], ":1 does not follow"),
        (lambda lines: [*lines, '{"step": 99}'], "does not follow"),
        (lambda lines: [*lines, "[1]"], "is not a JSON object"),
        (lambda lines: [*lines, '{"step":'], "is not a JSON object"),
    ],
)  # fmt: skip
def test_an_edited_log(run: Path, tamper: Callable[[list[str]], list[str]], told: str) -> None:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines()
    assert len(lines) > 1
    path.write_text("\n".join(tamper(lines)) + "\n")
    assert told in failed(verify_run(run))["log"]


def test_another_subset(run: Path, pool: Pool) -> None:
    fewer = Subset.from_uids(whole_pool(pool).uids[1:])
    assert list(failed(verify_run(run, pool, fewer))) == ["subset", "batches"]


def test_a_run_that_is_not_finished(run: Path) -> None:
    rewrite(run / "run.json", lambda value: value | {"checkpoint_sha256": None})
    with pytest.raises(TrainingError, match="is not finished"):
        verify_run(run)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda value: [], "is not of schema datacomp-run/2"),
        (lambda value: value | {"schema": "datacomp-run/1"}, "is not of schema datacomp-run/2"),
        (lambda value: value | {"samples_seen": "many"}, "record: samples_seen: Input should be"),
        (lambda value: value | {"subset": {"n": 1}}, r"record: subset\.name: Field required"),
        (lambda value: value | {"sources": [3]}, r"record: sources\.0: "),
        (lambda value: value | {"milestones": {"half": "x"}}, r"record: milestones\.half"),
        (lambda value: value | {"seed": float("nan")}, "is not valid JSON"),
        (lambda value: value | {"scale": "\ud800"}, "is not valid JSON"),
    ],
)
def test_a_record_that_is_none(run: Path, change: Callable[[Any], Any], told: str) -> None:
    rewrite(run / "run.json", change)
    with pytest.raises(TrainingError, match=rf"run\.json .*{told}"):
        verify_run(run)


def test_a_recipe_that_cannot_be_read(run: Path) -> None:
    (run / "recipe.json").write_text("{")
    with pytest.raises(TrainingError, match=r"recipe\.json cannot be read"):
        verify_run(run)


def test_the_command_says_what_failed(run: Path, pool_folder: Path, tmp_path: Path) -> None:
    def call(*words: str) -> Any:
        return CliRunner().invoke(app, ["verify", str(run), *words])

    from datacomp.pool import open_pool

    subset = tmp_path / "all.npy"
    write_subset(whole_pool(open_pool(str(pool_folder))), subset, {})
    whole = call("--pool", str(pool_folder), "--subset", str(subset))
    assert (whole.exit_code, whole.output.count(" ok ")) == (0, len(NAMES))
    assert call().output.count("pass --pool") == 3
    (run / "weights.safetensors").unlink()
    lost = call("--json")
    assert lost.exit_code == 1
    assert {c["name"]: c["passed"] for c in json.loads(lost.output)}["weights"] is False


def test_a_chain_goes_on_after_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with ChainedLog(path, origin="a", before_step=0) as whole:
        for step in range(4):
            whole.write(step, loss=step / 3)
    with path.open("a") as file:
        file.write('{"step": 4, "lo')
    with ChainedLog(path, origin="a", before_step=2) as log:
        for step in (2, 3):
            log.write(step, loss=step / 3)
    assert log.head == whole.head == chain_head(path, "a")
    assert [line["step"] for line in read_metrics(path)] == [0, 1, 2, 3]
    with pytest.raises(TrainingError, match=r"log\.jsonl:1 does not follow"):
        ChainedLog(path, origin="b", before_step=9)
    assert [line["step"] for line in read_metrics(path)] == [0, 1, 2, 3]
