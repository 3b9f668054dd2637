"""The last job of a verification: from a worker's report to a result and evidence.

What a worker sends is judged by the checks that every report goes through, and held to what it
was asked to do. A report that fails them is the worker's fault, never the team's.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp.errors import ServiceError
from datacomp.reports import Report, check_report, load_suite, parse_report
from datacomp.submission.attestation import Attestation, is_signed, result_statement
from datacomp.submission.profile import check_profile
from datacomp.submission.rules import expected_of
from datacomp_server.audit import service as audit
from datacomp_server.context import Context
from datacomp_server.jobs import repository as jobs
from datacomp_server.jobs.drafting import own_data_facts
from datacomp_server.jobs.handlers import Apply, Work
from datacomp_server.jobs.inputs import resolved_inputs
from datacomp_server.jobs.models import Job
from datacomp_server.submissions import service as submissions
from datacomp_server.submissions.models import Submission, SubsetSketch
from datacomp_server.submissions.results import add_result
from datacomp_server.verification import repository
from datacomp_server.verification.comparison import (
    Comparison,
    compare_same_weights,
    compare_trainings,
)
from datacomp_server.verification.service import add_evidence, standing

_KINDS = {"evaluated": "evaluation", "trained": "training"}
_SHOWN = 5


@dataclass(frozen=True)
class Asked:
    """What the evaluation of one job was asked for, and who did it."""

    job_id: str
    lease_id: str
    worker: str
    source: str
    seed: int
    checkpoint_sha256: str
    subset_sha256: str | None
    outputs: dict[str, str]
    attestation: dict[str, Any] | None
    own_data: dict[str, Any] | None
    profile_sha256: str | None


@dataclass(frozen=True)
class Measured:
    """A worker's report that passed; `comparison` is None where nothing was reported before."""

    report: Report
    report_sha256: str
    asked: Asked
    key_id: str | None
    comparison: Comparison | None

    @property
    def against(self) -> bool:
        """Whether it contradicts what was reported."""
        return self.comparison is not None and not self.comparison.agrees

    def facts(self) -> dict[str, Any]:
        """What the evidence keeps of it."""
        facts: dict[str, Any] = {
            "job_id": self.asked.job_id,
            "lease_id": self.asked.lease_id,
            "seed": self.asked.seed,
            "outputs": self.asked.outputs,
            "attestation": self.asked.attestation,
        }
        if self.asked.own_data is not None:
            facts["own_data"] = self.asked.own_data
        if self.comparison is not None:
            facts["compared"] = {
                "basis": self.comparison.basis,
                "n": self.comparison.n_compared,
                "largest": round(self.comparison.largest, 6),
            }
        return facts


def score(context: Context, work: Work) -> Apply:
    """The handler of jobs of kind score.

    `params`: source (evaluated, trained), seed, and the input "report" of an evaluate job.
    `ServiceError` if the worker's report is not what was asked for.
    """
    submission_id = work.submission_id or ""
    report_sha256 = work.inputs["report"]
    report = parse_report(context.artifacts.read_bytes(report_sha256), "the worker's report")
    with context.database.reading() as session:
        submission = submissions.get(session, submission_id)
        asked = _asked(session, submission, work)
        key_id = _signed_by(session, asked)
        reported = _reported(context, submission)
        problems = list(_problems(report, submission, asked, reported))
    problems += _of_profile(context, report, asked)
    if problems:
        shown = "; ".join(problems[:_SHOWN])
        raise ServiceError(
            f"the report of job {asked.job_id} by worker {asked.worker} is not what it was asked "
            f"for, in {len(problems)} places: {shown}"
        )
    comparison = None if reported is None else _compare(reported, report, asked)
    measured = Measured(report, report_sha256, asked, key_id, comparison)
    return lambda session, moment: _keep(session, submission_id, measured, moment)


def _keep(session: Session, submission_id: str, measured: Measured, moment: datetime) -> None:
    """Write what a worker measured: result, evidence for it and, if they differ, against."""
    asked, comparison = measured.asked, measured.comparison
    submission = submissions.get(session, submission_id)
    result = add_result(
        session,
        submission_id,
        measured.report,
        measured.report_sha256,
        source=asked.source,
        job_id=asked.job_id,
        profile_sha256=asked.profile_sha256,
        moment=moment,
    )
    by = {"result_id": result.id, "key_id": measured.key_id, "worker": asked.worker}
    facts = measured.facts()
    add_evidence(session, submission_id, _KINDS[asked.source], facts, moment, **by)
    if comparison is not None and measured.against:
        beyond = [one.as_json() for one in comparison.beyond]
        facts = {"job_id": asked.job_id, "seed": asked.seed, "basis": comparison.basis}
        facts |= {"beyond": beyond}
        add_evidence(session, submission_id, "contradiction", facts, moment, **by)
    audit.record(
        session,
        tag="submission:contradicted" if measured.against else "submission:verified",
        subject_id=submission_id,
        actor=f"worker:{asked.worker}",
        facts={
            "source": asked.source,
            "seed": asked.seed,
            "report_sha256": measured.report_sha256,
            "average": measured.report.aggregates.average.value,
            "level": standing(session, submission).level.label,
        },
        moment=moment,
    )


