"""`datacomp admin token`: tokens of teams, workers and organisers."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from datacomp.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API tokens.")


@app.command()
def create(
    context: typer.Context,
    team: Annotated[str | None, typer.Option(help="For this team; founded if new.")] = None,
    worker: Annotated[str | None, typer.Option(help="For a machine of this name.")] = None,
    organiser: Annotated[str | None, typer.Option(help="For this organiser's account.")] = None,
    name: Annotated[str, typer.Option(help="What to call it in lists.")] = "default",
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 90,
) -> None:
    """Print a new token. It is shown this once and stored only as a hash."""
    from datacomp_server.identity import accounts, service
    from datacomp_server.running import opened

    if [team, worker, organiser].count(None) != 2:
        raise UsageError("say whose it is: one of --team, --worker, --organiser")
    with opened(context.obj) as service_context, service_context.database.writing() as session:
        ends: Any = {"moment": service_context.clock(), "lifetime": timedelta(days=days)}
        if team is not None:
            secret = service.create_token(session, team, name=name, **ends)
        elif worker is not None:
            secret = service.create_worker_token(session, worker, **ends)
        else:
            account = accounts.of_name(session, organiser or "")
            secret = service.create_organiser_token(session, account, name=name, **ends)
    typer.echo(secret)
    typer.echo("Keep it: it cannot be shown again. Use it as DATACOMP_TOKEN.", err=True)


@app.command("list")
def list_(context: typer.Context) -> None:
    """List every token: id, owner, name, first characters, last use."""
    from rich.console import Console
    from rich.table import Column, Table

    from datacomp_server import list_tokens

    table = Table(Column("id", no_wrap=True), "owner", "name", "token", "used", "state", box=None)
    for token in list_tokens(context.obj):
        used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
        state = token.state(datetime.now(UTC))
        table.add_row(token.id, token.owner, token.name, f"{token.hint}…", used, state)
    Console().print(table)


@app.command()
def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(help="Its id, from: datacomp admin token list")],
) -> None:
    """End a token for good."""
    from datacomp_server import revoke_token

    revoke_token(context.obj, token_id)
    typer.echo(f"token {token_id} is revoked")
