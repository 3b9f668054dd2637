"""What several areas' tests share; a hub, databases and other processes are in support/."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from datacomp.reports import Report
from support import reports

pytest_plugins = ["support.databases", "support.hub", "support.processes"]

# A run that failed fails again, on any machine: the same examples each time, and no deadline.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: looking through it again takes a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    """`make_report(suite="tiny", *, level, tasks, subset, created, model, **provenance)`.

    Every task answers about `level`; `tasks` replaces or adds results before the aggregates are
    computed; `subset` and `provenance` replace single fields. With `model`, a report of an
    open_clip model instead of a run, `model` replacing fields. Passes every check as it comes.
    """
    return reports.make_report


@pytest.fixture(scope="session")
def tiny_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny suite's evaluation sets, built once a test session.

    They lie as in a cache, whose root (for DATACOMP_CACHE) is `tiny_suite.parents[2]`.
    """
    from datacomp.evaluation.tiny_data import build_tiny_suite

    return build_tiny_suite(tmp_path_factory.mktemp("cache") / "suites" / "tiny")
