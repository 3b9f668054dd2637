"""`datacomp filter fit`: compute what a filter learns, without selecting."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.options import JsonOption, PoolOption, WorkersOption, foreign_code

if TYPE_CHECKING:
    from datacomp.filtering import Filter
    from datacomp.filtering.fitting import Fitted
    from datacomp.progress import Progress

app = typer.Typer(add_completion=False)


@app.command("fit")
def fit_(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            help="A filter (see: datacomp filter list), a selection.yaml, or a .lock.json.",
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAMETER=VALUE]...", help="Such as training_steps=1000"),
    ] = None,
    pool: PoolOption = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Score store. Default: the workspace's scores/.")
    ] = None,
    workers: WorkersOption = 1,
    gpus_per_worker: Annotated[
        float, typer.Option(help="GPUs that each worker sees; 1 to train on a GPU.")
    ] = 0,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", help="Python file with filters; repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train, or compute otherwise, what a filter learns from the pool; then `run` uses it.

    Stopped, it goes on where it was. For several processes: torchrun --nproc-per-node 2 -m datacomp
    filter fit ...
    """
    from datacomp.filtering import LocalExecutor
    from datacomp.filtering.fitting import compute_fits
    from datacomp.pool import open_pool
    from datacomp.workspace import Workspace

    workspace = Workspace.find()
    chosen = _filter(name, words or [], plugin or [])
    opened = open_pool(pool or workspace.pool_for(workspace.scale))
    place = LocalExecutor(workers, gpus_per_worker)
    with foreign_code(), _progress(name, chosen, opened) as shown:
        fitted = compute_fits(chosen, opened, store or workspace.scores, place, shown)
    if as_json and fitted:
        typer.echo(json.dumps([one.to_json() for one in fitted], indent=2))
    elif not as_json:
        for one in fitted:
            _show(one)


def _filter(name: str, words: list[str], plugins: list[Path]) -> "Filter":
    from datacomp.errors import UsageError
    from datacomp.filtering import filter_class, filter_from_words, load_plugin
    from datacomp.filtering.selection_file import is_selection, read_selection

    with foreign_code():
        for path in plugins:
            load_plugin(path)
    if not is_selection(name):
        return filter_from_words(filter_class(name), words)
    if words:
        raise UsageError(f"{name} holds its parameters itself; change them there, not here")
    return read_selection(Path(name))


@contextmanager
def _progress(name: str, chosen: "Filter", pool: Any) -> "Iterator[Progress]":
    """Of the first process alone."""
    from datacomp.filtering import rows_to_pass
    from datacomp.progress import NoProgress, progress

    if os.environ.get("RANK", "0") != "0":
        yield NoProgress()
        return
    with progress(Path(name).name, rows_to_pass(chosen, pool), unit="row reads") as shown:
        yield shown


def _show(fitted: "Fitted") -> None:
    from rich.console import Console
    from rich.table import Table

    typer.echo(f"fit      {fitted.name}{', stored before' if fitted.stored else ''}")
    typer.echo(f"arrays   {fitted.folder / 'arrays.npz'}")
    if fitted.log is not None:
        typer.echo(f"log      {fitted.log}")
    for key, value in fitted.last.items():
        typer.echo(f"         {key.replace('_', ' ')} {_number(value)}")
    if rows := fitted.table:
        table = Table(*rows[0], box=None)
        for row in rows:
            table.add_row(*(_number(value) for value in row.values()))
        Console().print(table)


def _number(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value}"
