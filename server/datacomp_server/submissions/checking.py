"""The `check` job: what the files of a submission are, once all of them are here.

The files are read without a transaction; the verdict is written in the one that ends the job.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp.reports import Finding, Report, parse_report
from datacomp.submission.byod_file import check_pool
from datacomp.submission.checks import check_file
from datacomp.submission.levels import Level
from datacomp.submission.profile import Expected, check_profile
from datacomp.submission.rules import portrait_facts
from datacomp.submission.selection_file import check_lock
from datacomp.subset.blocks import SubsetFacts
from datacomp_server.context import Context
from datacomp_server.jobs import plans
from datacomp_server.jobs.costs import Costs
from datacomp_server.jobs.handlers import Apply, Work
from datacomp_server.kit.errors import Refused
from datacomp_server.submissions import overlaps, repository, service, verdicts
from datacomp_server.submissions.models import Submission, SubmissionFile, SubsetSketch
from datacomp_server.submissions.selected import SELECTED_BY, check_selected
from datacomp_server.submissions.sketches import sketch_of

_LOG = logging.getLogger(__name__)


@dataclass
class _Found:
    """What the files of one submission are; `sketch` if one of them is a good subset."""

    report: Report | None
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    sketch: SubsetSketch | None = None
    shared: list[overlaps.Shared] = field(default_factory=list)


def check(context: Context, work: Work) -> Apply:
    """Check every file by its role; what is returned writes the verdict, once."""
    if SELECTED_BY in work.params:
        return check_selected(context, work)
    assert work.submission_id is not None, "a check is of a submission"
    with context.database.reading() as session:
        submission = service.get(session, work.submission_id)
        files = repository.files(session, submission.id)
    found = _Found(_report(context, submission))
    for file in files:
        _check_file(context, submission, file, found)
    if found.sketch is not None and not found.findings:
        with context.database.reading() as session:
            found.shared = overlaps.find(session, context.artifacts, submission, found.sketch)

    def apply(session: Session, moment: datetime) -> None:
        costs = context.settings.job_costs
        _decide(session, service.get(session, submission.id), found, costs, moment)

    return apply


def _check_file(
    context: Context, submission: Submission, file: SubmissionFile, found: _Found
) -> None:
    from datacomp.training.tensors import recipe_tensors

    stated = tensors = None
    if found.report is not None:
        subset = found.report.run.subset
        stated = SubsetFacts(subset.sha256, subset.n, subset.n_unique)
        tensors = recipe_tensors(found.report.run.recipe_id)
    with context.artifacts.local(file.sha256) as path:
        checked = check_file(file.role, path, stated=stated, tensors=tensors)
        found.facts[file.role] = dict(checked.facts)
        findings = list(checked.findings)
        if file.role == "byod" and not findings:
            findings += check_pool(checked.facts, submission.pool_id)
        if file.role == "subset" and not findings:
            findings += _check_lock(context, submission, checked.facts)
            findings += _check_profile(context, submission, checked.facts)
            found.sketch = sketch_of(path, submission.id, checked.facts["sha256"])
    found.findings += [replace(one, message=f"{file.role}: {one.message}") for one in findings]


def _report(context: Context, submission: Submission) -> Report | None:
    if submission.report_sha256 is None:
        return None
    return parse_report(context.artifacts.read_bytes(submission.report_sha256), submission.id)


def _check_lock(
    context: Context, submission: Submission, facts: Mapping[str, Any]
) -> list[Finding]:
    """Whether the lock is the subset's; beside a report that was looked at with the manifest."""
    if submission.lock_sha256 is None or submission.report_sha256 is not None:
        return []
    lock = json.loads(context.artifacts.read_bytes(submission.lock_sha256))
    return check_lock(lock, SubsetFacts(**facts))


def _check_profile(
    context: Context, submission: Submission, facts: Mapping[str, Any]
) -> list[Finding]:
    """Whether the portrait is the subset's; beside a report that was looked at, too."""
    if submission.profile_sha256 is None or submission.report_sha256 is not None:
        return []
    profile = json.loads(context.artifacts.read_bytes(submission.profile_sha256))
    return check_profile(profile, Expected(portrait_facts(facts)))


def _decide(
    session: Session, submission: Submission, found: _Found, costs: Costs, moment: datetime
) -> None:
    if submission.verdict is not None:
        return
    if found.findings:
        verdicts.refuse(session, submission, found.findings, facts=found.facts, moment=moment)
        return
    if found.sketch is not None:
        session.add(found.sketch)
    verdicts.accept(
        session, submission, found.report, facts=found.facts, shared=found.shared, moment=moment
    )
    if submission.kind != "report":
        session.refresh(submission)
        _plan_training(session, submission, costs, moment)


def _plan_training(
    session: Session, submission: Submission, costs: Costs, moment: datetime
) -> None:
    """What comes without numbers is trained at its team's cost, if that has enough left.

    If not, everybody is told so where they look at it: `notices`.
    """
    by = f"team:{submission.team.name}"
    try:
        with session.begin_nested():
            plans.plan(
                session,
                submission,
                Level.RE_TRAINED,
                None,
                by,
                costs,
                moment=moment,
                charged=True,
            )
    except Refused as refused:
        _LOG.info("submission %s is not trained: %s", submission.id, refused.detail)
