"""`datacomp admin backup`: all of a service in one folder, while it runs."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A new folder; only its owner can read it.")],
    database_only: Annotated[
        bool, typer.Option("--database-only", help="Without artifacts: they are kept elsewhere.")
    ] = False,
) -> None:
    """Save every table as of one moment, and the artifacts. The service may go on serving.

    The form is the same from SQLite and Postgres; datacomp admin restore reads it into either.
    """
    from datacomp_server.audit.backup import backup as write
    from datacomp_server.running import opened

    with opened(context.obj) as service:
        moment = service.clock()
        info = write(service, folder, moment=moment, with_artifacts=not database_only)
    typer.echo(
        f"{info.folder}  {info.n_rows:,} rows, {info.n_artifacts:,} artifacts, head {info.head}"
    )
