"""What a team may spend on a board: granted at first use, charged before work, refunded once.

A balance is the sum of a ledger's rows, so that it can be recomputed by anybody, and a race can
only be lost, never won twice: whoever spends does so in a writing session, alone.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_server.audit import service as audit
from datacomp_server.boards.models import Board
from datacomp_server.budgets import repository
from datacomp_server.budgets.models import UNITS, LedgerEntry
from datacomp_server.budgets.schemas import BudgetOut, BudgetsOut
from datacomp_server.identity.models import Team
from datacomp_server.identity.names import key_of
from datacomp_server.identity.repository import team_by_key
from datacomp_server.kit.db import add_rows
from datacomp_server.kit.errors import NotFound, Refused
from datacomp_server.kit.ids import new_id
from datacomp_server.submissions.models import Submission

RULES = "rules"
"""The actor of what every team is granted on a board."""


def charge(
    session: Session,
    *,
    team_id: str,
    board_id: str,
    unit: str,
    amount: int,
    job_id: str | None = None,
    submission_id: str | None = None,
    by: str,
    moment: datetime,
) -> LedgerEntry:
    """Take `amount` (at least 1) of `unit` from a team; `Refused` (budget_spent) if it has less."""
    assert amount >= 1, f"a charge is at least 1, got {amount}"
    board = repository.board(session, board_id)
    _grant_by_rules(session, team_id, board, unit, moment)
    demand(session, team_id=team_id, board_id=board_id, unit=unit, amount=amount)
    return _add(
        session,
        LedgerEntry(
            team_id=team_id,
            board_id=board_id,
            unit=unit,
            reason="charge",
            amount=-amount,
            job_id=job_id,
            submission_id=submission_id,
            by=by,
            created_at=moment,
        ),
    )


def demand(session: Session, *, team_id: str, board_id: str, unit: str, amount: int) -> None:
    """`Refused` (budget_spent) if a team has less than `amount` of `unit` left on a board.

    For what is paid in parts: whether all of it can be, before the first one.
    """
    left = balance(session, team_id, board_id, unit)
    if left < amount:
        board = repository.board(session, board_id)
        raise Refused(
            f"the team's budget on the board {board.scale} ({board.track}) does not cover this: "
            f"{told(unit, amount)} needed, {told(unit, left)} left. An organiser can grant more.",
            code="budget_spent",
        )


def refund_job(session: Session, job_id: str, by: str, moment: datetime) -> LedgerEntry | None:
    """Give back the whole charge of a job, once; None if there is none, or it was given back."""
    entries = repository.of_job(session, job_id)
    if not entries:
        return None
    if any(entry.reason == "refund" for entry in entries):
        return None
    (paid,) = entries
    return _add(
        session,
        LedgerEntry(
            team_id=paid.team_id,
            board_id=paid.board_id,
            unit=paid.unit,
            reason="refund",
            amount=-paid.amount,
            job_id=job_id,
            submission_id=paid.submission_id,
            by=by,
            created_at=moment,
        ),
    )


def is_paid(session: Session, submission: Submission) -> bool:
    """Whether its team has paid for a submission, and not got that back."""
    return repository.paid_for(session, submission) > 0


def refund_submission(
    session: Session, submission: Submission, *, by: str, moment: datetime
) -> LedgerEntry | None:
    """Give back what its team paid to hand a submission in, once; None if nothing is due."""
    paid = repository.paid_for(session, submission)
    if paid <= 0:
        return None
    return _add(
        session,
        LedgerEntry(
            team_id=submission.team_id,
            board_id=submission.board_id,
            unit="submissions",
            reason="refund",
            amount=paid,
            submission_id=submission.id,
            by=by,
            created_at=moment,
        ),
    )


def grant(
    session: Session,
    team: str,
    board: Board,
    amounts: Mapping[str, int],
    *,
    by: str,
    moment: datetime,
) -> None:
    """Add to what a team may spend on a board, by unit; 0 adds nothing. `NotFound` if no team."""
    found = _team(session, team)
    for unit, amount in amounts.items():
        _grant_by_rules(session, found.id, board, unit, moment)
        if amount:
            _add(session, _grant(found.id, board.id, unit, amount, by, moment))
    audit.record(
        session,
        tag="budget:granted",
        subject_id=found.id,
        actor=by,
        facts={"board": board.id, **amounts},
        moment=moment,
    )


def balance(session: Session, team_id: str, board_id: str, unit: str) -> int:
    """What a team may still spend of `unit` on a board."""
    left = repository.total(session, team_id, board_id, unit)
    if repository.is_granted(session, team_id, board_id, unit, by=RULES):
        return left
    return left + _by_rules(repository.board(session, board_id), unit)


def of_team(session: Session, team: str) -> BudgetsOut:
    """All that a team was granted, and what is left of it, by board (oldest first) and unit.

    `NotFound` if there is no team of that name.
    """
    found = _team(session, team)
    boards = repository.boards_of(session, found.id)
    return BudgetsOut(
        team=found.name,
        budgets=[of_board(session, found.id, board, unit) for board in boards for unit in UNITS],
    )


def told(unit: str, amount: int) -> str:
    """An amount for people: `3 submissions`, `1.50 worker hours`."""
    if unit == "compute_seconds":
        return f"{amount / 3600:,.2f} worker hours"
    return f"{amount:,} submission{'' if amount == 1 else 's'}"


def _team(session: Session, name: str) -> Team:
    found = team_by_key(session, key_of(name))
    if found is None:
        raise NotFound("there is no such team")
    return found


def of_board(session: Session, team_id: str, board: Board, unit: str) -> BudgetOut:
    """What a team was granted of one unit on one board, and what is left of it."""
    granted = repository.total(session, team_id, board.id, unit, reason="grant")
    if not repository.is_granted(session, team_id, board.id, unit, by=RULES):
        granted += _by_rules(board, unit)
    left = balance(session, team_id, board.id, unit)
    return BudgetOut(
        board=board.id,
        track=board.track,
        scale=board.scale,
        unit=unit,
        granted=granted,
        left=left,
        granted_in_words=told(unit, granted),
        left_in_words=told(unit, left),
    )


def _by_rules(board: Board, unit: str) -> int:
    return {
        "submissions": board.submissions_per_team,
        "compute_seconds": board.compute_seconds_per_team,
    }[unit]


def _grant_by_rules(
    session: Session, team_id: str, board: Board, unit: str, moment: datetime
) -> None:
    if not repository.is_granted(session, team_id, board.id, unit, by=RULES):
        amount = _by_rules(board, unit)
        _add(session, _grant(team_id, board.id, unit, amount, RULES, moment))


def _grant(
    team_id: str, board_id: str, unit: str, amount: int, by: str, moment: datetime
) -> LedgerEntry:
    return LedgerEntry(
        team_id=team_id,
        board_id=board_id,
        unit=unit,
        reason="grant",
        amount=amount,
        by=by,
        created_at=moment,
    )


def _add(session: Session, entry: LedgerEntry) -> LedgerEntry:
    entry.id = new_id()
    add_rows(session, entry)
    return entry
