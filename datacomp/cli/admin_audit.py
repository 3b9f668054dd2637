"""`datacomp admin audit`: random audits from a seed that was committed to before."""

from typing import Annotated

import typer

from datacomp.errors import ServiceError, UsageError

app = typer.Typer(
    no_args_is_help=True, help="Commit to, draw, verify, check and list random audits."
)

RoundArgument = Annotated[str, typer.Argument(help="Its id, from: datacomp admin audit list")]


@app.command()
def commit(
    context: typer.Context,
    scale: Annotated[str, typer.Option(help="Of the board.")],
    share: Annotated[float, typer.Option(help="Of its submissions to choose, such as 0.1.")],
    track: Annotated[str, typer.Option(help="filtering or byod.")] = "filtering",
) -> None:
    """Publish the hash of a new seed. The seed stays in a file of the service's folder.

    Do it before the board closes: nobody, you included, can then choose whom the draw will hit.
    """
    from datacomp_leaderboard.scales import SCALES
    from datacomp_server.boards.opening import find_board, suite_sha256
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened
    from datacomp_server.verification import audits, seeds
    from datacomp_server.verification.draw import new_seed

    seed = new_seed()
    with opened(context.obj) as service, service.database.writing() as session:
        version = suite_sha256(scale) if scale in SCALES else None
        board = find_board(session, track, scale, version or "")
        if board is None:
            raise UsageError(f"there is no board of the track {track!r} at scale {scale!r}")
        made = audits.commit(
            session, board, seed=seed, share=share, by=OPERATOR, moment=service.clock()
        )
        path = seeds.keep(context.obj, made.id, seed)
        typer.echo(f"{made.id}  {made.commitment}")
    typer.echo(f"The seed is in {path}. Tell nobody before the draw.", err=True)


@app.command()
def draw(
    context: typer.Context,
    round_id: RoundArgument,
    seed: Annotated[str | None, typer.Option(help="Default: of the file made by commit.")] = None,
) -> None:
    """Publish the seed, and print whom it chooses of all that the board has accepted by now."""
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened
    from datacomp_server.verification import audits, seeds

    if seed is None:
        seed = seeds.kept(context.obj, round_id)
    if seed is None:
        where = seeds.file_of(context.obj, round_id)
        raise UsageError(f"no seed in {where}: give it with --seed")
    with opened(context.obj) as service, service.database.writing() as session:
        moment = service.clock()
        drawn = audits.draw_round(session, round_id, seed=seed, by=OPERATOR, moment=moment)
        chosen = drawn.chosen or []
    for submission_id in chosen:
        typer.echo(submission_id)
    typer.echo(f"{len(chosen)} chosen. Next: datacomp admin audit verify {round_id}", err=True)


@app.command()
def verify(context: typer.Context, round_id: RoundArgument) -> None:
    """Queue the verification of whom a draw chose: of the weights, else of a training.

    Prints what became of each; one that was handed in without files cannot be verified.
    """
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened
    from datacomp_server.verification import audits

    with opened(context.obj) as service, service.database.writing() as session:
        costs, moment = service.settings.job_costs, service.clock()
        told = audits.verify_chosen(session, round_id, OPERATOR, costs, moment=moment)
        for submission_id, outcome in told:
            typer.echo(f"{submission_id}  {outcome}")


@app.command()
def check(context: typer.Context, round_id: RoundArgument) -> None:
    """Repeat a draw from what is public; exit code 1 if others should have been chosen."""
    from datacomp_server.running import opened
    from datacomp_server.verification import audits

    with opened(context.obj) as service, service.database.reading() as session:
        problems = audits.check_round(session, round_id)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise ServiceError(f"round {round_id} is not what its seed gives")
    typer.echo(f"round {round_id} is what its seed gives")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List every round: id, share, when committed, when drawn, how many were chosen."""
    from rich.console import Console
    from rich.table import Column, Table

    from datacomp_server.running import opened
    from datacomp_server.verification import repository

    table = Table(Column("id", no_wrap=True), "share", "committed", "drawn", "chosen", box=None)
    with opened(context.obj) as service, service.database.reading() as session:
        for one in repository.rounds(session):
            drawn = f"{one.drawn_at:%Y-%m-%d %H:%M}" if one.drawn_at else "not yet"
            n = str(len(one.chosen or ())) if one.drawn_at else ""
            table.add_row(one.id, f"{one.share:g}", f"{one.created_at:%Y-%m-%d %H:%M}", drawn, n)
    Console().print(table)
