"""Which rule a board ranks by, since when, and putting another one in force."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp.errors import UsageError
from datacomp_leaderboard.rules import OFFICIAL, Rule, rule_of
from datacomp_server.audit import service as audit
from datacomp_server.boards.models import Board, BoardRule


def history(session: Session, board: Board) -> Sequence[BoardRule]:
    """Every rule that was put in force on a board, oldest first."""
    statement = select(BoardRule).filter_by(board_id=board.id)
    return session.scalars(statement.order_by(BoardRule.created_at, BoardRule.id)).all()


def rule_in_force(session: Session, board: Board, at: datetime | None = None) -> Rule:
    """The rule of a board, or the one that it had at a moment."""
    past = [one for one in history(session, board) if at is None or one.created_at <= at]
    return rule_of(past[-1].rule) if past else OFFICIAL


def rules_in_force(session: Session) -> dict[str, BoardRule]:
    """The newest of each board that ever had another rule than the official one, by board id."""
    found = session.scalars(select(BoardRule).order_by(BoardRule.created_at, BoardRule.id))
    return {one.board_id: one for one in found}


def put_in_force(
    session: Session, board: Board, rule_id: str, *, by: str, moment: datetime
) -> None:
    """Rank a board by another rule from now on, for everybody to see in the log of events.

    `UnknownNameError` if there is no such rule; `UsageError` if the board has it already.
    """
    old, new = rule_in_force(session, board), rule_of(rule_id)
    if new.id == old.id:
        raise UsageError(f"the board {board.scale} ({board.track}) ranks by {new.id} already")
    session.add(BoardRule(board_id=board.id, rule=new.id, by=by, created_at=moment))
    session.flush()
    facts = {
        "track": board.track,
        "scale": board.scale,
        "suite_sha256": board.suite_sha256,
        "rule": new.id,
        "before": old.id,
    }
    audit.record(
        session,
        tag="board:rule_set",
        subject_id=board.id,
        actor=by,
        facts=facts,
        moment=moment,
    )
