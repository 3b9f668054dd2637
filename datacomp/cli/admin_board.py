"""`datacomp admin board`: which boards there are, when they take submissions, how they rank."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.errors import UsageError

if TYPE_CHECKING:
    from datacomp_leaderboard.rules import RuleDiff
    from datacomp_server.boards.models import BoardRule

app = typer.Typer(no_args_is_help=True, help="List, open, close and rule boards.")

ScaleArgument = Annotated[str, typer.Argument(help="smoke, tiny, small, ...")]
TrackOption = Annotated[str, typer.Option(help="filtering or byod.")]
_MOMENT = "In UTC, such as 2027-01-31T18:00."
_SHOWN = 20  # moves of a preview, best first
_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
OpensOption = Annotated[
    datetime | None, typer.Option("--opens", formats=_FORMATS, help=f"{_MOMENT} Default: now.")
]
ClosesOption = Annotated[datetime | None, typer.Option("--closes", formats=_FORMATS, help=_MOMENT)]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List every board: track, scale, version of its suite, when it opens and closes."""
    from rich.console import Console
    from rich.table import Table

    from datacomp_server.boards import opening
    from datacomp_server.running import opened

    table = Table("track", "scale", "suite", "opens", "closes", "now", box=None)
    with opened(context.obj) as service, service.database.reading() as session:
        for board in opening.boards(session):
            now = "shut" if opening.why_shut(board, service.clock()) else "open"
            closes = f"{board.closes_at:%Y-%m-%d %H:%M}" if board.closes_at else "never"
            suite = f"{board.suite} {board.suite_sha256[:8]}"
            opens = f"{board.opens_at:%Y-%m-%d %H:%M}"
            table.add_row(board.track, board.scale, suite, opens, closes, now)
    Console(highlight=False).print(table)


@app.command("open")
def open_(
    context: typer.Context,
    scale: ScaleArgument,
    track: TrackOption = "filtering",
    opens: OpensOption = None,
    closes: ClosesOption = None,
) -> None:
    """Open a board. Those of the filtering track open by themselves."""
    from datacomp_server.boards import opening
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened

    with opened(context.obj) as service, service.database.writing() as session:
        board = opening.open_board(
            session,
            service.settings,
            track=track,
            scale=scale,
            opens_at=_utc(opens),
            closes_at=_utc(closes),
            moment=service.clock(),
        )
        opening.record(session, board, "board:opened", by=OPERATOR, moment=service.clock())
    typer.echo(f"{board.id}  {scale} ({track})")


@app.command("set")
def set_(
    context: typer.Context,
    scale: ScaleArgument,
    track: TrackOption = "filtering",
    opens: OpensOption = None,
    closes: ClosesOption = None,
    never: Annotated[bool, typer.Option("--never-closes", help="Take the closing away.")] = False,
) -> None:
    """Move when the present board of a scale opens or closes."""
    from datacomp_server.boards import opening
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened

    if never and closes:
        raise UsageError("--closes and --never-closes exclude each other")
    with opened(context.obj) as service, service.database.writing() as session:
        board = opening.require_board(session, track, scale)
        closes_at = None if never else _utc(closes) or board.closes_at
        opening.set_times(board, _utc(opens) or board.opens_at, closes_at)
        opening.record(session, board, "board:times_set", by=OPERATOR, moment=service.clock())
    closing = f"closes {board.closes_at:%Y-%m-%d %H:%M} UTC" if board.closes_at else "never closes"
    typer.echo(f"{scale} ({track}): opens {board.opens_at:%Y-%m-%d %H:%M} UTC, {closing}")


@app.command()
def rule(
    context: typer.Context,
    scale: ScaleArgument,
    new: Annotated[
        str | None, typer.Argument(metavar="RULE", help="Such as robust/1. Default: list all.")
    ] = None,
    track: TrackOption = "filtering",
    execute: Annotated[
        bool, typer.Option("--execute", help="Put it in force; else only show what would move.")
    ] = False,
) -> None:
    """Show the rules a board may rank by, what another one would move, and put it in force."""
    from datacomp_server.boards import opening, ruling
    from datacomp_server.boards.service import preview_rule
    from datacomp_server.identity.accounts import OPERATOR
    from datacomp_server.running import opened

    with opened(context.obj) as service:
        with service.database.reading() as session:
            board = opening.require_board(session, track, scale)
            if new is None:
                _print_rules(ruling.history(session, board), board.created_at)
                return
            found = preview_rule(session, board, new)
            _print_moves(found)
        if execute:
            with service.database.writing() as session:
                board = opening.require_board(session, track, scale)
                ruling.put_in_force(session, board, new, by=OPERATOR, moment=service.clock())
    done = "ranks by" if execute else "would rank (with --execute) by"
    typer.echo(f"{scale} ({track}) {done} {new}", err=not execute)


def _print_rules(history: "Sequence[BoardRule]", since: datetime) -> None:
    from datacomp_leaderboard.rules import OFFICIAL, RULES

    past = [(OFFICIAL.id, since), *((one.rule, one.created_at) for one in history)]
    for one in RULES:
        moments = [f"{at:%Y-%m-%d %H:%M}" for rule, at in past if rule == one.id]
        state = "in force" if one.id == past[-1][0] else "was put in force"
        typer.echo(f"{one.id}  {state + ' ' + ', '.join(moments) if moments else 'never used'}")
        typer.echo(f"    {one.words}")


def _print_moves(found: "RuleDiff") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if found.moves:
        table = Table("method", "team", found.old.id, found.new.id, box=None)
        for move in found.moves[:_SHOWN]:
            ranks = [str(rank) if rank else "-" for rank in (move.before, move.after)]
            table.add_row(escape(move.row.method), escape(move.row.team), *ranks)
        Console(highlight=False).print(table)
    if len(found.moves) > _SHOWN:
        typer.echo(f"... and {len(found.moves) - _SHOWN:,} more")
    typer.echo(found.sentence)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
