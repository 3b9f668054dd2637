"""What a job sets in motion, by its kind, when it has failed for good by nobody's fault.

It happens in the transaction that ends the job. What was charged for the job itself is refunded
for every kind.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_server.jobs.models import Job

Lapse = Callable[[Session, Job, datetime], None]


def lapses() -> Mapping[str, Lapse]:
    """What follows, of the kinds that anything follows of."""
    from datacomp_server.submissions.rechecking import give_back

    return {"check": give_back}
