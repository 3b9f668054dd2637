"""`datacomp evaluate`: a trained run or an open_clip model in, a report and a table out."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.reports import Report


app = typer.Typer(add_completion=False)

RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="A finished run's folder. Default: the newest one."),
]
SuiteOption = Annotated[str, typer.Option("--suite", help="Suite of tasks.")]
OutputDirOption = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        metavar="DIR",
        help="Default: RUN/evaluation/SUITE; of a model, evaluations/ in the workspace.",
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Evaluation sets. Default: the suite's own."),
]
TaskOption = Annotated[
    list[str] | None,
    typer.Option("--task", metavar="KEY", help="Only this task; may be repeated."),
]
MODEL = "Instead of a run"
ModelOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of open_clip, as ViT-B-32.", rich_help_panel=MODEL),
]
PretrainedOption = Annotated[
    str | None,
    typer.Option(
        metavar="TAG|FILE",
        help="Its weights: open_clip's tag, or a file (.safetensors, .pt).",
        rich_help_panel=MODEL,
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Instead of what the tag would fetch.", rich_help_panel=MODEL
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, ...")]
ThreadsOption = Annotated[
    int, typer.Option("--decode-threads", min=1, metavar="N", help="That decode pictures.")
]


@app.command()
def evaluate(
    run: RunArgument = None,
    model: ModelOption = None,
    pretrained: PretrainedOption = None,
    weights: WeightsOption = None,
    suite: SuiteOption = "tiny",
    output_dir: OutputDirOption = None,
    data_dir: DataDirOption = None,
    task: TaskOption = None,
    device: DeviceOption = "cpu",
    decode_threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a trained run on a suite, or an open_clip model; writes its report.

    Stopped at any moment, the same command goes on where it was. Processes
    that run it at once share the work, under torchrun and srun as well.

    The sets of a suite are fetched by: datacomp evaluate download
    """
    from datacomp.cli.evaluate_table import show_report
    from datacomp.evaluation.runner import REPORT_NAME
    from datacomp.progress import progress
    from datacomp.training.devices import demand_device, is_first_process, own_device

    demand_device(device)
    first = is_first_process()
    evaluate_it, default_dir = _subject(run, model, pretrained, weights, suite)
    out = output_dir or default_dir
    report = evaluate_it(
        suite,
        out_dir=out,
        data_dir=data_dir,
        tasks=task or (),
        device=own_device(device),
        decode_threads=decode_threads,
        open_progress=progress if first else None,
    )
    if as_json and first:
        typer.echo(json.dumps(report.as_json(), indent=2))
    elif first:
        show_report(report, out / REPORT_NAME)
    if first:
        _say_incomplete(report)
    if not _worked(report, task):
        raise typer.Exit(1)


def _subject(
    run: Path | None, model: str | None, pretrained: str | None, weights: Path | None, suite: str
) -> "tuple[Callable[..., Report], Path]":
    """What evaluates the run or the model that was named, and where its report goes."""
    from datacomp.errors import UsageError
    from datacomp.evaluation.run import (
        evaluate_model,
        evaluate_run,
        model_report_dir,
        report_dir,
    )
    from datacomp.evaluation.weights import find_weights
    from datacomp.workspace import Workspace

    if model is None:
        if pretrained is not None or weights is not None:
            raise UsageError("--pretrained and --weights are of a --model, which is missing")
        run = run or Workspace.find().newest_run()
        return partial(evaluate_run, run), report_dir(run, suite)
    if run is not None:
        raise UsageError(f"give either the run {run} or --model {model}, not both")
    found = find_weights(model, pretrained, weights)
    root = Workspace.find().evaluations
    return partial(evaluate_model, found), model_report_dir(root, found, suite)


def _worked(report: "Report", tasks: list[str] | None) -> bool:
    """Whether every task that was to be evaluated was, the unscored ones included."""
    from datacomp.reports import load_suite

    keys = tasks or [spec.key for spec in load_suite(report.suite.name).tasks]
    return all(key in report.tasks and report.tasks[key].status == "ok" for key in keys)


def _say_incomplete(report: "Report") -> None:
    for key, result in report.tasks.items():
        if result.status == "failed":
            typer.echo(f"{key} failed: {result.error}", err=True)
    if report.aggregates.complete:
        return
    typer.echo(
        "No average: it needs every scored task. The same command without --task goes on with "
        "those that are missing or failed.",
        err=True,
    )
