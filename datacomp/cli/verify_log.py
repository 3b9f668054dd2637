"""`datacomp verify-log`: anybody follows a service's chain of events, without its organisers."""

from typing import Annotated

import typer

from datacomp.cli.options import UrlOption
from datacomp.errors import ServiceError

app = typer.Typer(add_completion=False)


@app.command()
def verify_log(
    url: UrlOption = None,
    head: Annotated[
        str | None, typer.Option(metavar="SEQ:SHA256", help="A head that you kept from before.")
    ] = None,
) -> None:
    """Fetch every event of a service and hash it again; say which is the first that is not right.

    Keep the head that it prints: later it shows whether the newest events were cut off, or the log
    was written anew. Exit code 1 if the chain is broken.
    """
    from datacomp.client import Connection
    from datacomp.client.events import events
    from datacomp.events import check_chain, parse_head
    from datacomp.workspace import Workspace

    known = parse_head(head) if head is not None else None
    with Connection(url or Workspace.find().service, None) as connection:
        check = check_chain(events(connection), known=known)
    typer.echo(f"events     {check.n_events:,} in order")
    typer.echo(f"head       {check.head}")
    if check.problem is not None:
        raise ServiceError(f"the chain of events is broken: {check.problem}")
    if known is not None:
        typer.echo(f"known      passes through {known}")
