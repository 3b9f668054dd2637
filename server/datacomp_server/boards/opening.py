"""Which boards there are, and when they take submissions: the server's clock decides."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError, UsageError
from datacomp.reports import load_suite, suites
from datacomp_leaderboard.scales import SCALES
from datacomp_server.audit import service as audit
from datacomp_server.boards.models import TRACKS, Board
from datacomp_server.settings import Settings


def suite_sha256(scale: str) -> str | None:
    """The version of the scale's suite that its board ranks by; None if this server has none."""
    name = SCALES[scale].suite
    return load_suite(name).sha256 if name in suites() else None


def open_current_boards(session: Session, settings: Settings, moment: datetime) -> None:
    """Open a filtering board for every scale whose suite has none of its present version."""
    standing = session.execute(
        select(Board.scale, Board.suite_sha256).where(Board.track == "filtering")
    )
    there = {(scale, version) for scale, version in standing}
    for scale in SCALES:
        version = suite_sha256(scale)
        if version is not None and (scale, version) not in there:
            session.add(_board(settings, "filtering", scale, version, moment, moment))


def open_board(
    session: Session,
    settings: Settings,
    *,
    track: str,
    scale: str,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    moment: datetime,
) -> Board:
    """A board by the present version of the scale's suite, open from `opens_at` (default: now).

    `UsageError` if there is one already, or the times do not follow each other.
    """
    if track not in TRACKS:
        raise UnknownNameError("track", track, TRACKS)
    if scale not in SCALES:
        raise UnknownNameError("scale", scale, SCALES)
    version = suite_sha256(scale)
    if version is None:
        raise UsageError(f"scale {scale!r} has no board: this server has not its suite")
    if (standing := find_board(session, track, scale, version)) is not None:
        raise UsageError(f"the board {scale} ({track}) is there already: {standing.id}")
    board = _board(settings, track, scale, version, opens_at or moment, moment)
    set_times(board, board.opens_at, closes_at)
    session.add(board)
    session.flush()
    return board


def _board(
    settings: Settings, track: str, scale: str, version: str, opens_at: datetime, moment: datetime
) -> Board:
    return Board(
        track=track,
        scale=scale,
        suite=SCALES[scale].suite,
        suite_sha256=version,
        opens_at=opens_at,
        submissions_per_team=settings.default_submissions,
        compute_seconds_per_team=settings.default_compute_seconds,
        created_at=moment,
    )


def set_times(board: Board, opens_at: datetime, closes_at: datetime | None) -> None:
    """Move a board's opening or closing; `UsageError` unless it opens before it closes."""
    if closes_at is not None and opens_at >= closes_at:
        times = f"{opens_at:%F %T} and {closes_at:%F %T}"
        raise UsageError(f"a board opens before it closes, got {times}")
    board.opens_at, board.closes_at = opens_at, closes_at


def why_shut(board: Board, moment: datetime) -> str | None:
    """Why a board takes no manifest at `moment`, as a clause; None if it takes one."""
    if moment < board.opens_at:
        return f"opens at {board.opens_at:%F %T} UTC"
    if board.closes_at is not None and moment >= board.closes_at:
        return f"closed at {board.closes_at:%F %T} UTC"
    return None


_FIND = select(Board).where(
    Board.track == bindparam("track"),
    Board.scale == bindparam("scale"),
    Board.suite_sha256 == bindparam("suite_sha256"),
)


def find_board(session: Session, track: str, scale: str, suite_sha256: str) -> Board | None:
    """The board of that track and scale by that version of its suite."""
    values = {"track": track, "scale": scale, "suite_sha256": suite_sha256}
    return session.scalars(_FIND, values).one_or_none()


def boards(session: Session) -> Sequence[Board]:
    """Every board, closed ones too, by track and scale, oldest first."""
    found = session.scalars(select(Board).order_by(Board.created_at, Board.id)).all()
    scales = list(SCALES)
    return sorted(found, key=lambda board: (TRACKS.index(board.track), scales.index(board.scale)))


def require_board(session: Session, track: str, scale: str) -> Board:
    """`current_board`; `UsageError` if there is none."""
    board = current_board(session, track, scale)
    if board is None:
        raise UsageError(
            f"there is no board of the track {track!r} at scale {scale!r}; open one with: "
            f"datacomp admin board open {scale} --track {track}"
        )
    return board


def record(session: Session, board: Board, tag: str, *, by: str, moment: datetime) -> None:
    """Note for everybody when a board takes submissions."""
    facts = {
        "track": board.track,
        "scale": board.scale,
        "suite_sha256": board.suite_sha256,
        "opens_at": board.opens_at.isoformat(),
        "closes_at": board.closes_at.isoformat() if board.closes_at else None,
    }
    audit.record(session, tag=tag, subject_id=board.id, actor=by, facts=facts, moment=moment)


def current_board(session: Session, track: str, scale: str) -> Board | None:
    """The board of that track and scale by the present version of its suite."""
    version = suite_sha256(scale) if scale in SCALES else None
    return find_board(session, track, scale, version) if version is not None else None
