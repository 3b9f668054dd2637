"""Options and lines that several commands share, so that they read and behave alike."""

import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

PoolOption = Annotated[
    str | None,
    typer.Option("--pool", help="Pool: a folder or an fsspec URL. Default: the workspace's."),
]
ScaleOption = Annotated[
    str | None,
    typer.Option("--scale", help="smoke, tiny, small, medium, large or xlarge."),
]
SubsetOption = Annotated[
    Path | None,
    typer.Option("--subset", help="Subset file (.npy). Default: the workspace's, else all."),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, metavar="N", help="Default: the workspace's.")
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes.")]
UrlOption = Annotated[str | None, typer.Option("--url", help="Default: the workspace's service.")]
TokenOption = Annotated[
    str | None, typer.Option("--token", help="Default: DATACOMP_TOKEN, else of datacomp login.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_problems(counts: Mapping[str, int] | None) -> None:
    """Say what is wrong with the pool that a result came from; nothing if nothing is known."""
    if counts:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in counts.items())
        typer.echo(f"pool     has problems: {kinds}; see datacomp pool info")


MaxMemory = Annotated[
    str, typer.Option("--max-memory", help="Of uids, such as 256M; more waits in temporary files.")
]


def foreign_code() -> AbstractContextManager[object]:
    """Around code of others: what it prints goes to stderr, stdout is for results."""
    return redirect_stdout(sys.stderr)


def parse_size(text: str) -> int:
    """Bytes of a size such as 512M or 1.5G (1024 each); `UsageError` for anything else."""
    from datacomp.errors import UsageError

    units = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None or (size := int(float(found[1]) * units[found[2].upper()])) < 1:
        raise UsageError(f"a size is a number with K, M, G or T, such as 512M; got {text!r}")
    return size


def ask(what: str, *, hide: bool = False) -> str:
    """An answer from the terminal, or one line of standard input; `UsageError` if that is empty."""
    from datacomp.errors import UsageError

    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=hide, err=True))
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        raise UsageError(f"{what.lower()} expected on standard input, which is empty")
    return line
