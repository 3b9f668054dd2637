"""What is public of a service, as tables of plain values: the statements of the export.

Not in here: accounts, tokens, sessions, uploads, the ledger, logs, the files that teams handed in,
and the texts of findings.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Executable, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from datacomp_server.audit.rows import plain
from datacomp_server.boards.models import Board
from datacomp_server.identity.models import Team
from datacomp_server.jobs.models import Job, Worker
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


def _columns(statement: Executable) -> Rows:
    def rows(session: Session) -> Iterator[dict[str, Any]]:
        found = session.execute(statement.execution_options(yield_per=_BATCH))
        for row in found.mappings():
            yield {name: plain(value) for name, value in row.items()}

    return rows


def _all(model: Any, *without: str) -> Rows:
    names = [column.name for column in model.__table__.columns if column.name not in without]
    columns: list[InstrumentedAttribute[Any]] = [getattr(model, name) for name in names]
    return _columns(select(*columns).order_by(*model.__table__.primary_key.columns))


def _verdicts(session: Session) -> Iterator[dict[str, Any]]:
    for row in _all(Verdict, "facts")(session):
        codes = sorted({finding["code"] for finding in row.pop("findings")})
        yield {**row, "codes": codes}


_JOBS = select(
    Job.id,
    Job.kind,
    Job.submission_id,
    Job.resource,
    Job.status,
    Job.attempt,
    Job.fault,
    Job.expected_seconds,
    Job.created_at,
    Job.finished_at,
).where(Job.submission_id.is_not(None))

TABLES: dict[str, Rows] = {
    "teams": _columns(select(Team.id, Team.name, Team.created_at).order_by(Team.id)),
    "boards": _all(Board),
    "submissions": _all(Submission),
    "files": _all(SubmissionFile),
    "verdicts": _verdicts,
    "results": _all(Result),
    "marks": _all(Mark),
    "overlaps": _all(Overlap),
    "workers": _columns(
        select(Worker.id, Worker.name, Worker.facts, Worker.created_at).order_by(Worker.id)
    ),
    "keys": _all(SigningKey),
    "evidence": _all(Evidence),
    "audits": _all(AuditRound),
    "jobs": _columns(_JOBS.order_by(Job.id)),
}


def reports(session: Session) -> list[str]:
    """The sha256 of every report with numbers, sorted."""
    return sorted(set(session.scalars(select(Result.report_sha256))))
