"""`datacomp admin export`: everything public as plain files."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def export(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(help="A new folder. Default: today's in the service's folder of exports."),
    ] = None,
) -> None:
    """Write tables (JSON lines and CSV), reports and the event chain, with a manifest of hashes."""
    from datacomp_server.audit.export import day_folder
    from datacomp_server.audit.export import export as write
    from datacomp_server.running import opened

    with opened(context.obj) as service:
        target = folder or day_folder(service.settings.exports_dir, service.clock())
        info = write(service, target)
    typer.echo(f"{info.folder}  {info.n_files:,} files, {info.n_rows:,} rows, head {info.head}")
