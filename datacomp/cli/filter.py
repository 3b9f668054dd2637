"""`datacomp filter`: list filters, explain what one would do, run it into a subset file."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption, PoolOption, WorkersOption, print_problems

if TYPE_CHECKING:
    from datacomp.filtering import Filter
    from datacomp.workspace import Workspace

# A row is read once to select, and twice more for each step: to look it up and to compute it.
READS = "row reads"

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, explain and run filters.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="See: datacomp filter list")]
Words = Annotated[
    list[str] | None, typer.Argument(metavar="[PARAMETER=VALUE]...", help="Such as fraction=0.3")
]
Plugin = Annotated[
    list[Path] | None, typer.Option("--plugin", help="Python file with filters; may be repeated.")
]
Store = Annotated[
    Path | None, typer.Option("--store", help="Score store. Default: the workspace's scores/.")
]


@app.command("list")
def list_(plugin: Plugin = None, as_json: JsonOption = False) -> None:
    """List the filters that are installed or loaded."""
    from datacomp.cli.filter_tables import show_catalogue
    from datacomp.filtering.catalogue import catalogue

    _load(plugin)
    rows = catalogue()
    if as_json:
        typer.echo(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        show_catalogue(rows)


@app.command("explain")
def explain_(
    name: Name,
    words: Words = None,
    pool: PoolOption = None,
    store: Store = None,
    plugin: Plugin = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a filter would do on a pool: rules, columns, what is stored, what it costs."""
    from datacomp.cli.filter_tables import show_plan
    from datacomp.filtering import explain
    from datacomp.pool import open_pool
    from datacomp.progress import progress

    workspace, chosen = _workspace(), _filter(name, words, plugin)
    opened = open_pool(pool or workspace.pool_for(workspace.scale))
    with progress(name, opened.n_rows * len(chosen.steps()), unit=READS) as shown:
        plan = explain(chosen, opened, store or workspace.scores, shown)
    if as_json:
        typer.echo(json.dumps(plan.to_json(), indent=2))
    else:
        show_plan(plan)


@app.command("run")
def run_(
    name: Name,
    words: Words = None,
    pool: PoolOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: subsets/NAME-PARAMETERS.npy")
    ] = None,
    store: Store = None,
    workers: WorkersOption = 1,
    plugin: Plugin = None,
    as_json: JsonOption = False,
) -> None:
    """Run a filter on a pool and write the subset with its lock file."""
    from datacomp.cli.filter_tables import show_failures, show_result
    from datacomp.filtering import PartsFailed, rows_to_pass, run_filter
    from datacomp.pool import open_pool
    from datacomp.progress import progress
    from datacomp.subset import read_lock, write_subset
    from datacomp.subset.subset import demand_suffix

    workspace, chosen = _workspace(), _filter(name, words, plugin)
    opened = open_pool(pool or workspace.pool_for(workspace.scale))
    path = demand_suffix(output or workspace.subsets / _file_name(name, words or []))
    try:
        with progress(name, rows_to_pass(chosen, opened), unit=READS) as shown:
            result = run_filter(chosen, opened, store or workspace.scores, workers, shown)
    except PartsFailed as error:
        show_failures(error.steps)
        raise
    write_subset(result.subset, path, result.lock)
    if as_json:
        typer.echo(json.dumps({"file": str(path), **(read_lock(path) or {})}, indent=2))
    else:
        print_problems(result.lock["pool_problems"])
        show_result(path, result, workspace.scale)


def _workspace() -> "Workspace":
    from datacomp.workspace import Workspace

    return Workspace.find()


def _load(plugins: list[Path] | None) -> None:
    from datacomp.filtering import load_plugin

    for plugin in plugins or []:
        load_plugin(plugin)


def _filter(name: str, words: list[str] | None, plugins: list[Path] | None) -> "Filter":
    from datacomp.filtering import filter_class, filter_from_words

    _load(plugins)
    return filter_from_words(filter_class(name), words or [])


def _file_name(name: str, words: list[str]) -> str:
    """`clip_score-fraction=0.3.npy`; what does not belong into a file name becomes `_`."""
    return re.sub(r"[^\w.=+-]+", "_", "-".join([name, *words]))[:120] + ".npy"
