"""`datacomp serve`: run the service and the board."""

from pathlib import Path
from typing import Annotated

import typer

from datacomp.cli.admin import settings_of

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = 8000,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the service. Default: the workspace's.")
    ] = None,
    showcase: Annotated[
        bool,
        typer.Option("--showcase", help="First fill an empty service with published baselines."),
    ] = False,
) -> None:
    """Run the service and the board until interrupted."""
    settings = settings_of(data)
    from datacomp_server import serve as run

    if showcase:
        from datacomp_server.running import opened
        from datacomp_server.showcase import fill_showcase

        with opened(settings) as context:
            filled = fill_showcase(context)
        typer.echo(
            f"showcase: {filled.n_published} published numbers, {filled.n_runs} runs of the demo",
            err=True,
        )

    def announce(bound: int) -> None:
        place = f"http://{host}:{bound}"
        typer.echo(f"DataComp service at {place}, data in {settings.data_dir}", err=True)

    run(settings, host=host, port=port, announce=announce)
