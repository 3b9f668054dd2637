"""`datacomp admin board`: which boards there are, and when they take submissions."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from datacomp.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="List, open and close boards.")

ScaleArgument = Annotated[str, typer.Argument(help="smoke, tiny, small, ...")]
TrackOption = Annotated[str, typer.Option(help="filtering or byod.")]
_MOMENT = "In UTC, such as 2027-01-31T18:00."
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


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
