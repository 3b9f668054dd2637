"""`datacomp runs`: the runs of the workspace, and their curves."""

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.training.run_list import RunSummary

app = typer.Typer(no_args_is_help=True, help="List runs, and look at their curves.")

RunsArgument = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Names of the workspace's runs, or folders.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write a picture (.png) instead of drawing here."),
]
MAX_COLUMNS = 120


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the runs of the workspace: what they train on, how far they are, their last loss."""
    from datacomp.training.run_list import list_runs
    from datacomp.workspace import Workspace

    folder = Workspace.find().runs
    runs = list_runs(folder)
    if as_json:
        typer.echo(json.dumps([asdict(run) for run in runs], indent=2))
    elif runs:
        _show_table(runs)
    else:
        typer.echo(f"no runs in {folder}. Make one with: datacomp train", err=True)


@app.command()
def show(runs: RunsArgument, output: OutputOption = None, as_json: JsonOption = False) -> None:
    """Draw loss, learning rate, logit scale and images per second over samples seen.

    Several runs are drawn over each other. An unfinished run is drawn as far as it is.
    """
    from datacomp.errors import UsageError
    from datacomp.training.curves import draw_curves, plot_curves, read_curves

    if output and output.suffix != ".png":
        raise UsageError(f"a picture is written as .png, got {output}")
    curves = [read_curves(_folder(run)) for run in runs]
    for run in curves:
        if run.torn:
            typer.echo(f"{run.name}: {run.torn:,} lines of the log cannot be read", err=True)
    if as_json:
        typer.echo(json.dumps([{"name": run.name, "lines": run.lines} for run in curves], indent=2))
    if output:
        plot_curves(curves, output)
        typer.echo(f"picture  {output}", err=as_json)
    elif not as_json:
        width = min(shutil.get_terminal_size((80, 24)).columns, MAX_COLUMNS)
        typer.echo(draw_curves(curves, width, sys.stdout.isatty()))


def _folder(run: str) -> Path:
    """The run of this name in the workspace, else the folder itself."""
    from datacomp.workspace import Workspace

    named = Workspace.find().runs / run
    return named if named.is_dir() else Path(run)


def _show_table(runs: "list[RunSummary]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("run", "scale", "subset"):
        table.add_column(name, overflow="fold")
    for name in ("seed", "steps", "loss", "images/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        if run.problem:
            table.add_row(run.name, "unreadable")
            continue
        table.add_row(
            run.name,
            f"{run.scale} {run.variant or ''}".strip(),
            run.subset,
            str(run.seed),
            "all" if run.state == "finished" else f"{run.step:,}/{run.steps:,}",
            "-" if run.loss is None else f"{run.loss:.3f}",
            "-" if run.images_per_second is None else f"{run.images_per_second:,.0f}",
        )
    Console(highlight=False).print(table)
    for run in runs:
        if run.problem:
            typer.echo(f"{run.name}: {run.problem}", err=True)
