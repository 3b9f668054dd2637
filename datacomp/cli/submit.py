"""`datacomp submit`: check here, hand in, say where it stands."""

import json
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.options import (
    PoolOption,
    ScaleOption,
    SeedOption,
    TokenOption,
    UrlOption,
)
from datacomp.errors import ReportError, ServiceError, SubsetError, UsageError
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp.client import Connection
    from datacomp.reports import Report
    from datacomp.submission.kept_keys import KeptKey
    from datacomp.submission.manifest import Manifest

app = typer.Typer(add_completion=False)

_FILE = "Default: the run's."


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
    lock: Annotated[Path | None, typer.Option(help="Subset's lock. Default: beside it.")] = None,
    subset: Annotated[Path | None, typer.Option(help=f"Subset file. {_FILE}")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help=f"Weights. {_FILE}")] = None,
    byod: Annotated[
        Path | None, typer.Option(help="Own data (Parquet of url, caption): track byod.")
    ] = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Send no files: nobody can verify it.")
    ] = False,
    train: Annotated[
        bool, typer.Option("--train", help="No report: the service trains on --subset.")
    ] = False,
    plugin: Annotated[
        Path | None, typer.Option(help="No report: the service runs this wheel or sdist.")
    ] = None,
    selection: Annotated[Path | None, typer.Option(help="Selection file of --plugin.")] = None,
    scale: ScaleOption = None,
    pool: PoolOption = None,
    seed: SeedOption = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign it with the key of datacomp key new.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the checks.")] = 60,
) -> None:
    """Check a run with the service's own checks, then hand it in.

    With the report go the run's weights and subset, so that it can be verified.
    After an interruption the same command goes on where it was.

    With --train or --plugin there is no run yet: workers train, at your cost.
    """
    from datacomp.client import Connection
    from datacomp.credentials import token_for
    from datacomp.submission.kept_keys import key_for

    workspace = Workspace.find()
    url = url or workspace.service
    key = key_for(url) if sign else None
    given = {"subset": subset, "checkpoint": checkpoint, "byod": byod}
    given |= {"plugin": plugin, "selection": selection}
    paths: dict[Any, Path] = {role: path for role, path in given.items() if path is not None}
    if missing := [str(path) for path in paths.values() if not path.is_file()]:
        raise UsageError(f"there is no file {', '.join(missing)}")
    read, locked = None, _lock(lock, paths)
    fields: dict[str, Any] = {"method": method, "description": description}
    if train or plugin or selection:
        if report is not None or report_only:
            raise UsageError("a report is of a run; with --train or --plugin there is none yet")
        fields |= {"kind": "subset" if train else "plugin"}
        fields |= _wanted(workspace, scale, pool, seed, locked)
    else:
        if scale or pool or seed is not None:
            raise UsageError("--scale, --pool and --seed go with --train or --plugin alone")
        report = report or workspace.newest_report()
        read = _read(report)
        paths = _files(workspace, read, report, paths, report_only)
        locked = _lock(lock, paths)
        fields |= {"track": "byod" if "byod" in paths else "filtering", "report": read.as_json()}
    manifest = _manifest(paths, locked, fields)
    _refuse_here(manifest, read, paths, report or "this")
    for role, path in paths.items():
        typer.echo(f"{role:12}{os.path.relpath(path)}", err=True)
    with Connection(url, token_for(url, token)) as connection:
        _hand_in(connection, manifest, paths, wait, key)


def _read(path: Path) -> "Report":
    from datacomp.reports import read_report

    return read_report(path)


def _wanted(
    workspace: Workspace,
    scale: str | None,
    pool: str | None,
    seed: int | None,
    lock: dict[str, Any] | None,
) -> dict[str, Any]:
    """What is to be trained: the manifest's fields where there is no report."""
    from datacomp.client.gathering import pool_id_of

    scale, pool_id = scale or workspace.scale, (lock or {}).get("pool_id")
    if pool or not isinstance(pool_id, str):
        pool_id = pool_id_of(pool or workspace.pool_for(scale))
    return {"scale": scale, "pool_id": pool_id, "seed": workspace.seed if seed is None else seed}


def _files(
    workspace: Workspace,
    report: "Report",
    report_path: Path,
    given: dict[Any, Path],
    report_only: bool,
) -> dict[Any, Path]:
    """Role to file: those given, and those of the run that are the report's."""
    from datacomp.client.gathering import subset_of, weights_of
    from datacomp.reports import RunProvenance

    if report_only and (wrong := given.keys() - {"byod"}):
        raise UsageError(f"--report-only sends no files: leave out --{min(wrong)}")
    if report_only or not isinstance(report.provenance, RunProvenance):
        return given
    found = {
        "subset": subset_of(report, (workspace.subsets, workspace.root)),
        "checkpoint": weights_of(report, report_path),
    }
    return {role: path for role, path in found.items() if path is not None} | given


def _manifest(
    paths: dict[Any, Path], lock: dict[str, Any] | None, fields: dict[str, Any]
) -> "Manifest":
    from datacomp.client.gathering import declare
    from datacomp.submission.manifest import Manifest

    return Manifest(files=declare(paths), lock=lock, **fields)


def _refuse_here(
    manifest: "Manifest", report: "Report | None", paths: dict[Any, Path], what: Path | str
) -> None:
    from datacomp.client.gathering import findings_before

    findings = findings_before(manifest, report, paths)
    for finding in findings:
        typer.echo(str(finding), err=True)
    if findings:
        raise ReportError(f"{what} would be refused for {_reasons(findings)} (above), nothing sent")


def _hand_in(
    connection: "Connection",
    manifest: "Manifest",
    paths: dict[Any, Path],
    wait: float,
    key: "KeptKey | None",
) -> None:
    from datacomp.client import signing, submissions
    from datacomp.progress import progress

    found, created = submissions.declare(connection, manifest)
    if key is not None:
        signing.attest_manifest(connection, key, found["id"], manifest)
    waiting = [file for file in found["files"] if file["upload"]]
    if waiting:
        safe: dict[str, int] = {}
        with progress("upload", sum(file["size"] for file in waiting), unit="bytes") as bar:

            def tell(role: str, received: int) -> None:
                bar.advance(received - safe.get(role, 0), role)
                safe[role] = received

            submissions.send_files(connection, found, paths, tell)
    found = submissions.wait_for_verdict(connection, found["id"], wait)
    for finding in found["findings"]:
        typer.echo(f"{finding['code']} {finding['message'] or ''}", err=True)
    state = "submitted" if created else "stands already"
    typer.echo(f"{found['id']}  {state}: {found['state']}, attempt {found['attempt']}")
    typer.echo(connection.url + found["page"])
    if found["state"] == "refused":
        raise ServiceError(f"refused for {_reasons(found['findings'])} (above)")
    if (notice := found["notice"]) is not None:
        typer.echo(f"{textwrap.fill(notice['text'], 80)}\nThen: {notice['command']}", err=True)
    if found["state"] == "checking":
        typer.echo(f"The checks go on; see: datacomp status {found['id']}", err=True)


def _reasons(findings: list[Any]) -> str:
    return "1 reason" if len(findings) == 1 else f"{len(findings)} reasons"


def _lock(path: Path | None, paths: dict[Any, Path]) -> dict[str, Any] | None:
    """The lock in a file, else that beside the subset, if there is one."""
    from datacomp.subset import read_lock

    if path is None:
        return read_lock(paths["subset"]) if "subset" in paths else None
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SubsetError(f"cannot read the lock file {path}: {error}") from error
    if not isinstance(value, dict):
        raise SubsetError(f"{path} is not a lock file: expected a JSON object")
    return value
