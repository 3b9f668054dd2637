"""The page on pools names every column and every kind of problem."""

from pathlib import Path

import pytest

from datacomp.pool.manifest import PROBLEM_KINDS
from datacomp.pool.schema import FEATURE_KEYS, SCHEMA

PAGE = Path(__file__).parents[2] / "docs" / "pool.md"


@pytest.mark.parametrize("name", [*SCHEMA.names, *FEATURE_KEYS, *PROBLEM_KINDS])
def test_the_page_explains(name):
    assert f"`{name}`" in PAGE.read_text()
