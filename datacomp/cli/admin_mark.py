"""`datacomp admin mark`: say something of a submission, for everyone to read."""

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


class Kind(StrEnum):
    """What can be said."""

    BASELINE = "baseline"
    WITHDRAWN = "withdrawn"
    DISQUALIFIED = "disqualified"
    CHALLENGED = "challenged"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


@app.command()
def mark(
    context: typer.Context,
    submission_id: Annotated[str, typer.Argument(metavar="SUBMISSION")],
    kind: Annotated[Kind, typer.Argument()],
    reason: Annotated[str | None, typer.Option(help="Shown beside it.")] = None,
) -> None:
    """Mark a submission as a baseline, withdraw or disqualify it, or settle what speaks against it.

    A challenge says that somebody doubts its numbers. Upheld, it is no more than reported;
    dismissed settles every challenge and contradiction until now. Nothing is taken back.
    """
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened
    from datacomp_server.submissions import marks, service
    from datacomp_server.verification.service import standing

    with opened(context.obj) as made, made.database.writing() as session:
        found = service.get(session, submission_id)
        moment = made.clock()
        marks.mark(session, found, kind.value, reason=reason, by=OPERATOR, moment=moment)
        level = standing(session, found).level
    typer.echo(f"{submission_id}  {kind.value}, now {level.label}")
