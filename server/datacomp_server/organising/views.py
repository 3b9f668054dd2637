"""From stored budgets, workers, rules and audits to the pages of organisers."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError
from datacomp_leaderboard.organise_pages import (
    AuditsPage,
    BudgetLine,
    BudgetsPage,
    MachineLine,
    MachineToken,
    RoundLine,
    RuledBoard,
    RulesForBoardsPage,
    WorkersPage,
)
from datacomp_leaderboard.queue_pages import presence
from datacomp_leaderboard.rules import RULES
from datacomp_server.boards import opening, ruling
from datacomp_server.boards.models import Board
from datacomp_server.boards.service import preview_rule
from datacomp_server.budgets import service as budgets
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.identity import repository as identity
from datacomp_server.identity import service as tokens
from datacomp_server.identity.models import Team
from datacomp_server.identity.own_tokens import MAX_DAYS
from datacomp_server.identity.tokens import Scope
from datacomp_server.jobs import repository as jobs
from datacomp_server.jobs.line import told
from datacomp_server.kit.errors import BadRequest, NotFound
from datacomp_server.settings import Settings
from datacomp_server.verification import audits, seeds
from datacomp_server.verification import repository as verification
from datacomp_server.verification.models import AuditRound

BUDGETS_SHOWN = 200
MOVES_SHOWN = 50


def budgets_page(session: Session, *, error: str | None = None) -> BudgetsPage:
    """What teams have, of the boards that they used; who has least time left comes first."""
    used = session.execute(
        select(LedgerEntry.team_id, LedgerEntry.board_id).distinct().limit(5 * BUDGETS_SHOWN)
    ).all()
    lines = sorted((_budget(session, team, board) for team, board in used), key=_most_used)
    teams = session.scalars(select(Team.name).order_by(Team.key)).all()
    return BudgetsPage(
        title="Budgets",
        error=error,
        lines=tuple(lines[:BUDGETS_SHOWN]),
        n=len(lines),
        teams=tuple(teams),
        boards=tuple(_boards(session)),
    )


def workers_page(session: Session, *, moment: datetime, error: str | None = None) -> WorkersPage:
    """Every worker, and every token of one; those that are good come first."""
    found = jobs.workers(session)
    running = jobs.running(session)
    at_work = {attempt.worker: job.id for job, attempt in running}
    beats = {attempt.worker: attempt.last_beat_at for _, attempt in running}
    silence = {
        one.name: moment - max(one.last_seen_at, beats.get(one.name, one.last_seen_at))
        for one in found
    }
    machine_tokens = [
        one for one in identity.tokens(session) if one.scopes.split() == [Scope.WORK.value]
    ]
    names = {one.id: one.name for one in machine_tokens}
    return WorkersPage(
        title="Workers",
        error=error,
        workers=tuple(
            MachineLine(
                name=one.name,
                classes=tuple(one.classes),
                n_pools=len(one.pools),
                seen=told(silence[one.name]),
                state=presence(silence[one.name], at_work=one.name in at_work),
                job_id=at_work.get(one.name),
                token=names.get(one.token_id, "–"),
                facts=tuple((key, str(value)) for key, value in sorted(one.facts.items())),
            )
            for one in found
        ),
        tokens=tuple(
            sorted(
                (
                    MachineToken(
                        id=info.id,
                        name=info.name,
                        hint=info.hint,
                        state=info.state(moment),
                        created_at=info.created_at,
                        last_used_at=info.last_used_at,
                        expires_at=info.expires_at,
                        workers=tuple(w.name for w in found if w.token_id == info.id),
                    )
                    for info in map(tokens.info_of, machine_tokens)
                ),
                key=lambda one: (one.state != "good", one.name, one.id),
            )
        ),
        days=tokens.DEFAULT_LIFETIME.days,
        max_days=MAX_DAYS,
    )


def rules_page(
    session: Session, board_id: str | None, rule: str | None, *, error: str | None = None
) -> RulesForBoardsPage:
    """Every present board with its rule, and what `rule` would move on one of them."""
    boards = {board.id: board for board in _present(session)}
    ruled = {one: _ruled(session, board) for one, board in boards.items()}
    chosen = diff = None
    if board_id is not None and rule is not None:
        if board_id not in boards:
            raise NotFound("there is no such board")
        chosen = ruled[board_id]
        try:
            diff = preview_rule(session, boards[board_id], rule)
        except UnknownNameError as unknown:
            raise BadRequest(str(unknown), code="unknown_rule") from unknown
    return RulesForBoardsPage("Rules", error, tuple(ruled.values()), chosen, diff, MOVES_SHOWN)


def audits_page(
    session: Session,
    settings: Settings,
    *,
    error: str | None = None,
    became: list[tuple[str, str]] | None = None,
) -> AuditsPage:
    """Every round, newest first."""
    names = dict(_boards(session, present=False))
    rounds = [
        _round(session, settings, one, names.get(one.board_id, one.board_id))
        for one in reversed(verification.rounds(session))
    ]
    return AuditsPage("Audits", error, tuple(rounds), tuple(_boards(session)), tuple(became or ()))


def board_of(session: Session, board_id: str) -> Board:
    """The board of that id; `NotFound` if there is none."""
    found = session.get(Board, board_id)
    if found is None:
        raise NotFound("there is no such board")
    return found


def _budget(session: Session, team_id: str, board_id: str) -> BudgetLine:
    team, board = session.get_one(Team, team_id), session.get_one(Board, board_id)
    time = budgets.of_board(session, team_id, board, "compute_seconds")
    entries = budgets.of_board(session, team_id, board, "submissions")
    used = 1 - time.left / time.granted if time.granted else 0.0
    return BudgetLine(
        team=team.name,
        scale=board.scale,
        track=board.track,
        submissions_left=entries.left,
        submissions_granted=entries.granted,
        seconds_left=time.left,
        seconds_granted=time.granted,
        seconds_used=min(1.0, max(0.0, used)),
    )


def _most_used(line: BudgetLine) -> tuple[float, str, str, str]:
    return (-line.seconds_used, line.team, line.scale, line.track)


def _present(session: Session) -> list[Board]:
    return [
        board
        for board in opening.boards(session)
        if board.suite_sha256 == opening.suite_sha256(board.scale)
    ]


def _boards(session: Session, *, present: bool = True) -> Iterator[tuple[str, str]]:
    for board in _present(session) if present else opening.boards(session):
        yield board.id, f"{board.scale} ({board.track})"


def _ruled(session: Session, board: Board) -> RuledBoard:
    rule = ruling.rule_in_force(session, board)
    return RuledBoard(
        id=board.id,
        scale=board.scale,
        track=board.track,
        rule=rule,
        history=tuple((one.rule, one.created_at, one.by) for one in ruling.history(session, board)),
        others=tuple(one for one in RULES if one.id != rule.id),
    )


def _round(session: Session, settings: Settings, one: AuditRound, board: str) -> RoundLine:
    drawn = one.drawn_at is not None
    return RoundLine(
        id=one.id,
        board=board,
        share=one.share,
        commitment=one.commitment,
        created_at=one.created_at,
        drawn_at=one.drawn_at,
        chosen=tuple(one.chosen or ()),
        problems=tuple(audits.check_round(session, one.id)) if drawn else (),
        may_draw=not drawn and seeds.file_of(settings, one.id).is_file(),
    )
