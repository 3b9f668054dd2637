"""`datacomp admin restore`: a backup into an empty service."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def restore(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder that datacomp admin backup wrote.")],
) -> None:
    """Read a backup into the empty folder and database of a service, and check what came back.

    It may be another database than the one that was backed up: SQLite or Postgres.
    """
    from datacomp_server.audit.restore import restore as read

    info = read(context.obj, folder)
    typer.echo(
        f"{folder}  restored {info.n_rows:,} rows, {info.n_artifacts:,} artifacts, head {info.head}"
    )
