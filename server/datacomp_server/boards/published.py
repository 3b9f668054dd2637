"""Numbers of papers, which stand on boards as baselines without a submission."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp.reports import load_suite
from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Entry, Estimate
from datacomp_leaderboard.published import PublishedPage, build_published
from datacomp_server.boards.models import Board, Published


def entries(
    session: Session, boards: Iterable[Board], until: datetime | None = None
) -> list[Entry]:
    """What is published at these boards; that was there at the moment `until`."""
    by_id = {board.id: board for board in boards}
    statement = select(Published).where(Published.board_id.in_(by_id))
    if until is not None:
        statement = statement.where(Published.created_at <= until)
    found = session.scalars(statement.order_by(Published.created_at, Published.id))
    return [_entry(one, by_id[one.board_id]) for one in found]


def page(session: Session, published_id: str) -> PublishedPage | None:
    """The page of a published number; None if there is none of that id."""
    found = session.get(Published, published_id)
    if found is None:
        return None
    board = session.get_one(Board, found.board_id)
    return build_published(
        method=found.method,
        scale=board.scale,
        source=found.source,
        place=found.place,
        link=found.link,
        published_at=found.published_at,
        average=found.average,
        groups=_in_order(found.groups, load_suite(board.suite).groups),
        samples=found.samples,
        pool_size=found.pool_size,
    )


def _in_order(groups: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """JSON columns do not keep the order of keys in every database."""
    return {name: groups[name] for name in (*names, *sorted(groups)) if name in groups}


def _entry(found: Published, board: Board) -> Entry:
    return Entry(
        id=found.id,
        team=found.source,
        method=found.method,
        scale=board.scale,
        recipe_id="",
        pool_id="",
        pool_size=found.pool_size,
        seed=None,
        average=Estimate(found.average),
        groups={name: Estimate(value) for name, value in found.groups.items()},
        subset_size=found.samples,
        subset_unique=found.samples,
        oracle=False,
        level=Level.REPORTED,
        submitted_at=found.published_at,
        baseline=True,
        published=True,
    )
