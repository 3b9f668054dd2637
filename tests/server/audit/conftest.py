"""An empty service beside the one under test, on the other of the two databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from datacomp_server import Settings


@pytest.fixture
def elsewhere(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a service that does not exist yet: on Postgres if `service` is on SQLite."""
    if database_kind == "postgres":
        yield Settings(data_dir=tmp_path / "other")
        return
    with request.getfixturevalue("postgres").lending() as make:
        yield Settings(data_dir=tmp_path / "other", database_url=make(migrated=False))
