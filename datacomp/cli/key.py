"""`datacomp key`: the key that signs this machine's submissions."""

import socket
from typing import Annotated

import typer

from datacomp.cli.options import TokenOption, UrlOption
from datacomp.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke signing keys.")


@app.command()
def new(
    url: UrlOption = None,
    token: TokenOption = None,
    name: Annotated[str | None, typer.Option(help="Default: this machine's name.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Instead of the key that is kept already.")
    ] = False,
) -> None:
    """Make a key and register its public half for your team; the private half stays here."""
    from datacomp.client import Connection
    from datacomp.client.identity import who_am_i
    from datacomp.client.signing import register_key
    from datacomp.credentials import token_for
    from datacomp.submission.attestation import PrivateKey
    from datacomp.submission.kept_keys import keep_key, kept_key
    from datacomp.workspace import Workspace

    url = url or Workspace.find().service
    before = kept_key(url)
    if before is not None and not replace:
        raise UsageError(f"key {before.id} is kept for {url} already; to make another: --replace")
    with Connection(url, token_for(url, token)) as connection:
        kind, _, team = who_am_i(connection).actor.partition(":")
        if kind != "team":
            raise UsageError(f"a key is a team's; this token speaks for {kind} {team!r}")
        label = name or socket.gethostname()[:60] or "key"
        kept = register_key(connection, PrivateKey.generate(), team=team, name=label)
    path = keep_key(url, kept)
    typer.echo(f"{kept.id}  {kept.key.public}")
    typer.echo(f"kept in {path}; sign with: datacomp submit --sign", err=True)


@app.command("list")
def list_(url: UrlOption = None, token: TokenOption = None) -> None:
    """List your team's keys; the one that this machine signs with is marked."""
    from rich.console import Console
    from rich.table import Column, Table

    from datacomp.client import Connection
    from datacomp.client.signing import list_keys
    from datacomp.credentials import token_for
    from datacomp.submission.kept_keys import kept_key
    from datacomp.workspace import Workspace

    url = url or Workspace.find().service
    kept = kept_key(url)
    table = Table(Column("id", no_wrap=True), "name", "public key", "since", "state", box=None)
    with Connection(url, token_for(url, token)) as connection:
        for key in list_keys(connection):
            state = "revoked" if key["revoked_at"] else "good"
            if kept is not None and key["id"] == kept.id:
                state += ", on this machine"
            shown = f"{key['public_key'][:16]}…"
            table.add_row(key["id"], key["name"], shown, key["created_at"][:10], state)
    Console().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Its id, from: datacomp key list")],
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """End a key: from now on nothing counts as signed by it. What it signed before stays."""
    from datacomp.client import Connection
    from datacomp.client.signing import revoke_key
    from datacomp.credentials import token_for
    from datacomp.workspace import Workspace

    url = url or Workspace.find().service
    with Connection(url, token_for(url, token)) as connection:
        revoke_key(connection, key_id)
    typer.echo(f"key {key_id} is revoked")
