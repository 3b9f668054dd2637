"""Rules of evidence: what counts for or against a submission, and what follows from all of it."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp.submission.attestation import Attestation, is_signed, submission_statement
from datacomp.submission.levels import Level
from datacomp_server.audit import service as audit
from datacomp_server.identity.callers import TeamCaller
from datacomp_server.kit.db import add_rows
from datacomp_server.kit.errors import Forbidden, Refused
from datacomp_server.submissions.models import Mark, Result, Submission
from datacomp_server.verification import repository
from datacomp_server.verification.levels import Fact, Said, is_capped, level_of
from datacomp_server.verification.models import Evidence, SigningKey


@dataclass(frozen=True)
class Standing:
    """How far a submission was verified, and by what; `capped` says that something speaks against.

    `twins` are other submissions with the very same numbers.
    """

    level: Level
    capped: bool
    evidence: tuple[Evidence, ...]
    marks: tuple[Mark, ...]
    twins: tuple[Submission, ...]


def note_report(
    session: Session, submission: Submission, result: Result, *, moment: datetime
) -> None:
    """Keep that the checks accepted the report of a submission."""
    facts = {"report_sha256": result.report_sha256, "validator": submission.validator}
    add_evidence(session, submission.id, "report", facts, moment, result_id=result.id)


def attest(
    session: Session,
    caller: TeamCaller,
    submission: Submission,
    attestation: Attestation,
    *,
    moment: datetime,
) -> None:
    """Keep a team's signature of its own submission; the same one again changes nothing.

    `Forbidden` for another team's submission; `Refused` (attestation_refused) if the key is not
    a good one of this team, or the signature not of this submission's hashes.
    """
    if submission.team_id != caller.team_id:
        raise Forbidden("only the team of a submission can attest it")
    key = repository.key_by_id(session, attestation.key_id)
    if key is None or key.team_id != caller.team_id or key.revoked_at is not None:
        raise Refused(
            f"team {caller.team!r} has no key {attestation.key_id} that is good; see: "
            "datacomp key list",
            code="attestation_refused",
        )
    statement = statement_of(submission, key)
    if not is_signed(statement, attestation.signature, key.public_key):
        raise Refused(
            f"the signature is not of submission {submission.id}: its key and hashes are "
            f"{statement}",
            code="attestation_refused",
        )
    before = repository.evidence_of(session, submission.id)
    if any(one.kind == "attestation" and one.key_id == key.id for one in before):
        return
    facts = {"statement": statement, "signature": attestation.signature}
    add_evidence(session, submission.id, "attestation", facts, moment, key_id=key.id)
    audit.record(
        session,
        tag="submission:attested",
        subject_id=submission.id,
        actor=caller.actor,
        facts={"key_id": key.id, "signature": attestation.signature},
        moment=moment,
    )


def statement_of(submission: Submission, key: SigningKey) -> dict[str, Any]:
    """What a signature of that key must say of a submission."""
    return submission_statement(
        key_id=key.id,
        submission_id=submission.id,
        report_sha256=submission.report_sha256,
        files={file.role: file.sha256 for file in submission.files},
    )


def standing(session: Session, submission: Submission) -> Standing:
    """Where a submission stands on the ladder, and all that it stands on."""
    evidence = repository.evidence_of(session, submission.id)
    marks = repository.marks_of(session, submission.id)
    facts, said = [_fact(one) for one in evidence], [_said(one) for one in marks]
    same = repository.twins(session, submission.id)
    return Standing(
        level=level_of(facts, said),
        capped=is_capped(facts, said),
        evidence=tuple(evidence),
        marks=tuple(marks),
        twins=tuple({one.submission_id: one.submission for one in same}.values()),
    )


@dataclass(frozen=True)
class Place:
    """The level of a submission, and whether something speaks against its numbers."""

    level: Level
    capped: bool


def places(
    session: Session, ids: Collection[str] | None = None, *, until: datetime | None = None
) -> dict[str, Place]:
    """Where each submission, or each of `ids`, stands that has more than its report; all others
    are reported. With `until`, where it stood at that moment.
    """
    facts: dict[str, list[Fact]] = defaultdict(list)
    said: dict[str, list[Said]] = defaultdict(list)
    for submission_id, kind, at, seed in repository.telling_evidence(session, ids):
        if until is None or at <= until:
            facts[submission_id].append(Fact(kind, at, seed))
    for submission_id, kind, at in repository.telling_marks(session, ids):
        if until is None or at <= until:
            said[submission_id].append(Said(kind, at))
    return {
        one: Place(level_of(facts[one], said[one]), is_capped(facts[one], said[one]))
        for one in {*facts, *said}
    }


def add_evidence(
    session: Session,
    submission_id: str,
    kind: str,
    facts: dict[str, Any],
    moment: datetime,
    **references: str | None,
) -> None:
    """Keep one fact for or against a submission; `references` are its result, key and worker."""
    made = Evidence(
        submission_id=submission_id, kind=kind, facts=facts, created_at=moment, **references
    )
    add_rows(session, made)


def _fact(evidence: Evidence) -> Fact:
    return Fact(evidence.kind, evidence.created_at, evidence.facts.get("seed"))


def _said(mark: Mark) -> Said:
    return Said(mark.kind, mark.created_at)
