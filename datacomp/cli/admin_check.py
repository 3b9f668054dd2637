"""`datacomp admin check`: have the service check a submission again, at nobody's cost."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def check(
    context: typer.Context,
    submission_id: Annotated[str, typer.Argument(metavar="SUBMISSION")],
) -> None:
    """Queue the check of a submission whose check ended without a verdict (state: unchecked)."""
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened
    from datacomp_server.submissions import rechecking, service

    with opened(context.obj) as made, made.database.writing() as session:
        found = service.get(session, submission_id)
        job = rechecking.check_again(session, found, by=OPERATOR, moment=made.clock())
        typer.echo(f"{job.id}  {job.kind} ({job.resource})")
