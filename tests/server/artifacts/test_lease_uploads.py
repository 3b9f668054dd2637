"""Workers' uploads: under a live lease of their own, counted by job, read back by its team."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from datacomp_server.identity.service import create_worker_token
from datacomp_server.jobs import service as jobs

BYTES = {"Content-Type": "application/octet-stream"}

DATA = b"weights " * 50
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Clock:
    """Stands until it is moved."""

    moment: datetime = datetime(2026, 11, 22, tzinfo=UTC)

    def __call__(self):
        return self.moment


class Worker:
    """A worker that has leased a job, if there is one."""

    def __init__(self, service, name):
        self.http = service.http
        with service.context.database.writing() as session:
            token = create_worker_token(session, name, moment=service.context.clock())
        self.headers = {"Authorization": f"Bearer {token}"}
        body = {"name": name, "classes": ["tiny"]}
        asked = self.http.post("/api/v1/worker/leases", json=body, headers=self.headers)
        self.lease = asked.json()["lease_id"] if asked.status_code == 200 else None

    def declare(self, lease_id=None, data=DATA):
        declared = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        lease = {} if lease_id == "" else {"lease_id": lease_id or self.lease}
        return self.http.post("/api/v1/uploads", json=declared | lease, headers=self.headers)

    def send(self, upload_id, data=DATA):
        headers = {**self.headers, "Upload-Offset": "0", **BYTES}
        return self.http.patch(f"/api/v1/uploads/{upload_id}", content=data, headers=headers)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def service(make_service, clock):
    service = make_service(clock=clock, job_quota_bytes=1_024)
    with service.context.database.writing() as session:
        jobs.enqueue(
            session,
            kind="train",
            submission=None,
            resource="tiny",
            pool_id=None,
            params={},
            expected_seconds=60,
            moment=clock(),
            charge_to=None,
            by="test",
        )
    return service


def test_a_worker_uploads_for_its_job(service):
    worker = Worker(service, "w1")

    declared = worker.declare()
    answer = worker.send(declared.json()["id"])

    assert (declared.status_code, answer.status_code) == (201, 200)
    assert answer.json()["complete"]
    assert worker.declare().status_code == 200
    done = worker.http.post(
        f"/api/v1/worker/leases/{worker.lease}/finish",
        json={"outcome": "succeeded", "outputs": [{"role": "checkpoint", "sha256": SHA256}]},
        headers=worker.headers,
    )
    assert done.status_code == 200, done.text


def test_a_job_has_its_quota(service):
    worker = Worker(service, "w1")

    assert worker.declare(data=b"a" * 1_000).status_code == 201
    refused = worker.declare(data=b"b" * 1_000)
    assert (refused.status_code, refused.json()["error"]) == (422, "quota_exceeded")


def test_a_job_that_is_given_back_and_claimed_again_has_no_more(service):
    worker = Worker(service, "w1")
    worker.send(worker.declare().json()["id"])
    released = worker.http.post(
        f"/api/v1/worker/leases/{worker.lease}/finish",
        json={"outcome": "released"},
        headers=worker.headers,
    )
    again = Worker(service, "w2")

    assert (released.status_code, again.lease is None) == (200, False)
    refused = again.declare(data=b"b" * 1_000)
    assert (refused.status_code, refused.json()["error"]) == (422, "quota_exceeded")


def test_a_lease_that_has_ended_takes_nothing(service, clock):
    worker = Worker(service, "w1")
    upload = worker.declare().json()["id"]
    clock.moment += timedelta(days=1)

    for answer in (worker.declare(), worker.send(upload)):
        assert (answer.status_code, answer.json()["error"]) == (409, "lease_lost")


def test_nobody_elses_lease_or_upload(service):
    worker, other = Worker(service, "w1"), Worker(service, "w2")
    upload = worker.declare().json()["id"]

    assert other.declare(lease_id=worker.lease).status_code == 404
    assert other.send(upload).status_code == 404
    headers = {**service.auth(), "Upload-Offset": "0", **BYTES}
    answer = service.http.patch(f"/api/v1/uploads/{upload}", content=DATA, headers=headers)
    assert answer.status_code == 404


def test_a_worker_without_a_lease_and_a_team_with_one(service):
    worker = Worker(service, "w1")
    assert worker.declare(lease_id="").json()["error"] == "bad_owner"

    body = {"sha256": SHA256, "size": 5, "lease_id": worker.lease}
    answer = service.http.post("/api/v1/uploads", json=body, headers=service.auth())
    assert answer.json()["error"] == "bad_owner"


def test_artifacts_are_not_for_workers(service):
    answer = service.http.get(f"/api/v1/artifacts/{SHA256}", headers=Worker(service, "w1").headers)
    assert answer.status_code == 403
