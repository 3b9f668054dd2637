"""A whole run: its log, its checkpoint, going on after a stop, and what it refuses."""

import json
import math
from dataclasses import replace

import pytest
import torch

from datacomp.errors import TrainingError, UsageError
from datacomp.training.metrics_log import read_metrics
from datacomp_filters.flyt.config import FlytConfig
from datacomp_filters.flyt.heads import GluHead
from datacomp_filters.flyt.journal import diagnose
from datacomp_filters.flyt.references import EmbeddingReference
from datacomp_filters.flyt.step import Pairs
from datacomp_filters.flyt.training import train_flyt

CONFIG = FlytConfig(
    steps=12,
    upstream_batch=16,
    downstream_batch=10,
    reference_rate=1e-2,
    scoring_rate=1e-2,
    warmup_steps=3,
    micro_batch=8,
    log_steps=2,
    checkpoint_seconds=0,
)


class Batches:
    """Both streams; `stop_at` is a step at which the power fails, `bad_at` one with a NaN."""

    n_classes = 4

    def __init__(self, stop_at=None, bad_at=None):
        self.stop_at, self.bad_at, self.asked = stop_at, bad_at, []

    def draw(self, *key, shape):
        random = torch.Generator().manual_seed(hash(key))
        return torch.randn(*shape, generator=random)

    def pairs(self, step, first, last):
        self.asked.append(step)
        if step == self.stop_at:
            raise KeyboardInterrupt
        images, texts = (self.draw(step, k, shape=(16, 8))[first:last] for k in (0, 1))
        if step == self.bad_at:
            images[3] = torch.nan
        return Pairs(images, texts, torch.cat([images, texts], 1))

    def images(self, step, first, last):
        return self.draw(step, 2, shape=(10, 8))[first:last], (torch.arange(10) % 4)[first:last]

    def classes(self, step, first, last):
        return self.draw(step, 3, shape=(4, 8))[first:last]


def run(folder, config=CONFIG, batches=None, scorer=None, tell=lambda line: None):
    batches = batches or Batches()
    reference = EmbeddingReference(8, 8, width=6)
    scorer = scorer or GluHead(8, 8)
    return train_flyt(config, batches, [batches], reference, scorer, folder, tell)


def state_bytes(folder):
    return (folder / "checkpoint.safetensors").read_bytes()


@pytest.mark.parametrize("every_seconds", [0, 1e9], ids=["saved", "nothing-saved"])
def test_a_run_that_goes_on_ends_with_the_bytes_of_one_that_was_not_stopped(
    tmp_path, every_seconds
):
    config = replace(CONFIG, checkpoint_seconds=every_seconds)
    whole = run(tmp_path / "whole")
    for stop_at in (5, 8):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", config, Batches(stop_at))
    found = run(tmp_path / "cut", config)
    for name, value in whole.items():
        assert value.numpy().tobytes() == found[name].numpy().tobytes(), name
    assert state_bytes(tmp_path / "cut") == state_bytes(tmp_path / "whole")
    steps = [line["step"] for line in read_metrics(tmp_path / "cut" / "log.jsonl")]
    assert steps == [1, 3, 5, 7, 9, 11]


def test_a_run_goes_on_where_it_was_saved(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, batches=Batches(stop_at=5))
    batches = Batches()
    run(tmp_path, batches=batches)
    assert batches.asked == [5, 6, 7, 8, 9, 10, 11]


def test_a_finished_run_is_not_repeated(tmp_path):
    first, batches = run(tmp_path), Batches()
    again = run(tmp_path, batches=batches)
    assert batches.asked == []
    assert torch.equal(first["gate.weight"], again["gate.weight"])
    assert len(read_metrics(tmp_path / "log.jsonl")) == 6


