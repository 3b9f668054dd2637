"""`datacomp assets`: what filters need besides the pool, where it is, and how to get it."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.filtering.assets import Release

app = typer.Typer(no_args_is_help=True, help="List and fetch the files that filters compute with.")

Names = Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Show every declared asset: what it is, who needs it, and whether it is on this machine."""
    from rich.console import Console

    from datacomp.filtering.assets import RELEASES, VARIABLE, folders

    if as_json:
        typer.echo(json.dumps([_facts(release) for release in RELEASES.values()], indent=2))
        return
    console = Console(highlight=False)
    for release in RELEASES.values():
        size = f"{release.megabytes:,.3g} MB" if release.megabytes else "size not known"
        state = "here" if all(_places(release)) else "not here"
        console.print(f"[bold]{release.name}[/bold]  {state}, {size}")
        console.print(f"  {release.what}\n  for {', '.join(release.needed_by)}")
        console.print(f"  licence: {release.licence}", markup=False)
    console.print(f"\nlooked for in {', then '.join(map(str, folders()))} ({VARIABLE} names one)")
    console.print("get one with: datacomp assets fetch NAME")


@app.command("fetch")
def fetch_(names: Names, as_json: JsonOption = False) -> None:
    """Fetch assets into the cache; resumes, verifies sha256, keeps what is here already."""
    from datacomp.filtering.assets import find_release
    from datacomp.filtering.fetch import fetch
    from datacomp.progress import Progress, progress

    def show(name: str, total: int, done: int) -> AbstractContextManager[Progress]:
        return progress(name, total, done=done, unit="bytes")

    releases = [find_release(name) for name in names]
    paths = [path for release in releases for path in fetch(release, show)]
    typer.echo(json.dumps([str(path) for path in paths]) if as_json else "\n".join(map(str, paths)))


@app.command("path")
def path_(name: Annotated[str, typer.Argument(show_default=False)]) -> None:
    """Print where an asset's files are, verified; an error says how to get what is missing."""
    from datacomp.filtering.assets import find_assets

    for asset in find_assets(name, None, "a filter's parameter"):
        asset.sha256()
        typer.echo(asset.path)


def _places(release: "Release") -> list[Path | None]:
    from datacomp.filtering.assets import locate

    return [locate(file) for file in release.files]


def _facts(release: "Release") -> dict[str, object]:
    from dataclasses import asdict

    places = [str(path) if path else None for path in _places(release)]
    return {**asdict(release), "paths": places}
