"""`datacomp request`: have the service do something for a submission, at its team's cost."""

from enum import StrEnum
from typing import Annotated

import typer

from datacomp.cli.options import TokenOption, UrlOption
from datacomp.workspace import Workspace

app = typer.Typer(add_completion=False)


class Goal(StrEnum):
    """What can be asked for."""

    CHECKED = "checked"
    RE_EVALUATED = "re-evaluated"
    RE_TRAINED = "re-trained"
    REPRODUCED = "reproduced"


@app.command()
def request(
    submission_id: Annotated[str, typer.Argument(help="Its id, from: datacomp status")],
    goal: Annotated[Goal, typer.Argument()],
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Have a submission of your team checked again, or measured by workers.

    Checked again is what the service could not check; that costs the submission which was given
    back. The others cost worker hours: see what is left with datacomp status.
    """
    from datacomp.client import Connection, submissions
    from datacomp.credentials import token_for

    url = url or Workspace.find().service
    with Connection(url, token_for(url, token)) as connection:
        if goal is Goal.CHECKED:
            said = submissions.request_check(connection, submission_id)["state"]
        else:
            jobs = submissions.request_level(connection, submission_id, goal.value)
            said = f"{len(jobs)} jobs queued, to be {goal.value}"
    typer.echo(f"{submission_id}  {said}")
