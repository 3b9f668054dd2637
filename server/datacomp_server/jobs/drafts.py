"""Jobs that are not in the line yet: what they are, what they cost, which ones they wait for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.boards.models import Board
from datacomp_server.jobs import service
from datacomp_server.jobs.inputs import of_file, of_job
from datacomp_server.jobs.models import SERVICE, Job
from datacomp_server.submissions.models import Submission


@dataclass(frozen=True, eq=False)
class Left:
    """What a job leaves in a role: one that is in the line, or a draft."""

    maker: "Job | Draft"
    role: str


@dataclass(frozen=True, eq=False)
class Draft:
    """A job as it would be. `inputs` are by role: the sha256 of a file, or what another job leaves.

    It waits for each of those jobs. `seconds` are what it is expected to take.
    """

    kind: str
    resource: str
    pool_id: str | None
    params: Mapping[str, Any]
    inputs: Mapping[str, str | Left]
    seconds: int

    @property
    def charged_seconds(self) -> int:
        """What a team pays for it: the service's own jobs are free."""
        return 0 if self.resource == SERVICE else self.seconds


def enqueue(
    session: Session,
    submission: Submission,
    drafts: Sequence[Draft],
    *,
    by: str,
    moment: datetime,
    charge_to: Board | None,
) -> list[Job]:
    """Put drafts in the line, makers first; `Refused` (budget_spent) if the team cannot pay all."""
    made: dict[Draft, Job] = {}
    for draft in drafts:
        inputs, needs = {}, []
        for role, source in draft.inputs.items():
            if isinstance(source, Left):
                maker = made[source.maker] if isinstance(source.maker, Draft) else source.maker
                inputs[role] = of_job(maker, source.role)
                needs += [maker] if maker not in needs else []
            else:
                inputs[role] = of_file(source)
        made[draft] = service.enqueue(
            session,
            kind=draft.kind,
            submission=submission,
            resource=draft.resource,
            pool_id=draft.pool_id,
            params={**draft.params, "inputs": inputs},
            needs=needs,
            expected_seconds=draft.seconds,
            by=by,
            moment=moment,
            charge_to=charge_to if draft.charged_seconds else None,
        )
    return list(made.values())
