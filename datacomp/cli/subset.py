"""`datacomp subset`: inspect, combine, sample and sort subset files."""

import json
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.options import JsonOption, MaxMemory, parse_size

if TYPE_CHECKING:
    from datacomp.progress import Progress
    from datacomp.subset import SubsetFacts

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
    from datacomp.subset.blocks import read_facts, read_lock

    facts, lock = read_facts(path), read_lock(path)
    if as_json:
        typer.echo(json.dumps({"file": str(path), **vars(facts), "lock": lock}, indent=2))
        return
    _show(path, facts)
    if lock is None:
        typer.echo("lock      none: nothing says how this subset came about")
    elif lock.get("sha256") != facts.sha256:
        typer.echo("lock      belongs to other content: the file was changed after it")
    else:
        try:
            typer.echo(f"made by   {_made_by(lock)}")
        except (TypeError, LookupError, AttributeError):
            typer.echo("lock      was edited: it does not say how this subset came about")


@app.command()
def union(paths: Files, output: Output, max_memory: MaxMemory = "1G") -> None:
    """Every uid as often as in the file that has it most often."""
    _combine("union", paths, output, max_memory)


@app.command()
def intersect(paths: Files, output: Output, max_memory: MaxMemory = "1G") -> None:
    """Every uid as often as in the file that has it least often."""
    _combine("intersect", paths, output, max_memory)


@app.command()
def minus(paths: Files, output: Output, max_memory: MaxMemory = "1G") -> None:
    """The first file without any uid that stands in one of the others."""
    _combine("minus", paths, output, max_memory)


@app.command()
def sample(
    path: File,
    output: Output,
    fraction: Annotated[float | None, typer.Option(help="Share of the entries, 0 to 1.")] = None,
    n: Annotated[int | None, typer.Option("-n", help="Number of entries.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    max_memory: MaxMemory = "1G",
) -> None:
    """Draw entries without replacement; the same seed draws the same ones."""
    from datacomp.subset.combining import sample_file

    room = parse_size(max_memory)
    with _entries("sample", [path], 3) as told:
        facts = sample_file(path, output, room, fraction=fraction, n=n, seed=seed, progress=told)
    _show(output, facts)


@app.command()
def sort(path: File, output: Output, max_memory: MaxMemory = "1G") -> None:
    """Sort a subset file that only lacks the order."""
    from datacomp.subset.combining import sort_file

    room = parse_size(max_memory)
    with _entries("sort", [path], 2) as told:
        facts = sort_file(path, output, room, told)
    _show(output, facts)


def _combine(operation: str, paths: list[Path], output: Path, max_memory: str) -> None:
    from datacomp.subset.combining import combine_files

    room = parse_size(max_memory)
    with _entries(operation, paths) as told:
        facts = combine_files(operation, paths, output, room, told)
    _show(output, facts)


@contextmanager
def _entries(operation: str, paths: list[Path], times: int = 1) -> "Iterator[Progress]":
    """Progress over the entries of files, each of which is passed so many times."""
    from datacomp.progress import progress
    from datacomp.subset.blocks import SubsetFile

    total = sum(SubsetFile(path).n for path in paths)
    with progress(operation, times * total, unit="uids") as told:
        yield told


def _show(path: Path, facts: "SubsetFacts") -> None:
    typer.echo(f"{path}")
    typer.echo(f"entries   {facts.n:,}")
    typer.echo(f"uids      {facts.n_unique:,}")
    typer.echo(f"sha256    {facts.sha256}")


def _made_by(lock: dict[str, Any]) -> str:
    """The part of a lock that tells most: the filter with its parameters, or the operation."""
    import yaml

    if spec := lock.get("filter"):
        params = spec["params"]
        if isinstance(params, dict) and not any(
            isinstance(v, dict | list) for v in params.values()
        ):
            words = [f"{key}={value}" for key, value in params.items() if value is not None]
            return " ".join([spec["name"], *words])
        selection = yaml.safe_dump(lock["selection"], sort_keys=False)
        return "a selection:\n" + textwrap.indent(selection, "  ").rstrip()
    inputs = [item["file"] for item in lock.get("inputs", [])]
    return " ".join([str(lock.get("operation", "unknown")), *inputs])
