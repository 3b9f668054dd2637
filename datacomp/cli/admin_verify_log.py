"""`datacomp admin verify-log`: is the chain of events whole, and the one that was known before?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from datacomp.events import Head

app = typer.Typer(add_completion=False)


@app.command()
def verify_log(
    context: typer.Context,
    head: Annotated[
        str | None, typer.Option(metavar="SEQ:SHA256", help="A head that was known before.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="An older export, whose head the chain must pass through.")
    ] = None,
) -> None:
    """Follow every event; say which is the first that was changed, removed or put in.

    That the newest events were cut off shows only against an older head. Exit code 1 if the chain
    is broken.
    """
    from datacomp_server.audit import service as audit
    from datacomp_server.running import opened

    known = _known(head, export)
    with opened(context.obj) as service, service.database.reading() as session:
        check = audit.verify(session, known=known)
    typer.echo(f"events     {check.n_events:,} in order")
    typer.echo(f"head       {check.head}")
    if check.problem is not None:
        raise ServiceError(f"the chain of events is broken: {check.problem}")
    if known is not None:
        typer.echo(f"known      passes through {known}")


def _known(head: str | None, export: Path | None) -> "Head | None":
    from datacomp.events import parse_head
    from datacomp_server.audit.folders import EXPORT_SCHEMA, read_manifest

    if head is not None and export is not None:
        raise UsageError("--head and --export exclude each other: give one")
    if export is not None:
        head = read_manifest(export, EXPORT_SCHEMA)["head"]
    found = parse_head(head) if head is not None else None
    return found if found is not None and found.seq else None
