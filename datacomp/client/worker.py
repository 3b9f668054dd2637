"""What a worker asks of a service: leases, their files and logs, and how they end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from datacomp.client.connection import Connection, json_object
from datacomp.client.errors import RefusedError, UnauthorisedError
from datacomp.client.uploads import upload_file
from datacomp.errors import ServiceError

_TRANSIENT = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS)


class LeaseLostError(ServiceError):
    """The job is in other hands, or has ended: nothing that is done for it counts any more."""


@dataclass(frozen=True)
class Lease:
    """A job in this worker's hands; `inputs` has sha256 and size (bytes) of its files by role."""

    lease_id: str
    lease_seconds: int
    beat_seconds: int
    max_log_bytes: int
    job_id: str
    kind: str
    resource: str
    pool_id: str | None
    submission_id: str | None
    attempt: int
    max_attempts: int
    params: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Lease":
        """From the service's answer, or `as_json`."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Idle:
    """There is no job for this worker; ask again after `seconds`."""

    seconds: int


@dataclass(frozen=True)
class Advert:
    """What a worker says of itself: its name, scales and pools that it can do, and facts."""

    name: str
    classes: Sequence[str]
    pools: Sequence[str]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Finish:
    """How a lease ended. `released`: the worker gives the job back as it got it."""

    outcome: Literal["succeeded", "failed", "released"]
    fault: Literal["user", "infrastructure"] | None = None
    detail: str | None = None
    outputs: Sequence[Mapping[str, Any]] = ()

    def as_json(self) -> dict[str, Any]:
        """The body of the request; what is not said is left out."""
        said: dict[str, Any] = {"outcome": self.outcome}
        if self.fault:
            said["fault"] = self.fault
        if self.detail:
            said["detail"] = self.detail
        if self.outputs:
            said["outputs"] = [dict(one) for one in self.outputs]
        return said


def is_transient(error: ServiceError) -> bool:
    """Whether the same call may succeed later: no answer, a failure, too many requests."""
    if isinstance(error, RefusedError):
        return error.status in _TRANSIENT
    return not isinstance(error, UnauthorisedError | LeaseLostError)


class WorkerClient:
    """Calls of one worker. Each raises `ServiceError`; those of a lease `LeaseLostError`, too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, advert: Advert) -> Lease | Idle:
        """Ask for a job."""
        answer = self._connection.call("claim_job", json=asdict(advert))
        if answer.status_code == httpx.codes.NO_CONTENT:
            return Idle(int(answer.headers["Retry-After"]))
        return Lease.of(json_object(answer))

    def beat(self, lease_id: str, progress: Mapping[str, Any] | None) -> bool:
        """Say that the job is worked on; whether to stop it."""
        with _lease():
            answer = self._connection.read(
                "beat_lease", lease_id=lease_id, json={"progress": progress}
            )
        return bool(answer["cancel"])

    def log(self, lease_id: str, offset: int, data: bytes) -> int:
        """Write a piece of the log at a byte offset; the offset of the next one."""
        with _lease():
            answer = self._connection.call(
                "append_log", lease_id=lease_id, offset=offset, content=data
            )
        return int(json_object(answer)["next_offset"])

    def fetch(self, lease_id: str, role: str, path: Path) -> None:
        """Write an input to `path`, after what is there of it already."""
        start = path.stat().st_size if path.exists() else 0
        try:
            with (
                _lease(),
                self._connection.stream(
                    "get_input",
                    lease_id=lease_id,
                    role=role,
                    byte_range=f"bytes={start}-" if start else None,
                ) as answer,
            ):
                whole = answer.status_code != httpx.codes.PARTIAL_CONTENT
                with path.open("wb" if whole else "ab") as file:
                    for piece in answer.iter_bytes():
                        file.write(piece)
        except httpx.TransportError as error:
            raise ServiceError(
                f"input {role!r} broke off: {error or type(error).__name__}"
            ) from error
        except RefusedError as error:
            if error.status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise

    def upload(
        self, lease_id: str, path: Path, sha256: str, pause: Callable[[float], None]
    ) -> None:
        """Send a file, from where an earlier call was cut; `pause` waits before another try."""
        with _lease():
            upload_file(self._connection, path, sha256=sha256, lease_id=lease_id, pause=pause)

    def finish(self, lease_id: str, finish: Finish) -> str:
        """End the lease; what became of the job: `queued` if it will be tried again."""
        with _lease():
            answer = self._connection.read("finish_lease", lease_id=lease_id, json=finish.as_json())
        return str(answer["status"])

    def register_key(self, worker: str, public_key: str, proof: str) -> str:
        """Register the key of a worker that has asked for jobs; its id, the same each time."""
        body = {"worker": worker, "public_key": public_key, "proof": proof}
        return str(self._connection.read("register_worker_key", json=body)["id"])


@contextmanager
def _lease() -> Iterator[None]:
    """A refusal that says that the lease does not hold becomes `LeaseLostError`."""
    try:
        yield
    except RefusedError as error:
        if error.code == "lease_lost" or error.status == httpx.codes.NOT_FOUND:
            raise LeaseLostError(str(error)) from error
        raise
