"""Logits: equal classes are equal, and no row depends on how many others there are."""

from typing import Any

import numpy as np
import pytest

from datacomp.evaluation.classifier import IMAGE_BATCH, Classifier


def unit(n: int, width: int, seed: int) -> Any:
    rows = np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(("width", "n_classes"), [(64, 200), (64, 113), (512, 200), (512, 113)])
def test_rows_alone_and_classes_of_equal_columns(width: int, n_classes: int) -> None:
    rows, columns = unit(IMAGE_BATCH, width, 1), unit(n_classes, width, 2).T.copy()
    columns[:, [n_classes - 1, n_classes - 3, 60]] = columns[:, [3, 17, 0]]
    classifier = Classifier(columns)
    whole = classifier.logits(rows)
    assert np.array_equal(whole[:, [n_classes - 1, n_classes - 3, 60]], whole[:, [3, 17, 0]])
    assert np.allclose(whole, 100 * rows @ columns, atol=1e-4)
    for n in (1, 2, 3, 5, 8, 11, 100):
        assert np.array_equal(classifier.logits(rows[:n]), whole[:n])
