"""Taking a submission in, exactly once.

The report's hash is the key: the same team sending the same report again gets the submission
that stands, another team is refused. Artifacts are written before the row that names them, so
that no row ever names a file that is not there.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from datacomp import __version__
from datacomp_server.artifacts.models import Artifact
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.identity.service import Caller
from datacomp_server.kit.db import Database
from datacomp_server.kit.errors import Conflict, NotFound
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.rules import ValidSubmission


@dataclass(frozen=True)
class Receipt:
    """The submission that stands now; `created` says whether this call made it."""

    submission: Submission
    created: bool


def take_in(
    database: Database, store: ArtifactStore, caller: Caller, valid: ValidSubmission
) -> Receipt:
    """Store a submission of the caller's team, or return the same one that stands already.

    `Conflict` if the report is another team's, or stands under another method name.
    """
    try:
        return _take_in(database, store, caller, valid)
    except IntegrityError:
        # where writers run side by side, another one was faster; now its rows are visible
        return _take_in(database, store, caller, valid)


def get(session: Session, submission_id: str) -> Submission:
    """The submission of that public id; `NotFound` if there is none."""
    found = repository.by_id(session, submission_id)
    if found is None:
        raise NotFound("there is no such submission")
    return found


def _take_in(
    database: Database, store: ArtifactStore, caller: Caller, valid: ValidSubmission
) -> Receipt:
    with database.writing() as session:
        existing = repository.by_report(session, hashlib.sha256(valid.report_json).hexdigest())
        if existing is not None:
            return Receipt(_same(existing, caller, valid), created=False)
        report_sha256 = _keep(session, store, valid.report_json)
        lock_sha256 = _keep(session, store, valid.lock_json) if valid.lock_json else None
        made = _row(caller, valid, report_sha256, lock_sha256)
        session.add(made)
        session.flush()
        session.refresh(made, ["team"])
        return Receipt(made, created=True)


def _same(existing: Submission, caller: Caller, valid: ValidSubmission) -> Submission:
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


def _row(
    caller: Caller, valid: ValidSubmission, report_sha256: str, lock_sha256: str | None
) -> Submission:
    report, provenance = valid.report, valid.report.run
    average = report.aggregates.average
    return Submission(
        team_id=caller.team_id,
        method=valid.method,
        description=valid.description,
        oracle=valid.oracle,
        report_sha256=report_sha256,
        lock_sha256=lock_sha256,
        scale=provenance.scale,
        suite=report.suite.name,
        suite_sha256=report.suite.sha256,
        recipe_id=provenance.recipe_id,
        pool_id=provenance.pool_id,
        pool_size=provenance.pool_size,
        seed=provenance.seed,
        subset_sha256=provenance.subset.sha256,
        subset_n=provenance.subset.n,
        subset_unique=provenance.subset.n_unique,
        average=average.value,
        average_stderr=average.stderr,
        average_chance=average.chance,
        groups={name: group.model_dump() for name, group in report.aggregates.groups.items()},
        validator=f"datacomp {__version__}",
    )
