"""`datacomp serve`: run the service and the board, and manage its tokens."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.errors import require
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp_server import Settings

app = typer.Typer(
    help="Run the service and the board; manage its tokens.",
    invoke_without_command=True,
    add_completion=False,
)
tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke API tokens.")
app.add_typer(tokens, name="token")

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder of the service. Default: the workspace's.")
]


@app.callback()
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    data: DataOption = None,
) -> None:
    """Run the service and the board until interrupted."""
    settings = _settings(data)
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    from datacomp_server import serve as run

    typer.echo(f"DataComp service at http://{host}:{port}, data in {settings.data_dir}", err=True)
    run(settings, host=host, port=port)


@tokens.command()
def create(
    context: typer.Context,
    team: Annotated[str, typer.Option(help="The team it speaks for; founded if new.")],
    name: Annotated[str, typer.Option(help="What to call the token in lists.")] = "default",
    data: DataOption = None,
) -> None:
    """Print a new token of a team. It is shown this once and stored only as a hash."""
    from datacomp_server import create_token

    typer.echo(create_token(_chosen(context, data), team, name=name))
    typer.echo("Keep it: it cannot be shown again. Use it as DATACOMP_TOKEN.", err=True)


@tokens.command("list")
def list_(context: typer.Context, data: DataOption = None) -> None:
    """List every token: id, team, name, first characters, last use."""
    from rich.console import Console
    from rich.table import Column, Table

    from datacomp_server import list_tokens

    table = Table(Column("id", no_wrap=True), "owner", "name", "token", "used", "state", box=None)
    for token in list_tokens(_chosen(context, data)):
        used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
        state = token.state(datetime.now(UTC))
        table.add_row(token.id, token.owner, token.name, f"{token.hint}…", used, state)
    Console().print(table)


@tokens.command()
def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(help="Its id, from: datacomp serve token list")],
    data: DataOption = None,
) -> None:
    """End a token for good."""
    from datacomp_server import revoke_token

    revoke_token(_chosen(context, data), token_id)
    typer.echo(f"token {token_id} is revoked")


def _chosen(context: typer.Context, data: Path | None) -> "Settings":
    settings: Settings = context.obj
    return settings if data is None else _settings(data)


def _settings(data: Path | None) -> "Settings":
    require("datacomp_server", extra="server")
    from datacomp_server import Settings

    return Settings(data_dir=data or Workspace.find().service_dir)
