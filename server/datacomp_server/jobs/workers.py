"""Workers: who asks for jobs, what they can do, and which leases are theirs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.identity import repository as identity
from datacomp_server.jobs import repository
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.models import SERVICE, Worker
from datacomp_server.kit.errors import Conflict, NotFound, Refused

MAX_WORKERS_OF_A_TOKEN = 100


@dataclass(frozen=True)
class Advert:
    """What a worker says of itself when it asks."""

    name: str
    classes: tuple[str, ...]
    pools: tuple[str, ...]
    facts: dict[str, Any]


def seen(session: Session, token_id: str, advert: Advert, *, moment: datetime) -> Asker:
    """Note that a worker was here, and what it can do now.

    `Conflict` (worker_name_taken) if the name is that of a worker with another good token;
    `Refused` if it asks for the service's own jobs (class_of_the_service), or is one name too many
    with this token (too_many_workers).
    """
    if SERVICE in advert.classes:
        raise Refused(f"{SERVICE!r} jobs are the service's own", code="class_of_the_service")
    worker = repository.worker_by_name(session, advert.name)
    if worker is None:
        if repository.n_workers_of(session, token_id) >= MAX_WORKERS_OF_A_TOKEN:
            raise Refused(
                f"{MAX_WORKERS_OF_A_TOKEN} workers have used this token. Call this one as before, "
                "or give it a token of its own.",
                code="too_many_workers",
            )
        worker = Worker(name=advert.name, created_at=moment)
        session.add(worker)
    elif worker.token_id != token_id and _is_good(session, worker.token_id, moment):
        raise Conflict(
            f"another worker is called {advert.name!r}, with another token. Choose another name, "
            "or revoke that worker's token.",
            code="worker_name_taken",
        )
    worker.token_id, worker.last_seen_at = token_id, moment
    worker.classes, worker.pools = list(advert.classes), list(advert.pools)
    worker.facts = advert.facts
    return Asker(advert.name, advert.classes, advert.pools)


def own_lease(session: Session, token_id: str, lease_id: str) -> str:
    """The id of a lease of this token's workers; `NotFound` in the words of there being none."""
    attempt = repository.attempt(session, lease_id)
    worker = repository.worker_by_name(session, attempt.worker) if attempt else None
    if worker is None or worker.token_id != token_id:
        raise NotFound("there is no such lease")
    return lease_id


def _is_good(session: Session, token_id: str, moment: datetime) -> bool:
    token = identity.token_by_id(session, token_id)
    if token is None or token.revoked_at is not None:
        return False
    return token.expires_at is None or token.expires_at > moment
