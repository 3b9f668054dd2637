"""Options and lines that several commands share, so that they read and behave alike."""

from collections.abc import Mapping
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
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="Default: the workspace's.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_problems(counts: Mapping[str, int] | None) -> None:
    """Say what is wrong with the pool that a result came from; nothing if nothing is known."""
    if counts:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in counts.items())
        typer.echo(f"pool     has problems: {kinds}; see datacomp pool info")
