"""One, two and four processes end with the same numbers, whatever rows each of them holds."""

from pathlib import Path

import numpy as np
import pytest

from datacomp.training.distributed import Ranks
from datacomp.training.metrics_log import read_metrics


@pytest.fixture(scope="module")
def runs(run_worlds):
    """The folder in which every process of every number of processes left its numbers."""
    return run_worlds(Path(__file__).with_name("processes.py"))


@pytest.mark.parametrize(("world", "rank"), [(2, 0), (2, 1), (4, 0), (4, 1), (4, 2), (4, 3)])
def test_every_process_has_what_one_has_alone(runs, world, rank):
    alone, found = np.load(runs / "1-0.npz"), np.load(runs / f"{world}-{rank}.npz")
    assert set(found.files) == set(alone.files)
    for name in alone.files:
        np.testing.assert_allclose(found[name], alone[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_uneven_shares_are_even_ones(runs):
    alone, found = np.load(runs / "1-0.npz"), np.load(runs / "4-3.npz")
    for name in (name for name in alone.files if name.startswith("even")):
        np.testing.assert_allclose(found[name.replace("even", "ragged")], alone[name], atol=1e-6)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_one_process_alone_writes(runs, world):
    folder = runs / f"world-{world}"
    assert [line["step"] for line in read_metrics(folder / "log.jsonl")] == [1, 3, 5]
    assert {file.name for file in folder.iterdir()} == {"log.jsonl", "checkpoint.safetensors"}


def test_shares_are_all_rows_once():
    shares = [Ranks(rank, 4).share(10) for rank in range(4)]
    assert shares == [(0, 2), (2, 5), (5, 7), (7, 10)]
