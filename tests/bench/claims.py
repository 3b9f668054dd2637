"""The queue: claims of jobs out of a line of five thousand."""

from collections.abc import Callable, Iterator
from pathlib import Path

from bench import Bench
from sqlalchemy import update

from datacomp_server import Settings
from datacomp_server.context import Context, open_context
from datacomp_server.jobs import lease, service
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.models import Job
from datacomp_server.jobs.policy import Policy

WAITING = 5000
CLAIMS = 100


def benches(folder: Path) -> Iterator[Bench]:
    """The limit is as many transactions that change one row by its key."""
    context = open_context(Settings(data_dir=folder))
    with context.database.writing() as session:
        for _ in range(WAITING):
            service.enqueue(
                session,
                kind="train",
                submission=None,
                resource="tiny",
                pool_id=None,
                params={},
                expected_seconds=60,
                by="bench",
                moment=context.clock(),
                charge_to=None,
            )
        session.flush()
        job_id = session.query(Job.id).first()[0]
    yield Bench(
        f"{CLAIMS} claims, {WAITING:,} waiting",
        "as many UPDATEs by key",
        _claims(context),
        _updates(context, job_id),
    )
    context.database.close()


def _claims(context: Context) -> Callable[[], object]:
    policy, asker = Policy.of(context.settings), Asker("bench", ("tiny",), ())

    def claim_all() -> None:
        for _ in range(CLAIMS):
            with context.database.writing() as session:
                assert lease.claim(session, policy, asker, moment=context.clock())

    return claim_all


def _updates(context: Context, job_id: str) -> Callable[[], object]:
    statement = update(Job).where(Job.id == job_id).values(priority=1)

    def update_all() -> None:
        for _ in range(CLAIMS):
            with context.database.writing() as session:
                session.execute(statement)

    return update_all
