"""Subsets that share much: exactly the same ones, and near-duplicates by their sketches."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy.orm import Session

from datacomp.submission.sketch import Sketch, jaccard
from datacomp.subset.combining import shared_uids
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.kit.db import add_rows
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Overlap, Submission, SubmissionFile, SubsetSketch

NEAR = 0.5
"""The Jaccard index from which an overlap is worth a line."""
MOST_COMPARED_BYTES = 2**30
"""Files up to this size are compared uid by uid, larger ones by their sketches alone."""
_MEMORY = 64 * 2**20


@dataclass(frozen=True)
class Shared:
    """What a subset shares with that of an earlier submission."""

    other_id: str
    jaccard: float
    exact: bool


def find(
    session: Session, store: ArtifactStore, submission: Submission, subset: SubsetSketch
) -> list[Shared]:
    """Every earlier subset of the same pool that shares at least `NEAR` with this one.

    The team's own of the same method, its other seeds, are left out. Of several submissions of
    one subset the first stands for all. Reads files: not for a writing
    session.
    """
    sketch = Sketch.from_bytes(subset.n_unique, subset.hashes)
    earlier: dict[str, SubsetSketch] = {}
    for other in repository.sketches(
        session,
        submission,
        smallest=sketch.n_unique * NEAR,
        largest=sketch.n_unique / NEAR,
    ):
        earlier.setdefault(other.subset_sha256, other)
    found = []
    for other in earlier.values():
        if other.subset_sha256 == subset.subset_sha256:
            found.append(Shared(other.submission_id, 1.0, exact=True))
        elif jaccard(sketch, Sketch.from_bytes(other.n_unique, other.hashes)) >= NEAR:
            found.append(_compared(session, store, subset, other))
    return found


def write(
    session: Session, submission: Submission, subset_sha256: str | None, found: Sequence[Shared]
) -> list[Overlap]:
    """Store what was found, and the first other method that stands for the very same subset."""
    by_other = {shared.other_id: shared for shared in found}
    if subset_sha256 is not None and not any(shared.exact for shared in found):
        same = repository.first_with_subset(
            session, subset_sha256, team_id=submission.team_id, method=submission.method
        )
        if same is not None:
            by_other[same] = Shared(same, 1.0, exact=True)
    rows = [Overlap(submission_id=submission.id, **vars(shared)) for shared in by_other.values()]
    add_rows(session, *rows)
    return rows


def _compared(
    session: Session, store: ArtifactStore, subset: SubsetSketch, other: SubsetSketch
) -> Shared:
    estimate = jaccard(*(Sketch.from_bytes(s.n_unique, s.hashes) for s in (subset, other)))
    files = [_file(session, one.submission_id) for one in (subset, other)]
    if all(file is not None and file.size <= MOST_COMPARED_BYTES for file in files):
        with ExitStack() as stack:
            a, b = (stack.enter_context(store.local(file.sha256)) for file in files if file)
            both = shared_uids(a, b, _MEMORY)
        estimate = both / (subset.n_unique + other.n_unique - both)
    return Shared(other.submission_id, estimate, exact=False)


def _file(session: Session, submission_id: str) -> SubmissionFile | None:
    return session.get(SubmissionFile, (submission_id, "subset"))
