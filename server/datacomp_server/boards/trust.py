"""What boards and pages show of verification: which numbers count, and the evidence in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from datacomp.submission.levels import Level
from datacomp_leaderboard.trust import (
    EvidenceLine,
    OverlapLine,
    ResultLine,
    Twin,
    Verified,
    sentence,
    source_words,
)
from datacomp_server.boards.repository import Shown
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Result, Submission
from datacomp_server.verification import service as verification
from datacomp_server.verification.models import Evidence
from datacomp_server.verification.service import Place

UNVERIFIED = Place(Level.REPORTED, capped=False)
AnyResult = TypeVar("AnyResult", Result, Shown)
# Of one training seed the strongest counts.
_STRENGTH = {"reported": 0, "evaluated": 1, "trained": 2}


def counted(results: Iterable[AnyResult], places: Mapping[str, Place]) -> list[AnyResult]:
    """The results that boards show, oldest first: of each submission and seed the strongest.

    Of a submission that was contradicted only what workers measured.
    """
    by_submission: dict[str, list[AnyResult]] = defaultdict(list)
    for result in results:
        by_submission[result.submission_id].append(result)
    chosen: list[AnyResult] = []
    for submission_id, own in by_submission.items():
        measured = [result for result in own if result.source != "reported"]
        if places.get(submission_id, UNVERIFIED).capped and measured:
            own = measured
        own = sorted(own, key=lambda r: (_STRENGTH[r.source], r.created_at, r.id))
        chosen += {result.seed: result for result in own}.values()
    return sorted(chosen, key=lambda r: (r.created_at, r.id))


def shown(session: Session, submission: Submission) -> Result | None:
    """The result that a submission's page shows: of its own seed, if boards count one of that."""
    results = repository.results_of(session, submission.id)
    if not results:
        return None
    best = counted(results, verification.places(session, [submission.id]))
    return next((result for result in best if result.seed == submission.seed), best[0])


def report_url(result: Result) -> str:
    """Where the report of a result is."""
    return f"/api/v1/submissions/{result.submission_id}/results/{result.id}/report"


def verified(session: Session, submission: Submission, shown: Result) -> Verified:
    """What a submission's page shows of its verification, and of its results."""
    standing = verification.standing(session, submission)
    results = repository.results_of(session, submission.id)
    return Verified(
        level=standing.level,
        capped=standing.capped,
        evidence=tuple(evidence_line(one) for one in standing.evidence),
        results=tuple(
            ResultLine(
                source_words(one.source), one.seed, one.average, report_url(one), one is shown
            )
            for one in results
        ),
        twins=tuple(Twin(one.id, one.method, one.team.name) for one in standing.twins),
        marks=tuple((one.kind, one.reason) for one in standing.marks),
        overlaps=tuple(
            OverlapLine(other.id, other.method, other.team.name, shared.jaccard, shared.exact)
            for shared, other in repository.overlapping(session, submission.id)
        ),
    )


def evidence_line(evidence: Evidence) -> EvidenceLine:
    """One piece of evidence in words."""
    facts: dict[str, Any] = evidence.facts
    differing = [one["task"] or "the average" for one in facts.get("beyond", ())]
    own = facts.get("own_data")
    pictures = (own["pictures"], own["rows"]) if own else None
    text = sentence(evidence.kind, evidence.worker, facts.get("seed"), differing, pictures)
    return EvidenceLine(evidence.created_at, text, evidence.kind == "contradiction")
