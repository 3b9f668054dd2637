"""What the subsets of a board's rows share, from the sketches that the service keeps."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp.submission.sketch import Sketch
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.subset_overlap import Shared, shared
from datacomp_server.submissions.models import SubsetSketch

_BATCH = 500


def sketches_of(session: Session, rows: Sequence[Row]) -> dict[str, Sketch]:
    """The sketch of each row's newest subset that the service has seen, by row id."""
    ids = {one: row.id for row in rows for one in row.submissions}
    found: dict[str, Sketch] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        statement = select(SubsetSketch).where(SubsetSketch.submission_id.in_(some))
        for one in session.scalars(statement.order_by(SubsetSketch.submission_id)):
            found[ids[one.submission_id]] = Sketch.from_bytes(one.n_unique, one.hashes)
    return found


def pairs(session: Session, rows: Sequence[Row]) -> dict[tuple[str, str], Shared]:
    """What any two of a few rows share, earlier one first; those of one pool, both seen."""
    found = sketches_of(session, rows)
    return {
        (a.id, b.id): shared(found[a.id], found[b.id])
        for i, a in enumerate(rows)
        for b in rows[i + 1 :]
        if a.id in found and b.id in found and a.pool_id == b.pool_id
    }
