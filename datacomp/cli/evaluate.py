"""`datacomp evaluate`: a trained run in, a report and a table out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.reports import Report, TaskResult


app = typer.Typer()

RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN]", help="A finished run's folder. Default: the newest one."),
]
SuiteOption = Annotated[str, typer.Option("--suite", help="Suite of tasks.")]
OutputDirOption = Annotated[
    Path | None, typer.Option("--output-dir", help="Default: RUN/evaluation/SUITE.")
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Evaluation sets. Default: the suite's own.")
]
TaskOption = Annotated[
    list[str] | None, typer.Option("--task", help="Only this task; may be repeated.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, ...")]


@app.command()
def evaluate(
    run: RunArgument = None,
    suite: SuiteOption = "tiny",
    output_dir: OutputDirOption = None,
    data_dir: DataDirOption = None,
    task: TaskOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Evaluate a trained run on a suite; writes its report.

    Stopped at any moment, the same command goes on after the last finished task.
    """
    from datacomp.evaluation.run import evaluate_run, report_dir
    from datacomp.evaluation.runner import REPORT_NAME
    from datacomp.progress import progress
    from datacomp.workspace import Workspace

    run = run or Workspace.find().newest_run()
    out = output_dir or report_dir(run, suite)
    report = evaluate_run(
        run,
        suite,
        out_dir=out,
        data_dir=data_dir,
        tasks=task or (),
        device=device,
        open_progress=progress,
    )
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report, out / REPORT_NAME)
    if not report.aggregates.complete:
        _say_incomplete(report)
        raise typer.Exit(1)


def _show(report: "Report", path: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from datacomp.reports import load_suite

    suite = load_suite(report.suite.name)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("task")
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    table.add_column("value ± stderr", justify="right", no_wrap=True)
    table.add_column("chance", justify="right", no_wrap=True)
    for spec in suite.tasks:
        main, chance = spec.main_metric or "", spec.chance.get(spec.main_metric or "")
        value = _value(report.tasks.get(spec.key))
        table.add_row(spec.name, f"{spec.n:,}", main, value, _number(chance))
    table.add_section()
    for name, mean in report.aggregates.groups.items():
        table.add_row(name, "", f"mean of {mean.n_tasks}", _with_error(mean.value, mean.stderr), "")
    average = report.aggregates.average
    count = f"mean of {average.n_tasks} of {len(suite.scored)}"
    value = _with_error(average.value, average.stderr)
    table.add_row("Average", "", count, value, _number(average.chance), style="bold")
    Console().print(table)
    typer.echo(f"report  {path}")
    if report.aggregates.complete:
        typer.echo(f"next    datacomp submit {path} --method NAME")


def _say_incomplete(report: "Report") -> None:
    for key, result in report.tasks.items():
        if result.status == "failed":
            typer.echo(f"{key} failed: {result.error}", err=True)
    typer.echo(
        "No average: it needs every scored task. The same command without --task goes on with "
        "those that are missing or failed.",
        err=True,
    )


def _value(result: "TaskResult | None") -> str:
    if result is None:
        return "not evaluated"
    if result.status == "failed":
        return "failed"
    return "unscored" if result.main is None else _with_error(result.main.value, result.main.stderr)


def _with_error(value: float | None, stderr: float | None) -> str:
    if value is None:
        return "incomplete"
    return _number(value) if stderr is None else f"{value:.4f} ± {stderr:.4f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
