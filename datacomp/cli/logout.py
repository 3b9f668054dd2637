"""`datacomp logout`: end this machine's token for a service."""

import typer

from datacomp.cli.options import UrlOption

app = typer.Typer(add_completion=False)


@app.command()
def logout(url: UrlOption = None) -> None:
    """Revoke the token that datacomp login keeps for a service, and forget it."""
    from datacomp.client import Connection, UnauthorisedError
    from datacomp.client.identity import revoke, who_am_i
    from datacomp.credentials import forget, read
    from datacomp.workspace import Workspace

    url = url or Workspace.find().service
    kept = read(url)
    if kept is None:
        typer.echo(f"not signed in to {url}")
        return
    try:
        with Connection(url, kept.token) as connection:
            revoke(connection, who_am_i(connection).token_id)
    except UnauthorisedError:
        pass  # expired or revoked already: there is nothing to end
    forget(url)
    typer.echo(f"signed out of {url}: the token of {kept.actor} is revoked")