def _asked(session: Session, submission: Submission, work: Work) -> Asked:
    evaluate = session.get_one(Job, work.params["inputs"]["report"]["job"])
    done = next(one for one in jobs.attempts(session, [evaluate.id]) if one.ending == "succeeded")
    outputs = {one.role: one for one in jobs.outputs(session, [evaluate.id])}
    train = evaluate.params["inputs"]["checkpoint"].get("job")
    trained = jobs.outputs(session, [train]) if train is not None else ()
    return Asked(
        job_id=evaluate.id,
        lease_id=done.lease_id,
        worker=done.worker,
        source=work.params["source"],
        seed=work.params["seed"],
        checkpoint_sha256=resolved_inputs(session, evaluate)["checkpoint"],
        subset_sha256=_subset(session, submission),
        outputs={role: one.sha256 for role, one in outputs.items()},
        attestation=outputs["report"].facts.get("attestation"),
        profile_sha256=next((o.sha256 for o in trained if o.role == "profile"), None),
        own_data=next((o.facts["own_data"] for o in trained if "own_data" in o.facts), None),
    )


def _subset(session: Session, submission: Submission) -> str | None:
    """The sha256 of the subset that was handed in or that its plugin chose; None if unknown."""
    sketch = session.get(SubsetSketch, submission.id)
    return sketch.subset_sha256 if sketch is not None else None


def _signed_by(session: Session, asked: Asked) -> str | None:
    """The worker's key that signed the outputs; None if it did not sign."""
    if asked.attestation is None:
        return None
    attestation = Attestation.model_validate(asked.attestation)
    key = repository.key_by_id(session, attestation.key_id)
    worker = repository.worker_by_name(session, asked.worker)
    statement = result_statement(
        key_id=attestation.key_id, lease_id=asked.lease_id, files=asked.outputs
    )
    good = key is not None and worker is not None and key.worker_id == worker.id
    if (
        key is None
        or not good
        or key.revoked_at is not None
        or not is_signed(statement, attestation.signature, key.public_key)
    ):
        raise ServiceError(
            f"the attestation of job {asked.job_id} is no good signature of worker {asked.worker}"
        )
    return key.id


def _reported(context: Context, submission: Submission) -> Report | None:
    if submission.report_sha256 is None:
        return None
    return parse_report(context.artifacts.read_bytes(submission.report_sha256), submission.id)


def _problems(
    report: Report, submission: Submission, asked: Asked, reported: Report | None
) -> Iterator[str]:
    suite = load_suite(submission.board.suite)
    yield from map(str, check_report(report, suite))
    run = report.run
    expected: dict[str, tuple[object, object]] = {
        "suite": (report.suite.sha256, submission.board.suite_sha256),
        "scale": (run.scale, submission.board.scale),
        "pool": (run.pool_id, submission.pool_id),
        "seed": (run.seed, asked.seed),
        "checkpoint": (run.checkpoint_sha256, asked.checkpoint_sha256),
    }
    own = own_data_facts(submission) if asked.source == "trained" else None
    if own is not None:
        expected["pool"] = (run.pool_id, own["pool_id"])
    if asked.subset_sha256 is not None:
        expected["subset"] = (run.subset.sha256, asked.subset_sha256)
    if reported is not None:
        expected["recipe"] = (run.recipe_id, reported.run.recipe_id)
        if own is None or own["pool_id"] == reported.run.pool_id:
            expected["subset"] = (run.subset.sha256, reported.run.subset.sha256)
    for name, (found, wanted) in expected.items():
        if found != wanted:
            yield f"its {name} is {found!r}, asked for was {wanted!r}"


def _of_profile(context: Context, report: Report, asked: Asked) -> list[str]:
    if asked.profile_sha256 is None:
        return []
    try:
        value = json.loads(context.artifacts.read_bytes(asked.profile_sha256))
    except (ValueError, RecursionError) as error:
        return [f"its profile is not JSON: {error}"]
    return [str(finding) for finding in check_profile(value, expected_of(report))]


def _compare(reported: Report, measured: Report, asked: Asked) -> Comparison:
    if asked.source == "evaluated":
        return compare_same_weights(reported, measured, load_suite(measured.suite.name))
    return compare_trainings(reported, measured)
