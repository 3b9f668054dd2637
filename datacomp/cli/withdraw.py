"""`datacomp withdraw`: take a submission of one's own out of the competition."""

from typing import Annotated

import typer

from datacomp.cli.options import TokenOption, UrlOption
from datacomp.workspace import Workspace

app = typer.Typer(add_completion=False)


@app.command()
def withdraw(
    submission_id: Annotated[str, typer.Argument(help="Its id, from: datacomp status")],
    reason: Annotated[str | None, typer.Option(help="Shown beside it.")] = None,
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Withdraw a submission of your team.

    It stays on the board, struck out and without a rank, and counts as an attempt. Its jobs are
    cancelled; what had not begun is refunded. Its report can then be handed in anew, by your team
    alone.
    """
    from datacomp.client import Connection, submissions
    from datacomp.credentials import token_for

    url = url or Workspace.find().service
    with Connection(url, token_for(url, token)) as connection:
        found = submissions.withdraw(connection, submission_id, reason)
    typer.echo(f"{found['id']}  withdrawn")
