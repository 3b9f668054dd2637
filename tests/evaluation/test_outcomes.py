"""Outcomes: metrics form again from what is stored, in any width, and the files are whole."""

from pathlib import Path

import numpy as np
import pytest

from datacomp.errors import EvaluationError
from datacomp.evaluation.outcomes import (
    compact,
    metrics_of,
    outcomes_path,
    read_outcomes,
    widened,
    write_outcomes,
)
from datacomp.reports import load_suite

SUITE = load_suite("datacomp38")


def classified(n: int = 400, classes: int = 300) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "ranks": rng.integers(0, classes, n),
        "predicted": rng.integers(0, classes, n),
        "targets": rng.integers(0, classes, n),
        "metadata": rng.integers(0, 6, (n, 2)),
    }


def test_numbers_survive_their_file(tmp_path: Path) -> None:
    spec, outcomes = SUITE["wilds/fmow"], classified(classes=62)
    path = outcomes_path(tmp_path, spec.key)
    write_outcomes(path, compact(outcomes))
    stored = read_outcomes(path)
    assert path.name == "wilds__fmow.npz"
    assert {name: array.dtype for name, array in stored.items()} == dict.fromkeys(stored, np.uint8)
    assert metrics_of(spec, stored) == metrics_of(spec, outcomes)
    assert all((widened(stored)[name] == array).all() for name, array in outcomes.items())


def test_integers_are_as_narrow_as_the_numbers_allow() -> None:
    arrays = {"a": np.array([0, 255]), "b": np.array([0, 256]), "c": np.array([-1, 3])}
    arrays |= {"scores": np.array([0.5]), "none": np.zeros((3, 0), np.int64)}
    found = {name: array.dtype for name, array in compact(arrays).items()}
    assert found == {
        "a": np.uint8,
        "b": np.uint16,
        "c": np.int16,
        "scores": np.float64,
        "none": np.int64,
    }


def test_equal_outcomes_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_outcomes(tmp_path / name, compact(classified()))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_largest_task_is_small_on_disk(tmp_path: Path) -> None:
    n, rng = 50_000, np.random.default_rng(0)  # ImageNet, for a model that is mostly wrong
    outcomes = {
        "ranks": rng.integers(0, 1000, n),
        "predicted": rng.integers(0, 1000, n),
        "targets": np.sort(rng.integers(0, 1000, n)),
        "metadata": np.zeros((n, 0), np.int64),
    }
    write_outcomes(tmp_path / "a.npz", compact(outcomes))
    assert (tmp_path / "a.npz").stat().st_size < 300_000


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", None])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "a.npz"
    if damage is None:
        np.savez(path, ranks=np.array([{}], object))
    else:
        path.write_bytes(damage)
    with pytest.raises(EvaluationError, match=r"cannot read the outcomes .*a\.npz"):
        read_outcomes(path)
