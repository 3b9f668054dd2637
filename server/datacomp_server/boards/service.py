"""From stored submissions to what the board's pages need."""

from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError
from datacomp.reports import load_suite, parse_report, suites
from datacomp_leaderboard.board import build_board, build_home
from datacomp_leaderboard.entries import Entry, Estimate
from datacomp_leaderboard.pages import BoardPage, HomePage, SubmissionPage
from datacomp_leaderboard.ranking import DEFAULT_SORT
from datacomp_leaderboard.scales import SCALES
from datacomp_leaderboard.submission import Details, build_submission
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.kit.errors import BadRequest, NotFound
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Submission


def home_page(session: Session) -> HomePage:
    """Every board with its leaders."""
    current = {scale: _suite_sha256(scale) for scale in SCALES}
    found = repository.everything(session)
    return build_home([_entry(s) for s in found if s.suite_sha256 == current.get(s.scale)])


def board_page(session: Session, scale: str, sort: str | None) -> BoardPage:
    """The board of a scale; `NotFound` if there is no such scale, `BadRequest` no such column."""
    if scale not in SCALES:
        raise NotFound(f"there is no board {scale!r}; there are: {', '.join(SCALES)}")
    found = repository.of_scale(session, scale)
    version = _suite_sha256(scale)
    current = [s for s in found if s.suite_sha256 == version]
    try:
        return build_board(
            scale,
            [_entry(submission) for submission in current],
            groups=load_suite(SCALES[scale].suite).groups if current else (),
            chance=current[-1].average_chance if current else None,
            sort=sort or DEFAULT_SORT,
            n_outdated=len(found) - len(current),
        )
    except UnknownNameError as error:
        raise BadRequest(str(error), code="unknown_column") from error


def submission_page(
    session: Session, store: ArtifactStore, submission: Submission
) -> SubmissionPage:
    """The page of a submission, from its stored report."""
    report = parse_report(store.path(submission.report_sha256).read_bytes(), submission.id)
    suite = load_suite(submission.suite)
    base = f"/api/v1/submissions/{submission.id}"
    details = Details(
        id=submission.id,
        team=submission.team.name,
        method=submission.method,
        description=submission.description,
        oracle=submission.oracle,
        submitted_at=submission.created_at,
        validator=submission.validator,
        report_sha256=submission.report_sha256,
        report_url=f"{base}/report",
        lock_url=f"{base}/lock" if submission.lock_sha256 else None,
    )
    found = repository.of_scale(session, submission.scale)
    version = suite.sha256
    board = [_entry(s) for s in found if s.suite_sha256 == version]
    return build_submission(details, report, suite, board)


def _suite_sha256(scale: str) -> str | None:
    """The version of the scale's suite that its board ranks by; None if this server has none."""
    name = SCALES[scale].suite
    return load_suite(name).sha256 if name in suites() else None


def _entry(submission: Submission) -> Entry:
    return Entry(
        id=submission.id,
        team=submission.team.name,
        method=submission.method,
        scale=submission.scale,
        recipe_id=submission.recipe_id,
        pool_id=submission.pool_id,
        pool_size=submission.pool_size,
        seed=submission.seed,
        average=_estimate(submission.average, submission.average_stderr),
        groups={
            name: _estimate(group["value"], group["stderr"])
            for name, group in submission.groups.items()
        },
        subset_size=submission.subset_n,
        subset_unique=submission.subset_unique,
        oracle=submission.oracle,
        submitted_at=submission.created_at,
    )


def _estimate(value: float | None, stderr: float | None) -> Estimate | None:
    return None if value is None else Estimate(value, stderr)
