"""`datacomp submit`: check here, hand in, say where it stands."""

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
from datacomp.errors import ReportError, ServiceError, UsageError
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp.cli.submit_parts import Parts
    from datacomp.client import Connection
    from datacomp.submission.kept_keys import KeptKey
    from datacomp.submission.manifest import Manifest

app = typer.Typer(add_completion=False)

_FILE = "Default: the run's."


MethodOption = Annotated[str, typer.Option(help="What the board calls it; seeds share one name.")]
ReportArgument = Annotated[
    Path | None,
    typer.Argument(help="Report (JSON) of datacomp evaluate. Default: the newest one."),
]
DescriptionOption = Annotated[str | None, typer.Option(help="What the method does.")]
LockOption = Annotated[Path | None, typer.Option(help="Subset's lock. Default: beside it.")]
SubsetFileOption = Annotated[Path | None, typer.Option(help=f"Subset file. {_FILE}")]
CheckpointOption = Annotated[Path | None, typer.Option(help=f"Weights. {_FILE}")]
ByodOption = Annotated[
    Path | None, typer.Option(help="Own data (Parquet of url, caption): track byod.")
]
ReportOnlyFlag = Annotated[
    bool, typer.Option("--report-only", help="Send no files: nobody can verify it.")
]
TrainFlag = Annotated[
    bool, typer.Option("--train", help="No report: workers train on --subset or --byod.")
]
PluginOption = Annotated[
    Path | None, typer.Option(help="No report: the service runs this wheel or sdist.")
]
SelectionOption = Annotated[Path | None, typer.Option(help="Selection file of --plugin.")]
NoProfileFlag = Annotated[
    bool,
    typer.Option("--no-profile", help="Send no portrait of the data, no captions, no curve."),
]
SignFlag = Annotated[bool, typer.Option("--sign", help="Sign it with the key of datacomp key new.")]
VerifyOption = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="Then as datacomp request ID LEVEL.")
]
WaitOption = Annotated[float, typer.Option(min=0, help="Seconds to wait for the checks.")]


@app.command()
def submit(
    method: MethodOption,
    report: ReportArgument = None,
    url: UrlOption = None,
    token: TokenOption = None,
    description: DescriptionOption = None,
    lock: LockOption = None,
    subset: SubsetFileOption = None,
    checkpoint: CheckpointOption = None,
    byod: ByodOption = None,
    report_only: ReportOnlyFlag = False,
    train: TrainFlag = False,
    plugin: PluginOption = None,
    selection: SelectionOption = None,
    no_profile: NoProfileFlag = False,
    scale: ScaleOption = None,
    pool: PoolOption = None,
    seed: SeedOption = None,
    sign: SignFlag = False,
    verify: VerifyOption = None,
    wait: WaitOption = 60,
) -> None:
    """Check a run with the service's own checks, then hand it in.

    With the report go the run's weights and subset, so that it can be verified,
    and what its page shows: a portrait of the subset beside its pool, the curve.
    After an interruption the same command goes on where it was.

    With --train or --plugin there is no run yet: workers train, at your cost.
    """
    from datacomp.cli.submit_parts import given_files, parts_of_run, parts_to_train
    from datacomp.cli.submit_profile import with_profile
    from datacomp.client import Connection
    from datacomp.credentials import token_for
    from datacomp.submission.kept_keys import key_for

    workspace = Workspace.find()
    url = url or workspace.service
    key = key_for(url) if sign else None
    paths = given_files(
        subset=subset, checkpoint=checkpoint, byod=byod, plugin=plugin, selection=selection
    )
    if train or plugin or selection:
        if report is not None or report_only or verify is not None:
            raise UsageError("--train and --plugin have no report yet: workers make it, unasked")
        parts = parts_to_train(workspace, paths, lock, scale, pool, seed)
    else:
        if scale or seed is not None:
            raise UsageError("--scale and --seed go with --train or --plugin alone")
        report = report or workspace.newest_report()
        parts = parts_of_run(workspace, report, paths, lock, report_only)
    if not no_profile:
        parts = with_profile(parts, workspace, report, pool)
    manifest = parts.manifest(method, description)
    _refuse_here(manifest, parts)
    for role, path in parts.paths.items():
        typer.echo(f"{role:12}{os.path.relpath(path)}", err=True)
    with Connection(url, token_for(url, token)) as connection:
        found = _hand_in(connection, manifest, parts.paths, wait, key)
        if verify is not None:
            _ask(connection, found, verify)


def _refuse_here(manifest: "Manifest", parts: "Parts") -> None:
    from datacomp.client.gathering import findings_before

    findings = findings_before(manifest, parts.report, parts.paths)
    for finding in findings:
        typer.echo(str(finding), err=True)
    if findings:
        raise ReportError(
            f"{parts.name} would be refused for {_reasons(findings)} (above), nothing sent"
        )


def _hand_in(
    connection: "Connection",
    manifest: "Manifest",
    paths: dict[Any, Path],
    wait: float,
    key: "KeptKey | None",
) -> dict[str, Any]:
    """Declare, sign, upload; the submission when its checks are done, or waited for long enough."""
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
    return found


def _ask(connection: "Connection", found: dict[str, Any], level: str) -> None:
    from datacomp.cli.request import ask_for_level

    if found["state"] != "accepted":
        raise ServiceError(
            f"{found['id']} is {found['state']}, {level} was not asked for. When it is accepted: "
            f"datacomp request {found['id']} {level}"
        )
    ask_for_level(connection, found["id"], level, None)


def _reasons(findings: list[Any]) -> str:
    return "1 reason" if len(findings) == 1 else f"{len(findings)} reasons"