def test_the_log_says_what_one_looks_for(tmp_path):
    lines = []
    run(tmp_path, tell=lines.append)
    log = read_metrics(tmp_path / "log.jsonl")
    assert set(log[0]) == {
        "step",
        "upstream_loss",
        "downstream_loss_before",
        "downstream_loss_after",
        "v_norm",
        "d_std",
        "score_std",
        "effective_sample_size",
        "downstream_scale",
        "reference_rate",
        "scoring_rate",
        "pairs_per_second",
    }
    assert 15.9 < log[0]["effective_sample_size"] <= 16
    assert log[0]["reference_rate"] == pytest.approx(1e-2 * 2 / 3)
    assert log[0]["pairs_per_second"] > 0
    assert len(lines) == 6
    assert lines[-1].startswith("step 12 of 12, downstream loss ")


def test_how_often_it_logs_changes_no_result(tmp_path):
    often = run(tmp_path / "often", replace(CONFIG, log_steps=1))
    seldom = run(tmp_path / "seldom", replace(CONFIG, log_steps=100))
    assert torch.equal(often["gate.weight"], seldom["gate.weight"])
    assert len(read_metrics(tmp_path / "seldom" / "log.jsonl")) == 1


def test_a_folder_of_another_run_is_refused_by_what_differs(tmp_path):
    run(tmp_path)
    before = state_bytes(tmp_path)
    with pytest.raises(TrainingError, match=r"another run.*scoring_rate.*0\.01.*0\.5"):
        run(tmp_path, replace(CONFIG, scoring_rate=0.5))
    with pytest.raises(TrainingError, match=r"another run.*scorer"):
        run(tmp_path, scorer=GluHead(8, 9))
    assert state_bytes(tmp_path) == before


def test_a_torn_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"torn")
    with pytest.raises(TrainingError, match=r"checkpoint\.safetensors is not a readable"):
        run(tmp_path)


def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path):
    with pytest.raises(TrainingError, match=r"step 7 of 12 is not finite.*nan"):
        run(tmp_path, batches=Batches(bad_at=6))
    found = run(tmp_path)
    assert torch.equal(found["gate.weight"], run(tmp_path / "other")["gate.weight"])


def test_a_run_that_nothing_judges_is_refused(tmp_path):
    with pytest.raises(UsageError, match="at least one downstream task"):
        train_flyt(CONFIG, Batches(), [], None, None, tmp_path, lambda line: None)


def test_weights_of_nothing_leave_numbers_in_the_log(make_problem):
    """One pair has everything: all other weights underflow even in float64."""
    problem = make_problem("mixer")
    stepper, scorer = problem.stepper(), problem.state.scorer
    values = scorer.values + torch.tensor([1e4, 0, 0, 0], dtype=torch.float64)
    state = replace(problem.state, scorer=replace(scorer, values=values))
    state, found = stepper.step(state, problem.pairs, problem.tasks, 0.01, 0.1)
    numbers = diagnose(found, found.downstream_loss, state)
    assert all(math.isfinite(number) for number in numbers.values())
    assert numbers["effective_sample_size"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 0}, "steps is at least 1, got 0"),
        ({"warmup_steps": -1}, "warmup_steps is at least 0, got -1"),
        ({"micro_batch": 0}, "micro_batch is at least 1, got 0"),
        ({"scoring_rate": 0.0}, "scoring_rate is a positive number, got 0.0"),
        ({"reference_rate": float("nan")}, "reference_rate is a positive number, got nan"),
    ],
)
def test_impossible_numbers_are_refused(change, said):
    with pytest.raises(UsageError, match=said):
        replace(CONFIG, **change)


def test_the_checkpoint_holds_every_learner_and_the_run(tmp_path):
    from safetensors import safe_open

    run(tmp_path)
    with safe_open(tmp_path / "checkpoint.safetensors", "pt") as file:
        record = json.loads(file.metadata()["datacomp"])
        names = set(file.keys())
    learners = ("reference", "downstream_scale", "scorer")
    assert names == {f"{one}/{part}" for one in learners for part in ("values", "mean", "square")}
    assert record["step"] == 12
    assert record["run"]["config"]["steps"] == 12
