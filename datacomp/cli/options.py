"""Options that several commands share, so that they read and behave alike."""

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
