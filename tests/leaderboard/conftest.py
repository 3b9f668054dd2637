"""Entries and rows with defaults."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Entry, Estimate

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def make_entry() -> Callable[..., Entry]:
    """`make_entry(average=0.3, stderr=0.01, **fields)`: each a minute after the one before."""
    numbers = count()

    def make(average: float | None = 0.3, stderr: float | None = 0.01, **fields: Any) -> Entry:
        number = next(numbers)
        defaults: dict[str, Any] = {
            "id": f"S{number:03}",
            "team": "Alpha",
            "method": "mine",
            "scale": "tiny",
            "recipe_id": "r",
            "pool_id": "p",
            "pool_size": 1000,
            "seed": 0,
            "average": None if average is None else Estimate(average, stderr),
            "groups": {},
            "subset_size": 300,
            "subset_unique": 250,
            "oracle": False,
            "level": Level.RE_EVALUATED,
            "submitted_at": EPOCH + timedelta(minutes=number),
        }
        return Entry(**(defaults | fields))

    return make
