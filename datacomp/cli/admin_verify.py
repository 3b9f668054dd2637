"""`datacomp admin verify`: have workers measure a submission again, at nobody's cost."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    context: typer.Context,
    submission_id: Annotated[str, typer.Argument(metavar="SUBMISSION")],
    level: Annotated[
        str, typer.Option(help="re-evaluated, re-trained or reproduced.")
    ] = "re-evaluated",
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Train with this seed; may be repeated.")
    ] = None,
) -> None:
    """Queue the jobs that take a submission to a level, and print them.

    re-evaluated takes the submitted weights, the others the subset, plugin or own data.
    """
    from datacomp.submission.levels import parse_level
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.jobs.plans import plan
    from datacomp_server.running import opened
    from datacomp_server.submissions import service

    wanted = parse_level(level)
    with opened(context.obj) as made, made.database.writing() as session:
        found, costs = service.get(session, submission_id), made.settings.job_costs
        for job in plan(session, found, wanted, seed, OPERATOR, costs, moment=made.clock()):
            typer.echo(f"{job.id}  {job.kind} ({job.resource})")
