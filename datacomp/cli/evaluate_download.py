"""`datacomp evaluate download`: the evaluation sets of a suite, from the hub."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.evaluation.download import SetsReport

app = typer.Typer(add_completion=False)

DataDirOption = Annotated[
    Path, typer.Option("--data-dir", metavar="DIR", help="Where they go, a folder a set.")
]
SuiteOption = Annotated[str, typer.Option("--suite", help="Suite of tasks.")]
TaskOption = Annotated[
    list[str] | None,
    typer.Option("--task", metavar="KEY", help="Only this task's; may be repeated."),
]


@app.command()
def download(
    data_dir: DataDirOption,
    suite: SuiteOption = "datacomp38",
    task: TaskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the evaluation sets of a suite from the hub.

    Stopped at any moment, the same command goes on. Files are verified as they come.
    """
    from datacomp.evaluation.download import download_sets
    from datacomp.progress import progress

    report = download_sets(suite, data_dir, task or (), progress)
    if as_json:
        value = {"data_dir": str(data_dir), "sets": [asdict(one) for one in report.sets]}
        typer.echo(json.dumps(value, indent=2))
    else:
        _show(report, suite)
    for one in report.sets:
        if one.error is not None:
            typer.echo(f"{one.dataset} failed: {one.error}", err=True)
    if not report.is_complete:
        raise typer.Exit(1)


def _show(report: "SetsReport", suite: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("set", overflow="fold")
    for name in ("files", "fetched", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("commit", no_wrap=True, min_width=12)
    for one in report.sets:
        commit = "failed" if one.error else (one.commit or "by hand")[:12]
        size = f"{one.size / 1e6:,.1f}"
        table.add_row(one.dataset, f"{one.n_files:,}", f"{one.n_fetched:,}", size, commit)
    Console().print(table)
    there = sum(one.error is None for one in report.sets)
    typer.echo(f"sets    {there} of {len(report.sets)} in {report.data_dir}")
    typer.echo("terms   each set has its own licence, and some want to be asked for: see the page")
    typer.echo("        of its source, in datacomp/reports/suites, on the hub")
    if report.is_complete:
        typer.echo(f"next    datacomp evaluate RUN --suite {suite} --data-dir {report.data_dir}")
