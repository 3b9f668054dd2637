"""A queue on a fresh database with a clock that stands still until a test moves it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datacomp_server import Settings
from datacomp_server.artifacts.models import Artifact, Upload
from datacomp_server.boards.opening import find_board, suite_sha256
from datacomp_server.budgets import service as budgets
from datacomp_server.context import Context, open_context
from datacomp_server.identity.models import Team
from datacomp_server.identity.service import create_worker_token
from datacomp_server.jobs import lease, repository, service
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.lease import Finish, Lease
from datacomp_server.jobs.models import Job, JobAttempt
from datacomp_server.jobs.outcomes import Output
from datacomp_server.jobs.policy import Policy
from datacomp_server.submissions import intake
from datacomp_server.submissions.models import Submission


@dataclass
class Clock:
    """The only time that counts."""

    moment: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_seconds(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Queue:
    """The queue's functions, each in a transaction of its own, at the clock's moment."""

    context: Context
    clock: Clock
    service: Any = None
    worker_tokens: dict[str, str] = field(default_factory=dict)

    @property
    def http(self) -> Any:
        return self.service.http

    @property
    def policy(self) -> Policy:
        return Policy.of(self.context.settings)

    def add(
        self,
        kind: str = "train",
        resource: str = "tiny",
        *,
        needs: tuple[str, ...] = (),
        submission: str | None = None,
        charged: bool = False,
        team_id: str | None = None,
        **values: Any,
    ) -> str:
        with self.context.database.writing() as session:
            found = session.get(Submission, submission) if submission else None
            job = service.enqueue(
                session,
                kind=kind,
                submission=found,
                resource=resource,
                needs=[service.get(session, need) for need in needs],
                moment=self.clock(),
                charge_to=found.board if found and charged else None,
                by="test",
                **{"pool_id": None, "params": {}, "expected_seconds": 60} | values,
            )
            job.team_id = job.team_id or team_id
            return job.id

    def add_submission(self) -> tuple[str, str]:
        """A submission of Alpha that waits for its check, and the check; both by id."""
        with self.context.database.writing() as session:
            team = Team(name="Alpha", key="alpha")
            session.add_all([team, Artifact(sha256="d" * 64, size=1)])
            session.flush()
            board = find_board(session, "filtering", "tiny", suite_sha256("tiny"))
            assert board is not None
            made = Submission(
                team_id=team.id,
                board_id=board.id,
                kind="report",
                method="mine",
                oracle=False,
                attempt=1,
                manifest_sha256="d" * 64,
                report_sha256="d" * 64,
                pool_id="p",
                seed=0,
                validator="v",
                files_until=self.clock(),
            )
            session.add(made)
            session.flush()
            whose = {"team_id": team.id, "board_id": board.id, "submission_id": made.id}
            spent = {"unit": "submissions", "amount": 1, "by": "test", "moment": self.clock()}
            budgets.charge(session, **whose, **spent)
            check = intake.check_if_whole(session, made, [], by="test", moment=self.clock())
            assert check is not None
            return made.id, check.id

    def claim(
        self, worker: str = "w1", classes: tuple[str, ...] = ("tiny",), pools: tuple[str, ...] = ()
    ) -> Lease | None:
        asker = Asker(worker, classes, pools)
        with self.context.database.writing() as session:
            return lease.claim(session, self.policy, asker, moment=self.clock())

    def beat(self, lease_id: str, **progress: Any) -> lease.Beat:
        with self.context.database.writing() as session:
            return lease.beat(session, self.policy, lease_id, progress, moment=self.clock())

    def finish(
        self,
        lease_id: str,
        fault: Any = None,
        *,
        outputs: dict[str, str] | None = None,
        hooks: Any = None,
        released: bool = False,
    ) -> Job:
        left = [Output(role, sha256) for role, sha256 in (outputs or {}).items()]
        said = Finish(fault, "because" if fault else None, left, released)
        with self.context.database.writing() as session:
            return lease.finish(
                session, self.context, lease_id, said, moment=self.clock(), hooks=hooks or {}
            )

    def cancel(self, job_id: str, by: str = "team:Alpha") -> Job:
        with self.context.database.writing() as session:
            return service.cancel(session, service.get(session, job_id), by, self.clock())

    def expire(self) -> None:
        with self.context.database.writing() as session:
            lease.expire(session, self.policy, moment=self.clock())

    def job(self, job_id: str) -> Job:
        with self.context.database.reading() as session:
            return service.get(session, job_id)

    def attempts(self, job_id: str) -> list[JobAttempt]:
        with self.context.database.reading() as session:
            return list(repository.attempts(session, [job_id]))

    def artifact(self, content: bytes = b"content", *, lease_id: str | None = None) -> str:
        """A whole artifact, uploaded under a lease if one is given."""
        sha256 = self.context.artifacts.put_bytes(content)
        with self.context.database.writing() as session:
            if session.get(Artifact, sha256) is None:
                session.add(Artifact(sha256=sha256, size=len(content)))
            if lease_id is not None:
                whole = {"size": len(content), "received": len(content)}
                moments = {"expires_at": self.clock(), "completed_at": self.clock()}
                session.add(Upload(lease_id=lease_id, sha256=sha256, **whole, **moments))
        return sha256

    def auth(self, token_name: str = "machine") -> dict[str, str]:
        """The header of a worker's token."""
        if token_name not in self.worker_tokens:
            with self.context.database.writing() as session:
                made = create_worker_token(session, token_name, moment=self.clock())
            self.worker_tokens[token_name] = made
        return {"Authorization": f"Bearer {self.worker_tokens[token_name]}"}


@pytest.fixture
def queue(make_database_url: Callable[..., str], tmp_path: Path) -> Iterator[Queue]:
    """A queue with the default settings: leases of 300 s, 30 s before a retry. Without routes."""
    clock = Clock()
    settings = Settings(data_dir=tmp_path, database_url=make_database_url())
    context = open_context(settings, clock=clock)
    yield Queue(context, clock)
    context.close()


@pytest.fixture
def web(make_service: Callable[..., Any]) -> Queue:
    """The same, and `http` for its routes."""
    clock = Clock()
    service = make_service(clock=clock)
    return Queue(service.context, clock, service)


@pytest.fixture
def team(queue: Queue) -> Callable[[str], str]:
    """`team(name)`: the id of a team."""

    def make(name: str) -> str:
        with queue.context.database.writing() as session:
            made = Team(name=name, key=name.lower())
            session.add(made)
            session.flush()
            return made.id

    return make
