"""`datacomp admin budget`: what a team may spend on a board."""

from typing import Annotated

import typer

from datacomp.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Show and grant what teams may spend.")

TeamArgument = Annotated[str, typer.Argument(help="The team's name.")]


@app.command()
def show(context: typer.Context, team: TeamArgument) -> None:
    """What a team was granted and has left, of each board that it has used."""
    from datacomp_server.budgets import service as budgets
    from datacomp_server.running import opened

    with opened(context.obj) as service, service.database.reading() as session:
        found = budgets.of_team(session, team)
    for one in found.budgets:
        typer.echo(f"{one.scale} ({one.track}): {one.left_in_words} left of {one.granted_in_words}")


@app.command()
def grant(
    context: typer.Context,
    team: TeamArgument,
    scale: Annotated[str, typer.Option(help="Of the board.")],
    track: Annotated[str, typer.Option(help="filtering or byod.")] = "filtering",
    submissions: Annotated[int, typer.Option(min=0, help="So many more.")] = 0,
    hours: Annotated[float, typer.Option(min=0, help="So many more hours of a worker.")] = 0,
) -> None:
    """Grant a team more submissions or hours on the present board of a scale."""
    from datacomp_server.boards import opening
    from datacomp_server.budgets import service as budgets
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened

    amounts = {"submissions": submissions, "compute_seconds": round(3600 * hours)}
    if not any(amounts.values()):
        raise UsageError("nothing to grant: give --submissions or --hours")
    with opened(context.obj) as service, service.database.writing() as session:
        board = opening.require_board(session, track, scale)
        budgets.grant(session, team, board, amounts, by=OPERATOR, moment=service.clock())
        found = budgets.of_team(session, team)
    for one in found.budgets:
        if one.board == board.id and amounts[one.unit]:
            typer.echo(f"{team} has {one.left_in_words} left on {scale} ({track})")
