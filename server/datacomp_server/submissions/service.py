"""Taking a submission in, exactly once.

The report's hash is the key: the same team sending the same report again gets the submission
that stands, another team is refused. Artifacts are written before the row that names them, so
that no row ever names a file that is not there.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from datacomp import __version__
from datacomp.reports import Report
from datacomp_server.artifacts.models import Artifact
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.boards.opening import find_board
from datacomp_server.identity.callers import TeamCaller
from datacomp_server.kit.db import Database
from datacomp_server.kit.errors import Conflict, NotFound
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Result, Submission, Verdict
from datacomp_server.submissions.rules import ValidSubmission

VALIDATOR = f"datacomp {__version__}"


@dataclass(frozen=True)
class Receipt:
    """The submission that stands now; `created` says whether this call made it."""

    submission: Submission
    created: bool


def take_in(
    database: Database,
    store: ArtifactStore,
    caller: TeamCaller,
    valid: ValidSubmission,
    *,
    moment: datetime,
) -> Receipt:
    """Store a submission of the caller's team, or return the same one that stands already.

    `Conflict` if the report is another team's, or stands under another method name.
    """
    try:
        return _take_in(database, store, caller, valid, moment)
    except IntegrityError:
        # where writers run side by side, another one was faster; now its rows are visible
        return _take_in(database, store, caller, valid, moment)


def get(session: Session, submission_id: str) -> Submission:
    """The submission of that public id; `NotFound` if there is none."""
    found = repository.by_id(session, submission_id)
    if found is None:
        raise NotFound("there is no such submission")
    return found


def _take_in(
    database: Database,
    store: ArtifactStore,
    caller: TeamCaller,
    valid: ValidSubmission,
    moment: datetime,
) -> Receipt:
    with database.writing() as session:
        existing = repository.by_report(session, hashlib.sha256(valid.report_json).hexdigest())
        if existing is not None:
            return Receipt(_same(existing, caller, valid), created=False)
        report_sha256 = _keep(session, store, valid.report_json)
        lock_sha256 = _keep(session, store, valid.lock_json) if valid.lock_json else None
        made = _submission(session, caller, valid, (report_sha256, lock_sha256), moment)
        session.add(made)
        session.flush()
        session.add(_verdict(made, moment))
        session.add(_result(made, valid.report, report_sha256, moment))
        session.flush()
        session.refresh(made)
        return Receipt(made, created=True)


def _same(existing: Submission, caller: TeamCaller, valid: ValidSubmission) -> Submission:
    if existing.team_id != caller.team_id:
        raise Conflict(
            "another team has submitted this very report, nothing stored. A report stands for "
            "one training run and belongs to the team that submitted it first.",
            code="report_of_another_team",
        )
    if existing.method != valid.method:
        raise Conflict(
            f"this report stands already as {existing.id}, under the method name "
            f"{existing.method!r}. Submissions are never changed.",
            code="report_stands_already",
        )
    return existing


def _keep(session: Session, store: ArtifactStore, data: bytes) -> str:
    sha256 = store.put_bytes(data)
    if session.get(Artifact, sha256) is None:
        session.add(Artifact(sha256=sha256, size=len(data)))
        session.flush()
    return sha256


def _submission(
    session: Session,
    caller: TeamCaller,
    valid: ValidSubmission,
    hashes: tuple[str, str | None],
    moment: datetime,
) -> Submission:
    report = valid.report
    board = find_board(session, "filtering", report.run.scale, report.suite.sha256)
    assert board is not None, "the rules refuse a report of a suite that no board ranks by"
    return Submission(
        team_id=caller.team_id,
        board_id=board.id,
        kind="report",
        method=valid.method,
        description=valid.description,
        oracle=valid.oracle,
        attempt=1 + repository.count_of_team(session, caller.team_id, board.id),
        manifest_sha256=hashes[0],
        report_sha256=hashes[0],
        lock_sha256=hashes[1],
        pool_id=report.run.pool_id,
        validator=VALIDATOR,
        created_at=moment,
    )


def _verdict(submission: Submission, moment: datetime) -> Verdict:
    return Verdict(
        submission_id=submission.id,
        accepted=True,
        findings=[],
        facts={},
        validator=VALIDATOR,
        created_at=moment,
    )


def _result(submission: Submission, report: Report, report_sha256: str, moment: datetime) -> Result:
    average, run = report.aggregates.average, report.run
    return Result(
        submission_id=submission.id,
        source="reported",
        report_sha256=report_sha256,
        suite=report.suite.name,
        suite_sha256=report.suite.sha256,
        recipe_id=run.recipe_id,
        pool_id=run.pool_id,
        pool_size=run.pool_size,
        seed=run.seed,
        subset_sha256=run.subset.sha256,
        subset_n=run.subset.n,
        subset_unique=run.subset.n_unique,
        average=average.value,
        average_stderr=average.stderr,
        average_chance=average.chance,
        groups={name: group.model_dump() for name, group in report.aggregates.groups.items()},
        created_at=moment,
    )
