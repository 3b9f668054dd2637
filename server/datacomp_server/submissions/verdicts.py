"""The end of a submission's checks: accepted with its numbers, or refused with every reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from datacomp import __version__
from datacomp.reports import Finding, Report
from datacomp_server.audit import service as audit
from datacomp_server.kit.db import add_rows
from datacomp_server.submissions import overlaps, repository
from datacomp_server.submissions.models import Submission, Verdict
from datacomp_server.submissions.results import add_result
from datacomp_server.verification.service import note_report

VALIDATOR = f"datacomp {__version__}"


def accept(
    session: Session,
    submission: Submission,
    report: Report | None,
    *,
    facts: Mapping[str, Any],
    shared: Sequence[overlaps.Shared] = (),
    moment: datetime,
) -> repository.Said:
    """Let a submission stand: verdict, its own result, evidence, what its subset shares.

    What stands beside a new one now, which is that.
    """
    _decide(session, submission, [], facts, moment)
    subset: str | None = facts["subset"]["sha256"] if "subset" in facts else None
    said = repository.Said()
    if report is not None:
        assert submission.report_sha256 is not None, "a report that is there has its hash"
        result = add_result(
            session,
            submission.id,
            report,
            submission.report_sha256,
            source="reported",
            moment=moment,
        )
        said.results[submission.id].append(result)
        note_report(session, submission, result, moment=moment)
        subset = report.run.subset.sha256
    said.overlaps[submission.id].extend(overlaps.write(session, submission, subset, shared))
    _record(session, submission, "submission:accepted", {}, moment)
    return said


def refuse(
    session: Session,
    submission: Submission,
    findings: Sequence[Finding],
    *,
    facts: Mapping[str, Any],
    moment: datetime,
) -> None:
    """Refuse a submission for what its files are. Its row stays, and may be followed by another."""
    _decide(session, submission, findings, facts, moment)
    codes = {"codes": sorted({finding.code for finding in findings})}
    _record(session, submission, "submission:refused", codes, moment)


def _decide(
    session: Session,
    submission: Submission,
    findings: Sequence[Finding],
    facts: Mapping[str, Any],
    moment: datetime,
) -> None:
    verdict = Verdict(
        submission_id=submission.id,
        accepted=not findings,
        findings=[vars(finding) for finding in findings],
        facts=dict(facts),
        validator=VALIDATOR,
        created_at=moment,
    )
    add_rows(session, verdict)
    set_committed_value(submission, "verdict", verdict)


def _record(
    session: Session, submission: Submission, tag: str, facts: Mapping[str, Any], moment: datetime
) -> None:
    audit.record(
        session,
        tag=tag,
        subject_id=submission.id,
        actor="service",
        facts={"validator": VALIDATOR, **facts},
        moment=moment,
    )
