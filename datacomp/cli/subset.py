"""`datacomp subset`: inspect, combine, sample and sort subset files."""

import json
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.subset import Subset

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Inspect and combine subset files (u8,u8 .npy).",
)

File = Annotated[Path, typer.Argument(metavar="SUBSET", help="A subset file (.npy).")]
Files = Annotated[list[Path], typer.Argument(metavar="SUBSET...", help="Two or more .npy files.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="File to write (.npy).")]


@app.command()
def info(path: File, as_json: JsonOption = False) -> None:
    """Say what a subset file holds and how it came about."""
    from datacomp.subset import read_lock, read_subset

    subset, lock = read_subset(path), read_lock(path)
    facts = {"n": subset.n, "n_unique": subset.n_unique, "sha256": subset.sha256}
    if as_json:
        typer.echo(json.dumps({"file": str(path), **facts, "lock": lock}, indent=2))
        return
    _show(path, subset)
    if lock is None:
        typer.echo("lock      none: nothing says how this subset came about")
    elif lock.get("sha256") != subset.sha256:
        typer.echo("lock      belongs to other content: the file was changed after it")
    else:
        typer.echo(f"made by   {_made_by(lock)}")


@app.command()
def union(paths: Files, output: Output) -> None:
    """Every uid as often as in the file that has it most often."""
    from datacomp.subset import union as operation

    _combine("union", operation, paths, output)


@app.command()
def intersect(paths: Files, output: Output) -> None:
    """Every uid as often as in the file that has it least often."""
    from datacomp.subset import intersect as operation

    _combine("intersect", operation, paths, output)


@app.command()
def minus(paths: Files, output: Output) -> None:
    """The first file without any uid that stands in one of the others."""
    from datacomp.subset import minus as operation

    _combine("minus", operation, paths, output)


@app.command()
def sample(
    path: File,
    output: Output,
    fraction: Annotated[float | None, typer.Option(help="Share of the entries, 0 to 1.")] = None,
    n: Annotated[int | None, typer.Option("-n", help="Number of entries.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Draw entries without replacement; the same seed draws the same ones."""
    from datacomp.subset import read_subset, write_subset
    from datacomp.subset import sample as draw
    from datacomp.subset.provenance import operation_lock

    subset = read_subset(path)
    drawn = draw(subset, fraction=fraction, n=n, seed=seed)
    parameters = {"fraction": fraction, "n": n, "seed": seed}
    write_subset(drawn, output, operation_lock("sample", [(path, subset)], parameters))
    _show(output, drawn)


@app.command()
def sort(path: File, output: Output) -> None:
    """Sort a subset file that only lacks the order."""
    from datacomp.subset import Subset, write_subset
    from datacomp.subset.provenance import operation_lock
    from datacomp.subset.subset import read_uids

    subset = Subset.from_uids(read_uids(path))
    write_subset(subset, output, operation_lock("sort", [(path, subset)], {}))
    _show(output, subset)


def _combine(
    name: str, operation: "Callable[[Subset, Subset], Subset]", paths: list[Path], output: Path
) -> None:
    from datacomp.errors import UsageError
    from datacomp.subset import read_subset, write_subset
    from datacomp.subset.provenance import operation_lock

    if len(paths) < 2:
        raise UsageError(f"{name} takes two or more subset files, got {len(paths)}")
    inputs = [(path, read_subset(path)) for path in paths]
    result = reduce(operation, (subset for _, subset in inputs))
    write_subset(result, output, operation_lock(name, inputs, {}))
    _show(output, result)


def _show(path: Path, subset: "Subset") -> None:
    typer.echo(f"{path}")
    typer.echo(f"entries   {subset.n:,}")
    typer.echo(f"uids      {subset.n_unique:,}")
    typer.echo(f"sha256    {subset.sha256}")


def _made_by(lock: dict[str, Any]) -> str:
    """The part of a lock that tells most: the filter with its parameters, or the operation."""
    if spec := lock.get("filter"):
        words = [f"{key}={value}" for key, value in spec["params"].items() if value is not None]
        return " ".join([spec["name"], *words])
    inputs = [item["file"] for item in lock.get("inputs", [])]
    return " ".join([str(lock.get("operation", "unknown")), *inputs])
