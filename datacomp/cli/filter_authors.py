"""`datacomp filter new` and `filter check`: for people who write filters for others."""

import json
from pathlib import Path
from typing import Annotated

import typer

from datacomp.cli.options import JsonOption, foreign_code

app = typer.Typer(add_completion=False)


@app.command("new")
def new_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits and _.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="New folder. Default: ./NAME")
    ] = None,
) -> None:
    """Write a package with a filter to start from: it installs, passes its tests, and runs."""
    from datacomp.filtering.template import write_package

    folder = output or Path(name)
    for path in write_package(name, folder):
        typer.echo(f"wrote    {folder / path}")
    typer.echo(f"next     pip install -e {folder}")
    typer.echo(f"         datacomp filter check {name}")
    typer.echo(f"         datacomp filter run {name}")


@app.command("check")
def check_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See: datacomp filter list")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAMETER=VALUE]...", help="Default: those of its example."),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            "--pool", help="Take rows from this pool, for columns that are not DataComp's."
        ),
    ] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", help="Python file with filters; repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try a filter on toy rows: does it hold to what every filter promises? Exit 1 if not."""
    from datacomp.cli.filter_check_table import demand_passed, run_shown, show_results
    from datacomp.filtering import load_plugin
    from datacomp.filtering.conformance import subject_of

    with foreign_code():
        for path in plugin or []:
            load_plugin(path)
        results = run_shown(subject_of(name, *(words or []), pool=pool))
    if as_json:
        typer.echo(json.dumps([result.to_json() for result in results], indent=2))
    else:
        show_results(results)
    demand_passed(name, results)
