"""`datacomp whoami`: whom this machine's token speaks for."""

import json
from dataclasses import asdict

import typer

from datacomp.cli.options import JsonOption, TokenOption, UrlOption

app = typer.Typer(add_completion=False)


@app.command()
def whoami(url: UrlOption = None, token: TokenOption = None, as_json: JsonOption = False) -> None:
    """Say for whom the token of a service speaks, what it may do, and until when."""
    from datacomp.client import Connection
    from datacomp.client.identity import who_am_i
    from datacomp.credentials import token_for
    from datacomp.workspace import Workspace

    url = url or Workspace.find().service
    with Connection(url, token_for(url, token)) as connection:
        who = who_am_i(connection)
    if as_json:
        typer.echo(json.dumps(asdict(who), default=str))
        return
    until = f"{who.expires_at:%Y-%m-%d %H:%M} UTC" if who.expires_at else "it is revoked"
    typer.echo(f"{who.actor} at {url}")
    typer.echo(f"may     {', '.join(who.scopes)}")
    typer.echo(f"until   {until}")
