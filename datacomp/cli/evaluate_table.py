"""How `datacomp evaluate` prints a report: a line a task, the means, the model. 80 columns."""

from pathlib import Path

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from datacomp.reports import ModelProvenance, Report, TaskResult, load_suite


def show_report(report: Report, path: Path) -> None:
    """Every task with its main metric and error, the means, where the report is, and what next."""
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
    if isinstance(report.provenance, ModelProvenance):
        _show_model(report.provenance)
    elif report.aggregates.complete:
        typer.echo(f"next    datacomp submit {path} --method NAME")


def _show_model(model: ModelProvenance) -> None:
    p = model.preprocessing
    size = " x ".join(map(str, p.size))
    typer.echo(f"model   {model.model} {model.pretrained}, sha256 {model.weights_sha256[:12]}")
    typer.echo(f"pixels  {size}, {p.resize_mode}, {p.interpolation}")
    typer.echo(f"        mean {_numbers(p.mean)}, std {_numbers(p.std)}")


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _value(result: TaskResult | None) -> str:
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
