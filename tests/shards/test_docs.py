"""The page on shards names every option of the command, and every problem that may hide samples."""

from pathlib import Path

import pytest
from typer.main import get_command

from datacomp.cli.reshard import app
from datacomp.shards.checks import LOSSES

PAGE = Path(__file__).parents[2] / "docs" / "shards.md"
OPTIONS = [option for parameter in get_command(app).params for option in parameter.opts]


@pytest.mark.parametrize("name", [*(o for o in OPTIONS if o.startswith("--")), *LOSSES])
def test_the_page_explains(name):
    assert name in PAGE.read_text()
