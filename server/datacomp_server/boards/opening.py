"""Which boards there are."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp.reports import load_suite, suites
from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards.models import Board


def suite_sha256(scale: str) -> str | None:
    """The version of the scale's suite that its board ranks by; None if this server has none."""
    name = SCALES[scale].suite
    return load_suite(name).sha256 if name in suites() else None


def open_current_boards(session: Session, moment: datetime) -> None:
    """Open a filtering board for every scale whose suite has none of its present version."""
    for scale in SCALES:
        version = suite_sha256(scale)
        if version is not None and find_board(session, "filtering", scale, version) is None:
            suite = SCALES[scale].suite
            session.add(
                Board(
                    track="filtering",
                    scale=scale,
                    suite=suite,
                    suite_sha256=version,
                    opens_at=moment,
                    created_at=moment,
                )
            )


def find_board(session: Session, track: str, scale: str, suite_sha256: str) -> Board | None:
    """The board of that track and scale by that version of its suite."""
    statement = select(Board).filter_by(track=track, scale=scale, suite_sha256=suite_sha256)
    return session.scalars(statement).one_or_none()
