"""A service whose clock the test moves, files to hand in, and hands that hand them in."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from sqlalchemy import func, select

from datacomp.reports import Report
from datacomp.submission.checkpoint_file import Tensor
from datacomp.subset import UID_DTYPE, Subset, write_subset
from datacomp.training import tensors
from datacomp_server.audit.models import Event
from datacomp_server.boards.opening import current_board, set_times
from datacomp_server.context import Context
from datacomp_server.jobs.models import Job
from datacomp_server.jobs.runner import run_one

URL = "/api/v1/submissions"


@dataclass
class Clock:
    """The only time that counts."""

    moment: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_seconds(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass(frozen=True)
class File:
    """Bytes to hand in."""

    role: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def declared(self) -> dict[str, Any]:
        return {"role": self.role, "sha256": self.sha256, "size": len(self.data)}


@dataclass
class Desk:
    """Where submissions are handed in; every call is a request."""

    service: Any
    clock: Clock

    @property
    def context(self) -> Context:
        found: Context = self.service.context
        return found

    def post(self, *files: File, team: str = "Alpha", method: str = "mine", **body: Any) -> Any:
        if isinstance(body.get("report"), Report):
            body["report"] = body["report"].as_json()
        return self.service.http.post(
            URL,
            json={"method": method, "files": [file.declared for file in files], **body},
            headers=self.service.auth(team),
        )

    def get(self, submission_id: str, team: str | None = None) -> dict[str, Any]:
        headers = self.service.auth(team) if team else {}
        found: dict[str, Any] = self.service.http.get(
            f"{URL}/{submission_id}", headers=headers
        ).json()
        return found

    def upload(self, posted: dict[str, Any], file: File, team: str = "Alpha") -> Any:
        (upload,) = [one["upload"] for one in posted["files"] if one["role"] == file.role]
        return self.service.http.patch(
            f"/api/v1/uploads/{upload}",
            content=file.data,
            headers=self.service.auth(team)
            | {"Upload-Offset": "0", "Content-Type": "application/octet-stream"},
        )

    def hand_in(self, *files: File, team: str = "Alpha", **body: Any) -> dict[str, Any]:
        """Post, upload what is asked for, check; the submission as its team sees it."""
        posted = self.post(*files, team=team, **body).json()
        for file in files:
            if any(one["upload"] for one in posted["files"] if one["role"] == file.role):
                assert self.upload(posted, file, team).status_code == 200
        self.check()
        return self.get(posted["id"], team)

    def check(self) -> int:
        """Do the service's jobs; how many there were."""
        done = 0
        while run_one(self.context):
            done += 1
        return done

    def set_times(
        self, *, opens_in: float = 0, closes_in: float | None = None, track: str = "filtering"
    ) -> None:
        """Let the tiny board open and close so many seconds from now."""
        with self.context.database.writing() as session:
            board = current_board(session, track, "tiny")
            assert board is not None
            opens_at = self.clock() + timedelta(seconds=opens_in)
            closes_at = None
            if closes_in is not None:
                closes_at = self.clock() + timedelta(seconds=closes_in)
            set_times(board, opens_at, closes_at)

    def get_jobs(self, submission_id: str) -> list[Job]:
        """Every job of a submission, oldest first."""
        with self.context.database.reading() as session:
            found = session.scalars(select(Job).filter_by(submission_id=submission_id))
            return sorted(found, key=lambda job: (job.created_at, job.id))

    def count_events(self) -> int:
        """How long the audit log is."""
        with self.context.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Event)) or 0

    def withdraw(self, submission_id: str, team: str = "Alpha", **body: Any) -> Any:
        return self.service.http.post(
            f"{URL}/{submission_id}/withdrawal", json=body, headers=self.service.auth(team)
        )


@pytest.fixture
def clock() -> Clock:
    """Stands still until the test moves it."""
    return Clock()


@pytest.fixture
def make_desk(make_service: Callable[..., Any], clock: Clock) -> Callable[..., Desk]:
    """`make_desk(**settings)`: a desk, once on each database."""
    return lambda **settings: Desk(make_service(clock=clock, **settings), clock)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk with the default settings."""
    return make_desk()


@pytest.fixture(scope="session")
def make_file() -> type[File]:
    """`make_file(role, data)`: bytes to hand in."""
    return File


@pytest.fixture
def run(
    make_subset: Callable[..., Any], of_subset: Callable[..., Report], checkpoint: File
) -> tuple[Report, File, File]:
    """Report, subset file and weights of one run."""
    file, subset = make_subset(range(100))
    return of_subset(subset, checkpoint_sha256=checkpoint.sha256), file, checkpoint


@pytest.fixture
def make_subset(tmp_path: Path) -> Callable[..., tuple[File, Subset]]:
    """`make_subset(numbers)`: a subset file of these uids, and the subset."""

    def make(numbers: Any) -> tuple[File, Subset]:
        uids = np.zeros(len(list(numbers)), UID_DTYPE)
        uids["f1"] = sorted(numbers)
        subset, path = Subset(uids), tmp_path / "subset.npy"
        write_subset(subset, path, {})
        return File("subset", path.read_bytes()), subset

    return make


@pytest.fixture
def of_subset(make_report: Callable[..., Report]) -> Callable[..., Report]:
    """`of_subset(subset, **provenance)`: a report of a run on that subset."""

    def make(subset: Subset, **provenance: Any) -> Report:
        facts = {"sha256": subset.sha256, "n": subset.n, "n_unique": subset.n_unique}
        return make_report(subset=facts, **provenance)

    return make


@pytest.fixture
def checkpoint(monkeypatch: pytest.MonkeyPatch) -> File:
    """Weights in a safetensors file, those of every recipe here: real ones have 32 MB."""
    monkeypatch.setattr(tensors, "recipe_tensors", lambda _: {"w": Tensor("F32", (6,))})
    return File("checkpoint", save({"w": np.arange(6, dtype=np.float32)}))
