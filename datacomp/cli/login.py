"""`datacomp login`: get a token for this machine and keep it for the service's address."""

import socket
from typing import Annotated

import typer

from datacomp.cli.options import UrlOption, ask

app = typer.Typer(add_completion=False)


@app.command()
def login(
    account: Annotated[str | None, typer.Argument(help="Name of your account.")] = None,
    url: UrlOption = None,
    team: Annotated[str | None, typer.Option(help="Needed if you are in several.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Until the token expires.")] = 90,
    admin: Annotated[bool, typer.Option("--admin", help="As organiser, not for a team.")] = False,
    token: Annotated[
        str | None, typer.Option(help="Keep this one, made on your account's page; - reads it.")
    ] = None,
) -> None:
    """Sign in to a service. Every later command finds the token by the service's address.

    The password is asked for, or read from a pipe; only the token is kept.
    """
    from datacomp.client import Connection
    from datacomp.client.identity import sign_in, who_am_i
    from datacomp.credentials import Credential, is_private, store
    from datacomp.workspace import Workspace

    url = url or Workspace.find().service
    if not is_private(url):
        typer.echo(f"warning: {url} is not HTTPS: others may read what is sent", err=True)
    if token is None:
        name, password = account or ask("Account"), ask("Password", hide=True)
        scopes, label = ["admin"] if admin else None, socket.gethostname()[:60] or "login"
        with Connection(url) as connection:
            token = sign_in(
                connection, name, password, team=team, name=label, days=days, scopes=scopes
            ).token
    elif token == "-":
        token = ask("Token", hide=True)
    with Connection(url, token) as connection:
        who = who_am_i(connection)
    path = store(Credential(url, token, who.actor))
    until = f" until {who.expires_at:%Y-%m-%d}" if who.expires_at else ""
    typer.echo(f"signed in to {url} as {who.actor}{until}")
    typer.echo(f"token kept in {path}", err=True)
