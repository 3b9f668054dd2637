"""`datacomp report`: look at reports, compare two, check one, read the original's files in."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.evaluation.results import Results

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Show, compare, check and read evaluation reports.",
)

WHERE = "A report.json, a run, or a folder with a report"
ReportArgument = Annotated[
    Path | None, typer.Argument(metavar="[REPORT]", help=f"{WHERE}. Default: the newest report.")
]
SIDE = f"{WHERE}; or an eval_results.jsonl."
SuiteOption = Annotated[
    str | None, typer.Option("--suite", help="Which of a run's reports, where it has several.")
]
PictureOption = Annotated[
    Path | None, typer.Option("-o", "--output", help="Draw a picture (PNG) here as well.")
]


@app.command()
def show(
    report: ReportArgument = None,
    suite: SuiteOption = None,
    output: PictureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every task by group: value, standard error, chance and noise floor.

    The noise floor is one standard deviation of a guesser's score on these pictures.
    """
    from datacomp.evaluation.results import open_results

    _present(open_results(report or _newest(), suite), output, as_json)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help=SIDE)],
    b: Annotated[Path, typer.Argument(metavar="B", help=SIDE)],
    suite: SuiteOption = None,
    output: PictureOption = None,
    as_json: JsonOption = False,
) -> None:
    """How B differs from A, task by task and on average, on the same pictures.

    Paired bootstrap over pictures where both have outcomes/ beside their report.
    The spread between training seeds is not in it.
    """
    from datacomp.cli.report_tables import comparison_json, show_comparison
    from datacomp.evaluation.compare import compare as compare_results
    from datacomp.evaluation.pictures import draw_comparison
    from datacomp.evaluation.results import open_pair

    found = compare_results(*open_pair(a, b, suite))
    if output:
        draw_comparison(found, f"{found.b.label}  less  {found.a.label}", output)
    if as_json:
        typer.echo(json.dumps(comparison_json(found), indent=2))
    else:
        show_comparison(found)


@app.command()
def check(
    report: ReportArgument = None, suite: SuiteOption = None, as_json: JsonOption = False
) -> None:
    """Check a report as the service does; exit code 1 if it would refuse it."""
    from dataclasses import asdict

    from datacomp.client import findings_in
    from datacomp.evaluation.results import find_report

    path = find_report(report or _newest(), suite)
    findings = findings_in(path)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        typer.echo(f"report   {path}")
        for finding in findings:
            typer.echo(str(finding))
        typer.echo("ok" if not findings else f"{len(findings)} found: a service would refuse it")
    if findings:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a report."""
    from datacomp.reports import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="EVAL_RESULTS.JSONL")],
    suite: Annotated[str, typer.Option("--suite", help="The suite of its tasks.")] = "datacomp38",
    output: PictureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read DataComp's eval_results.jsonl: its table, with the official means.

    Such a file does not say what was trained: nothing comes of it that could be
    submitted. It can be one side of datacomp report compare.
    """
    from datacomp.evaluation.results import open_results

    _present(open_results(path, suite), output, as_json)


def _present(results: "Results", output: Path | None, as_json: bool) -> None:
    from datacomp.cli.report_tables import show_standing, standing_json
    from datacomp.evaluation.pictures import draw_standing
    from datacomp.evaluation.standing import standing

    blocks = standing(results)
    if output:
        draw_standing(blocks, f"{results.suite.name}: {results.label}", output)
    if as_json:
        typer.echo(json.dumps(standing_json(results, blocks), indent=2))
    else:
        show_standing(results, blocks)


def _newest() -> Path:
    from datacomp.workspace import Workspace

    return Workspace.find().newest_report()
