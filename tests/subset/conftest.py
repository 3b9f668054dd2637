"""Builders of uids and subsets."""

from collections.abc import Callable

import numpy as np
import pytest

from datacomp.subset import UID_DTYPE, Subset, UidArray

MakeUids = Callable[..., UidArray]
MakeSubset = Callable[..., Subset]


@pytest.fixture(scope="session")
def make_uids() -> MakeUids:
    """Uids from (high, low) pairs, or from plain numbers as low words."""

    def make(*words: int | tuple[int, int]) -> UidArray:
        pairs = [word if isinstance(word, tuple) else (0, word) for word in words]
        return np.array(pairs, UID_DTYPE)

    return make


@pytest.fixture(scope="session")
def make_subset(make_uids: MakeUids) -> MakeSubset:
    """A subset of uids given in any order."""
    return lambda *words: Subset.from_uids(make_uids(*words))
