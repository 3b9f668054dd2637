"""A group of commands that imports one only when it is called, so that --help stays quick."""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from datacomp.errors import UnknownNameError, UsageError


class LazyGroup(TyperGroup):
    """Lists `known` (name to one line of help) without importing it.

    The command NAME is the `app` of the module `prefix` + NAME, with _ for every space and dash.
    A name of two words is a command of its own.
    """

    known: ClassVar[Mapping[str, str]]
    prefix: ClassVar[str]

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, in the order that `known` has."""
        return list(self.known)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What --help shows of a command."""
        if cmd_name not in self.known:
            return None
        return TyperCommand(cmd_name, help=self.known[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, imported now; `UsageError` naming the nearest if there is none."""
        name = " ".join(args[:2])
        if name not in self.known:
            name = args[0]
        if name not in self.known:
            raise UsageError(str(UnknownNameError("command", name, self.known)))
        module = importlib.import_module(self.prefix + name.replace(" ", "_").replace("-", "_"))
        command: Any = get_command(module.app)
        command.name = name
        return name, command, args[len(name.split()) :]
