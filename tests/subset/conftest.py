"""Builders of uids and subsets."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from datacomp.subset import UID_DTYPE, Subset, UidArray

# The first call of a compiled loop compiles it; no test of ours is about seconds.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

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
