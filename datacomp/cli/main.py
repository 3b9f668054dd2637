"""The `datacomp` command: groups are imported only when they are called, errors become one line."""

import importlib
import sys
from typing import Any

import click
import typer
from typer.core import TyperGroup
from typer.main import get_command

from datacomp import __version__
from datacomp.errors import DatacompError, UsageError

# name -> (module under datacomp.cli, attribute, help); kept here so that --help imports nothing
COMMANDS = {
    "demo": ("demo", "demo", "The whole way on the tiny pool: pool to board, printed and plotted."),
    "pool": ("pool", "app", "Build, index, inspect and look at candidate pools."),
    "subset": ("subset", "app", "Inspect and combine subset files."),
    "filter": ("filter", "app", "List, explain and run filters."),
    "train": ("train", "train", "Train the fixed CLIP recipe of a scale on a subset."),
    "evaluate": ("evaluate", "evaluate", "Evaluate a trained run on a suite; writes a report."),
    "serve": ("serve", "app", "Run the service and the board; manage its tokens."),
    "submit": ("submit", "submit", "Send a report to the service."),
}

EXIT_USER_ERROR, EXIT_USAGE, EXIT_DEFECT = 1, 2, 3


class _LazyGroup(TyperGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        target = getattr(importlib.import_module(f"datacomp.cli.{module}"), attribute)
        command = get_command(target if isinstance(target, typer.Typer) else _single(target))
        command.name = cmd_name
        return command
