"""`datacomp evaluate`: a trained run in, a report and a table out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.reports import Metric, Report, Suite


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training run.")],
    suite: Annotated[str, typer.Option(help="Suite of tasks.")] = "tiny",
    output_dir: Annotated[
        Path | None, typer.Option(help="Where to write. Default: RUN/evaluation/SUITE.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of evaluation sets. Default: the suite's own.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task; may be given several times.")
    ] = None,
    device: Annotated[str, typer.Option(help="Torch device.")] = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Evaluate a trained run on a suite; writes a report. Stops and goes on by task."""
    from datacomp.evaluation.run import evaluate_run, report_dir
    from datacomp.progress import progress
    from datacomp.reports import load_suite

    report = evaluate_run(
        run,
        suite,
        out_dir=output_dir,
        data_dir=data_dir,
        tasks=task or (),
        device=device,
        open_progress=progress,
    )
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report, load_suite(suite), (output_dir or report_dir(run, suite)) / "report.json")
    if not report.aggregates.complete:
        raise typer.Exit(1)


def _show(report: "Report", suite: "Suite", path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (
        ("task", "left"),
        ("n", "right"),
        ("metric", "left"),
        ("value ± stderr", "right"),
        ("chance", "right"),
    ):
        table.add_column(heading, justify=justify, no_wrap=heading != "task")
    for spec in suite.tasks:
        result = report.tasks.get(spec.key)
        if result is None:
            table.add_row(spec.name, f"{spec.n:,}", spec.main_metric or "", "not evaluated", "")
        elif result.status == "failed":
            table.add_row(spec.name, f"{spec.n:,}", spec.main_metric or "", "[red]failed[/]", "")
        else:
            value, chance = _number(result.main)
            table.add_row(spec.name, f"{spec.n:,}", spec.main_metric or "", value, chance)
    table.add_section()
    for name, mean in report.aggregates.groups.items():
        table.add_row(f"mean {name}", "", f"{mean.n_tasks} tasks", _with_error(mean), "")
    average = report.aggregates.average
    tasks = f"{average.n_tasks} of {len(suite.scored)} tasks"
    chance = "" if average.chance is None else f"{average.chance:.4f}"
    table.add_row("[bold]average[/]", "", tasks, f"[bold]{_with_error(average)}[/]", chance)
    Console().print(table)
    _say_next(report, path)


def _say_next(report: "Report", path: Path) -> None:
    for key, result in report.tasks.items():
        if result.status == "failed":
            typer.echo(f"{key} failed: {result.error}", err=True)
    typer.echo(f"\nreport   {path}")
    if report.aggregates.complete:
        typer.echo(f"next     datacomp submit {path} --method NAME")
    else:
        typer.echo("The average needs every scored task. Run the same command again.", err=True)


def _number(metric: "Metric | None") -> tuple[str, str]:
    if metric is None:
        return "unscored", ""
    chance = "" if metric.chance is None else f"{metric.chance:.4f}"
    return _with_error(metric), chance


def _with_error(mean: object) -> str:
    value, stderr = getattr(mean, "value", None), getattr(mean, "stderr", None)
    if value is None:
        return "incomplete"
    return f"{value:.4f}" + ("" if stderr is None else f" ± {stderr:.4f}")
