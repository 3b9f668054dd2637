"""What is public of a service, as tables of plain values: the statements of the export.

Not in here: accounts, tokens, sessions, uploads, the ledger, logs, the files that teams handed in,
and the texts of findings.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Executable, select
from sqlalchemy.orm import Session

from datacomp_server.audit.rows import plain
from datacomp_server.boards.models import Board, BoardRule, Published
from datacomp_server.identity.models import Team
from datacomp_server.jobs.models import Job, Worker
from datacomp_server.kit.db import Base
from datacomp_server.submissions.models import (
    Mark,
    Overlap,
    Result,
    Submission,
    SubmissionFile,
    Verdict,
)
from datacomp_server.verification.models import AuditRound, Evidence, SigningKey

Rows = Callable[[Session], Iterator[dict[str, Any]]]
_BATCH = 500


def _rows(session: Session, statement: Executable) -> Iterator[dict[str, Any]]:
    found = session.execute(statement.execution_options(yield_per=_BATCH))
    for row in found.mappings():
        yield {name: plain(value) for name, value in row.items()}


def _table(model: type[Base], names: str) -> Rows:
    """The named columns of every row, in the order of the key. Others are not public."""
    columns = [getattr(model, name) for name in names.split()]
    statement = select(*columns).order_by(*model.__table__.primary_key)
    return lambda session: _rows(session, statement)


def _verdicts(session: Session) -> Iterator[dict[str, Any]]:
    names = "submission_id accepted findings validator created_at"
    for row in _table(Verdict, names)(session):
        codes = sorted({finding["code"] for finding in row.pop("findings")})
        yield {**row, "codes": codes}


def _jobs(session: Session) -> Iterator[dict[str, Any]]:
    names = "id kind submission_id resource status attempt fault expected_seconds created_at"
    columns = [getattr(Job, name) for name in f"{names} finished_at".split()]
    statement = select(*columns).where(Job.submission_id.is_not(None)).order_by(Job.id)
    return _rows(session, statement)


TABLES: dict[str, Rows] = {
    "teams": _table(Team, "id name created_at"),
    "boards": _table(
        Board,
        "id track scale suite suite_sha256 opens_at closes_at submissions_per_team "
        "compute_seconds_per_team created_at",
    ),
    "board_rules": _table(BoardRule, "id board_id rule by created_at"),
    "published": _table(
        Published,
        "id board_id source place link method samples pool_size average groups published_at "
        "created_at",
    ),
    "submissions": _table(
        Submission,
        "id team_id board_id kind method description oracle attempt manifest_sha256 "
        "report_sha256 lock_sha256 profile_sha256 pool_id seed validator files_until created_at",
    ),
    "files": _table(SubmissionFile, "submission_id role sha256 size"),
    "verdicts": _verdicts,
    "results": _table(
        Result,
        "id submission_id source job_id report_sha256 checkpoint_sha256 profile_sha256 suite "
        "suite_sha256 recipe_id pool_id pool_size seed subset_sha256 subset_n subset_unique "
        "average average_stderr average_chance groups tasks vector_sha256 created_at",
    ),
    "marks": _table(Mark, "id submission_id kind reason by created_at"),
    "overlaps": _table(Overlap, "submission_id other_id jaccard exact"),
    "workers": _table(Worker, "id name created_at"),
    "keys": _table(SigningKey, "id team_id worker_id name public_key created_at revoked_at"),
    "evidence": _table(Evidence, "id submission_id kind result_id key_id worker facts created_at"),
    "audits": _table(AuditRound, "id board_id commitment share seed chosen created_at drawn_at"),
    "jobs": _jobs,
}


def reports(session: Session) -> list[str]:
    """The sha256 of every report with numbers, sorted."""
    return sorted(set(session.scalars(select(Result.report_sha256))))
