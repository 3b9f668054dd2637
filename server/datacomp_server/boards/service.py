"""From stored submissions to what the board's pages need."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError
from datacomp.reports import load_suite, parse_report
from datacomp_leaderboard.board import build_board
from datacomp_leaderboard.entries import group_seeds
from datacomp_leaderboard.pages import SubmissionPage, WaitingPage
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import DEFAULT_SORT, Ranks
from datacomp_leaderboard.rules import RuleDiff, preview, rule_of
from datacomp_leaderboard.submission import Details, build_submission
from datacomp_leaderboard.tables import board_json, board_table
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.boards import repository as boards
from datacomp_server.boards import trust
from datacomp_server.boards.data import Source, entries
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.boards.models import TRACKS, Board
from datacomp_server.boards.ruling import rule_in_force
from datacomp_server.jobs.costs import Costs
from datacomp_server.kit.errors import BadRequest
from datacomp_server.submissions import repository
from datacomp_server.submissions.marks import OUT
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.views import where_it_stands

_TEXTS: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}


def board(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The board of a scale; `BadRequest` for a query that means nothing."""
    asked = only(query, "sort", "track")
    track, sort = asked.get("track", FILTERING), asked.get("sort", DEFAULT_SORT)
    if track not in TRACKS:
        raise BadRequest(str(UnknownNameError("track", track, TRACKS)))
    data = source.board(params["scale"], track)
    try:
        page = build_board(data, sort)
    except UnknownNameError as error:
        raise BadRequest(str(error), code="unknown_column") from error
    return Made(
        page,
        lambda: (board_table(page),),
        charts=() if page.share is None else (page.share.chart,),
        texts={
            "api": lambda: json.dumps(board_json(page), **_TEXTS),
            "ranks": lambda: json.dumps(data.ranks, **_TEXTS),
        },
    )


def submission_page(
    session: Session,
    store: ArtifactStore,
    submission: Submission,
    ranks: Ranks,
    costs: Costs,
    moment: datetime,
) -> SubmissionPage | WaitingPage:
    """The page of a submission, from its stored report; without numbers, what it waits for.

    `ranks` are those of its board, which costs too much to be made for every visitor.
    """
    result = trust.shown(session, submission)
    if result is None:
        return _waiting_page(session, submission, costs, moment)
    report = parse_report(store.read_bytes(result.report_sha256), submission.id)
    suite = load_suite(result.suite)
    base = f"/api/v1/submissions/{submission.id}"
    details = Details(
        id=submission.id,
        team=submission.team.name,
        method=submission.method,
        description=submission.description,
        oracle=submission.oracle,
        attempt=submission.attempt,
        track=submission.board.track,
        submitted_at=submission.created_at,
        validator=submission.validator,
        report_sha256=result.report_sha256,
        report_url=trust.report_url(result),
        lock_url=f"{base}/lock" if submission.lock_sha256 else None,
        verified=trust.verified(session, submission, result),
    )
    board, whose = submission.board, (submission.team_id, submission.method)
    found = boards.results(session, board.track, board.scale, of=whose)
    seeds = entries(session, [s for s in found if s.suite_sha256 == suite.sha256], {})
    return build_submission(details, report, suite, seeds, ranks)


def preview_rule(session: Session, board: Board, rule_id: str) -> RuleDiff:
    """What another rule would move on a board; `UnknownNameError` if there is no such rule."""
    old, new = rule_in_force(session, board), rule_of(rule_id)
    found = boards.results(session, board.track, board.scale)
    current = [result for result in found if result.suite_sha256 == board.suite_sha256]
    tasks = boards.tasks_of(session, [result.id for result in current])
    rows = group_seeds(entries(session, current, tasks))
    return preview(rows, load_suite(board.suite), old, new)


def _waiting_page(
    session: Session, submission: Submission, costs: Costs, moment: datetime
) -> WaitingPage:
    state, notice = where_it_stands(session, submission, costs, moment)
    marks = repository.marks(session, [submission.id])
    verdict = submission.verdict
    return WaitingPage(
        title=submission.method,
        id=submission.id,
        team=submission.team.name,
        method=submission.method,
        description=submission.description,
        scale=submission.board.scale,
        track=submission.board.track,
        state=state,
        marks=tuple((one.kind, one.reason) for one in marks),
        notice=(notice.text, notice.command) if notice else None,
        out=any(one.kind in OUT for one in marks),
        codes=tuple(sorted({one["code"] for one in verdict.findings})) if verdict else (),
        files=tuple((file.role, file.size, file.sha256) for file in submission.files),
        files_until=submission.files_until,
        submitted_at=submission.created_at,
    )
