"""From stored submissions to what the board's pages need."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError
from datacomp.reports import load_suite, parse_report
from datacomp_leaderboard.board import FILTERING, OWN_DATA, build_board, build_home
from datacomp_leaderboard.entries import Entry, Estimate, TaskValues, group_seeds
from datacomp_leaderboard.pages import BoardPage, HomePage, SubmissionPage, WaitingPage
from datacomp_leaderboard.ranking import DEFAULT_SORT, Ranks, sort_rows
from datacomp_leaderboard.rules import OFFICIAL, Rule, RuleDiff, preview, rule_of
from datacomp_leaderboard.scales import SCALES
from datacomp_leaderboard.submission import Details, build_submission
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.boards import opening, published, trust
from datacomp_server.boards import repository as boards
from datacomp_server.boards.models import TRACKS, Board
from datacomp_server.boards.opening import current_board, suite_sha256
from datacomp_server.boards.repository import Shown
from datacomp_server.boards.ruling import rule_in_force
from datacomp_server.jobs.costs import Costs
from datacomp_server.kit.errors import BadRequest, NotFound
from datacomp_server.submissions import repository
from datacomp_server.submissions.marks import OUT
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.views import where_it_stands
from datacomp_server.verification import service as verification
from datacomp_server.verification.service import Place

_NONE = TaskValues({}, {})
_FEW = 100  # results, of which it is worth while to ask for their evidence alone


def home_page(session: Session) -> HomePage:
    """Every board with its leaders."""
    current = {scale: suite_sha256(scale) for scale in SCALES}
    rules = {
        scale: (rule, load_suite(SCALES[scale].suite))
        for scale in SCALES
        if (rule := _rule(session, FILTERING, scale)) is not OFFICIAL
    }
    found = [
        result
        for result in boards.results(session, FILTERING)
        if result.suite_sha256 == current.get(result.scale)
    ]
    own_data = {
        board.scale: repository.count_accepted(session, board.id)
        for board in opening.boards(session)
        if board.track == OWN_DATA and board.suite_sha256 == current[board.scale]
    }
    known = published.entries(session, _current(session, FILTERING))
    entries = [*_entries(session, found, tasks=bool(rules)), *known]
    return build_home(entries, own_data, rules)


def board_page(
    session: Session,
    scale: str,
    sort: str | None,
    track: str = FILTERING,
    *,
    until: datetime | None = None,
) -> BoardPage:
    """The board of a scale; `NotFound` if there is no such scale, `BadRequest` no such column.

    With `until` as it was at that moment: what had come in, what had been said and measured, and
    the rule then in force; by the names that teams have now.
    """
    if scale not in SCALES:
        raise NotFound(f"there is no board {scale!r}; there are: {', '.join(SCALES)}")
    _check_column(scale, sort)
    found = boards.results(session, track, scale, until=until)
    version = suite_sha256(scale)
    current = [s for s in found if s.suite_sha256 == version]
    rule = _rule(session, track, scale, until)
    entries = _entries(session, current, tasks=rule is not OFFICIAL, until=until)
    entries += published.entries(session, _current(session, track, scale), until)
    return build_board(
        scale,
        entries,
        suite=load_suite(SCALES[scale].suite) if entries else None,
        rule=rule,
        sort=sort or DEFAULT_SORT,
        n_outdated=len({r.submission_id for r in found if r.suite_sha256 != version}),
        track=track,
        tracks=[one for one in TRACKS if opening.current_board(session, one, scale) is not None],
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
    seeds = _entries(session, [s for s in found if s.suite_sha256 == suite.sha256])
    return build_submission(details, report, suite, seeds, ranks)


def preview_rule(session: Session, board: Board, rule_id: str) -> RuleDiff:
    """What another rule would move on a board; `UnknownNameError` if there is no such rule."""
    old, new = rule_in_force(session, board), rule_of(rule_id)
    found = boards.results(session, board.track, board.scale)
    current = [result for result in found if result.suite_sha256 == board.suite_sha256]
    rows = group_seeds(_entries(session, current, tasks=True))
    return preview(rows, load_suite(board.suite), old, new)


def _current(session: Session, track: str, scale: str | None = None) -> list[Board]:
    """The boards of a track by the present versions of their suites; of one scale, or of all."""
    scales = SCALES if scale is None else (scale,)
    return [board for one in scales if (board := current_board(session, track, one))]


def _rule(session: Session, track: str, scale: str, until: datetime | None = None) -> Rule:
    board = current_board(session, track, scale)
    return rule_in_force(session, board, until) if board else OFFICIAL


def _check_column(scale: str, sort: str | None) -> None:
    """Before anything is read: a wrong name must not cost a board."""
    groups = load_suite(SCALES[scale].suite).groups if suite_sha256(scale) else ()
    try:
        sort_rows((), sort or DEFAULT_SORT, groups)
    except UnknownNameError as error:
        raise BadRequest(str(error), code="unknown_column") from error


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


def _entries(
    session: Session,
    results: Sequence[Shown],
    *,
    tasks: bool = False,
    until: datetime | None = None,
) -> list[Entry]:
    """What boards show of results; with their task values where `tasks` says so."""
    ids = {result.submission_id for result in results} if len(results) <= _FEW else None
    places = verification.places(session, ids, until=until)
    said = repository.unranked(session, until)
    counted = trust.counted(results, places)
    values = boards.tasks_of(session, [result.id for result in counted]) if tasks else {}
    return [
        _entry(result, places, said.get(result.submission_id, set()), values.get(result.id, _NONE))
        for result in counted
    ]


def _entry(result: Shown, places: Mapping[str, Place], said: Set[str], tasks: TaskValues) -> Entry:
    return Entry(
        id=result.submission_id,
        team=result.team,
        method=result.method,
        scale=result.scale,
        recipe_id=result.recipe_id,
        pool_id=result.pool_id,
        pool_size=result.pool_size,
        seed=result.seed,
        average=_estimate(result.average, result.average_stderr),
        groups={
            name: _estimate(group["value"], group["stderr"])
            for name, group in result.groups.items()
        },
        tasks=tasks,
        subset_size=result.subset_n,
        subset_unique=result.subset_unique,
        oracle=result.oracle,
        level=places.get(result.submission_id, trust.UNVERIFIED).level,
        baseline="baseline" in said,
        withdrawn=bool(said & {"withdrawn", "disqualified"}),
        submitted_at=result.submitted_at,
    )


def _estimate(value: float | None, stderr: float | None) -> Estimate | None:
    return None if value is None else Estimate(value, stderr)
