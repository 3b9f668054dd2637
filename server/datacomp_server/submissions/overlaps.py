"""Subsets that share much with those of other methods."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Overlap, Submission


@dataclass(frozen=True)
class Shared:
    """What a subset shares with that of an earlier submission."""

    other_id: str
    jaccard: float
    exact: bool


def write(
    session: Session, submission: Submission, subset_sha256: str | None, found: Sequence[Shared]
) -> None:
    """Store what was found, and the first other method that stands for the very same subset."""
    by_other = {shared.other_id: shared for shared in found}
    if subset_sha256 is not None and not any(shared.exact for shared in found):
        same = repository.first_with_subset(
            session, subset_sha256, team_id=submission.team_id, method=submission.method
        )
        if same is not None:
            by_other[same] = Shared(same, 1.0, exact=True)
    session.add_all(
        Overlap(submission_id=submission.id, **vars(shared)) for shared in by_other.values()
    )
    session.flush()
