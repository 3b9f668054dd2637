"""`datacomp submit`: check a report here, send it to the service, say where it stands."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from datacomp.cli.options import TokenOption, UrlOption
from datacomp.errors import ReportError, SubsetError
from datacomp.workspace import Workspace

app = typer.Typer(add_completion=False)


@app.command()
def submit(
    method: Annotated[str, typer.Option(help="What the board calls it; seeds share one name.")],
    report: Annotated[
        Path | None,
        typer.Argument(help="Report (JSON) of datacomp evaluate. Default: the newest one."),
    ] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    description: Annotated[str | None, typer.Option(help="What the method does.")] = None,
    lock: Annotated[Path | None, typer.Option(help="Lock file of the subset.")] = None,
) -> None:
    """Check a report with the service's own checks, then send it."""
    from datacomp.client import ServiceClient
    from datacomp.credentials import token_for
    from datacomp.reports import read_report

    workspace = Workspace.find()
    report = report or workspace.newest_report()
    read = read_report(report)
    locked = _read_lock(lock)
    _refuse_locally(read, report)
    url = url or workspace.service
    with ServiceClient(url, token_for(url, token)) as service:
        receipt = service.submit(read, method, description=description, lock=locked)
    state = "submitted" if receipt.created else "stands already, nothing changed"
    typer.echo(f"{receipt.id}  {state}")
    typer.echo(receipt.url)


def _refuse_locally(report: Any, path: Path) -> None:
    from datacomp.client import findings_of

    findings = findings_of(report)
    for finding in findings:
        typer.echo(str(finding), err=True)
    if findings:
        reasons = "1 reason" if len(findings) == 1 else f"{len(findings)} reasons"
        raise ReportError(f"{path} would be refused for {reasons} (above), nothing sent")


def _read_lock(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SubsetError(f"cannot read the lock file {path}: {error}") from error
    if not isinstance(value, dict):
        raise SubsetError(f"{path} is not a lock file: expected a JSON object")
    return value
