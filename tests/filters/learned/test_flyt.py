"""`flyt` from a pool of embeddings to a subset: what it finds, and what does not change its bytes.

The mathematics of a step is tested in tests/filters/flyt.
"""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from datacomp.errors import DatacompError, FilterError, UsageError
from datacomp.filtering import (
    LocalExecutor,
    filter_class,
    filter_from_params,
    run_filter,
)
from datacomp.filtering.conformance import CHECKS, subject_of
from datacomp.filtering.fitting import compute_fits
from datacomp.filtering.tree import from_tree, to_tree
from datacomp.pool import open_pool
from datacomp.progress import NoProgress
from datacomp_filters.flyt.heads import GluHead
from datacomp_filters.flyt.options import Trained
from datacomp_filters.flyt.scorer import Head
from support.processes import BOUND_SECONDS

# A toy's rates and batches; the paper's are for whole CLIPs and millions of pairs.
TOY = {
    "width": 32,
    "upstream_batch": 256,
    "downstream_batch": 256,
    "training_steps": 250,
    "reference_rate": 3e-3,
    "scoring_rate": 1e-2,
    "warmup_steps": 25,
}
SHORT = {**TOY, "training_steps": 6, "warmup_steps": 2, "upstream_batch": 64}
# AdamW's first step is nearly the sign of the gradient: where that is all but zero, rounding
# decides it, and more so for few rows and high rates.
GENTLE = {**SHORT, "upstream_batch": 256, "reference_rate": 1e-3, "scoring_rate": 1e-3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A score store; the first test that needs the trained head fills it."""
    return tmp_path_factory.mktemp("scores")


@pytest.fixture
def build(planted):
    return lambda **params: filter_from_params(
        filter_class("flyt"), {"downstream": planted.downstream, **params}
    )


def arrays_of(store):
    (path,) = store.glob("fits/flyt/*/arrays.npz")
    return path.read_bytes()


def score_files(store):
    return {path.name: path.read_bytes() for path in store.glob("flyt_score/*/*.parquet")}


def test_it_finds_what_clip_score_cannot_see(planted, score, trained):
    learned = score("flyt", TOY, trained)
    fooled = planted.auroc(planted.columns["clip_b32_similarity_score"].to_numpy())
    assert fooled < 0.6
    assert planted.auroc(np.nan_to_num(learned, nan=-100)) > max(0.8, fooled + 0.2)
    assert np.flatnonzero(np.isnan(learned)).tolist() == [3, 4, 2500, 5000, 5001]


def test_it_keeps_the_top_fraction_and_another_one_trains_nothing(planted, build, trained):
    result = run_filter(build(**TOY), planted.pool, trained)
    assert result.subset.n == 1200
    assert result.counts.dropped == {"no_score": 5, "below_cut": 4795}
    half = run_filter(build(**TOY, fraction=0.5), planted.pool, trained)
    assert half.subset.n == 3000
    assert [(step.done, step.reused) for step in half.steps] == [(0, 3)]
    assert len(list(trained.glob("fits/flyt/*"))) == 1


def test_a_selection_draws_by_its_score(planted, build, trained):
    score = {"from": to_tree(build(**TOY)), "column": "flyt_score"}
    drawn = from_tree({"soft_cap": {"column": score, "method": "clocks", "draws": 9000}})
    result = run_filter(drawn, planted.pool, trained)
    assert result.subset.n == 9000
    assert result.subset.n_unique < 6000
    assert result.counts.dropped["no_score"] == 5


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_the_head_at_work_is_the_head_that_was_trained(kind):
    random, trained = np.random.default_rng(0), GluHead(24, 40, seed=3)
    arrays = {name: tensor.numpy() for name, tensor in trained.parameters().items()}
    head = Head({**arrays, "widths": np.array([24, 40])}, "cpu")
    images, texts = (random.normal(0, 3, (2500, width)).astype(kind) for width in (24, 40))
    images[7], texts[1030, 5], texts[2499] = 0, np.nan, np.inf
    both = torch.from_numpy(np.concatenate([images, texts], 1))
    expected = trained.scores(trained.parameters(), both).numpy()
    expected[[7, 1030, 2499]] = np.nan
    assert head.scores(images, texts) == pytest.approx(expected, abs=1e-6, nan_ok=True)


class Stop:
    """Progress that interrupts, as ^C would, at a line of the training."""

    def __init__(self, line):
        self.line = line

    def advance(self, n=1, note=""):
        if self.line in note:
            raise KeyboardInterrupt


def test_stopped_or_not_and_however_the_pool_is_cut_it_learns_the_same(
    planted, score, recut, tmp_path, monkeypatch
):
    whole = Trained.config
    often = {"checkpoint_seconds": 0.0, "log_steps": 1}
    monkeypatch.setattr(Trained, "config", lambda self: replace(whole(self), **often))
    first = score("flyt", SHORT, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        score("flyt", SHORT, tmp_path / "stopped", progress=Stop("step 4 of 6"))
    (log,) = (tmp_path / "stopped").glob("fits/flyt/*/log.jsonl")
    assert len(log.read_bytes().splitlines()) == 4
    again = score("flyt", SHORT, tmp_path / "stopped")
    assert again.tobytes() == first.tobytes()
    assert arrays_of(tmp_path / "stopped") == arrays_of(tmp_path / "whole")
    turned = score("flyt", SHORT, tmp_path / "recut", pool=recut)
    assert turned[::-1].tobytes() == first.tobytes()
    assert arrays_of(tmp_path / "recut") == arrays_of(tmp_path / "whole")


def test_a_sample_of_the_pool_is_the_same_however_it_is_cut(score, recut, tmp_path):
    lines = []
    told = type("", (), {"advance": lambda self, n=1, note="": lines.append(note)})()
    some = {**SHORT, "train_rows": 500, "training_steps": 2}
    score("flyt", some, tmp_path / "usual", progress=told)
    score("flyt", some, tmp_path / "recut", pool=recut)
    assert arrays_of(tmp_path / "recut") == arrays_of(tmp_path / "usual")
    (line,) = [line for line in lines if "rows of" in line]
    assert "500 rows of 6,000, drawn by uid" in line


def test_workers_and_interruptions_do_not_change_the_files(planted, score, trained, tmp_path):
    score("flyt", TOY, trained)
    files = score_files(trained)
    assert len(files) == 3
    (folder,) = trained.glob("flyt_score/*")
    for path in list(folder.glob("*.parquet"))[:2]:
        path.unlink()
    score("flyt", TOY, trained, executor=LocalExecutor(2))
    assert score_files(trained) == files


def test_several_processes_learn_what_one_does(planted, build, meet, tmp_path):
    alone = compute_fits(
        build(**GENTLE), planted.pool, tmp_path / "one", LocalExecutor(), NoProgress()
    )
    command = [sys.executable, "-m", "datacomp", "filter", "fit", "flyt"]
    command += [f"{key}={value}" for key, value in GENTLE.items()]
    command += [f"downstream={planted.downstream}", "--pool", planted.pool.url]
    command += ["--store", str(tmp_path / "two"), "--json"]
    shared = {"WORLD_SIZE": "2"} | meet()
    started = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=BOUND_SECONDS)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert said[1] == ""
    (path,) = (tmp_path / "two").glob("fits/flyt/*/arrays.npz")
    found, expected = np.load(path), alone[0].arrays
    assert set(found) == set(expected)
    for name in expected:
        assert found[name] == pytest.approx(expected[name], abs=1e-6)


def test_it_holds_to_the_contract_of_filters(planted, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = [f"{key}={value}" for key, value in {**SHORT, "training_steps": 2}.items()]
    words.append(f"downstream={planted.downstream}")
    subject = subject_of("flyt", *words, pool=planted.pool.url)
    results = [check.run(subject) for check in CHECKS]
    assert [result for result in results if result.status == "failed"] == []
    passed = {result.check for result in results if result.status == "passed"}
    assert {"runs", "part_split", "batch_size", "other_process"} <= passed


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"training_steps": 0}, "training_steps is 1 or more"),
        ({"train_rows": 0}, "train_rows is 1 or more"),
        ({"scoring_rate": float("nan")}, "scoring_rate is a finite number"),
        ({"seed": -1}, "seed is 0 or more"),
        ({"seed": 2**63}, "seed is below 2.63"),
        ({"width": 0}, "width is 1 or more"),
        ({"fraction": 1.5}, "fraction is between 0 and 1"),
    ],
)
def test_impossible_parameters_are_refused(build, wrong, expected):
    with pytest.raises(UsageError, match=expected):
        build(**wrong)


@pytest.fixture
def labelled(tmp_path):
    """Write a labelled set from labels and embeddings."""
    numbers = count()

    def write(labels, images, texts):
        folder = tmp_path / f"labelled{next(numbers)}"
        (folder / "metadata").mkdir(parents=True)
        uids = [f"{row:032x}" for row in range(len(images))]
        columns = {"uid": uids} | ({} if labels is None else {"label": pa.array(labels)})
        pq.write_table(pa.table(columns), folder / "metadata" / "0.parquet")
        np.savez(folder / "metadata" / "0.npz", b32_img=images, b32_txt=texts)
        return str(folder)

    return write


def test_labelled_sets_that_cannot_teach_are_refused(planted, score, labelled, tmp_path):
    ones, none = np.ones((3, 64), np.float16), np.zeros((3, 64), np.float16)
    half = np.array([[0] * 64, [1] * 64, [1] * 64], np.float16)
    cases = [
        (labelled(None, ones, ones), "has no column 'label'"),
        (labelled(["a", "a", None], ones, ones), "has 1 classes"),
        (labelled(["a", "b", "b"], ones, half), "no row of class 'a' .* has a usable b32_txt"),
        (labelled(["a", "b", "b"], none, ones), "no labelled row of .* has a usable b32_img"),
        (labelled(["a", "b", "b"], ones[:, :5], ones), "dimensions"),
        (str(tmp_path / "nowhere"), "nowhere is no pool folder"),
    ]
    for downstream, expected in cases:
        with pytest.raises(FilterError, match=expected):
            score("flyt", {**SHORT, "downstream": downstream}, tmp_path / "scores")


def test_pools_without_usable_embeddings_are_refused(planted, score, tmp_path):
    folder = tmp_path / "pool"
    (folder / "metadata").mkdir(parents=True)
    pq.write_table(pa.table({"uid": [f"{1:032x}"]}), folder / "metadata" / "0.parquet")
    np.savez(folder / "metadata" / "0.npz", b32_img=np.zeros((1, 64)), b32_txt=np.ones((1, 64)))
    with pytest.raises(FilterError, match=r"no row of .* has usable embeddings b32_img"):
        score("flyt", SHORT, tmp_path / "scores", pool=open_pool(str(folder)))
    with pytest.raises(DatacompError, match="l14_img"):
        score("flyt", {**SHORT, "encoder": "l14"}, tmp_path / "scores")
