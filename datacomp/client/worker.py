"""What a worker asks of a service: leases, their files and logs, and how they end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import httpx
from pydantic import Field, TypeAdapter, ValidationError

from datacomp.client.connection import Connection, json_object
from datacomp.client.errors import RefusedError, UnauthorisedError
from datacomp.client.uploads import upload_file
from datacomp.errors import ServiceError

_TRANSIENT = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS)
USUAL_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 10, 600

T = TypeVar("T")
# What becomes the name of a folder or a file here is a name, whoever sent it.
_Ulid = Annotated[str, Field(pattern=r"^[0-9A-Z]{26}$")]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,60}$")]
_Role = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,19}$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Seconds = Annotated[int, Field(ge=1, le=7 * 24 * 3600)]


class LeaseLostError(ServiceError):
    """The job is in other hands, or has ended: nothing that is done for it counts any more."""


@dataclass(frozen=True)
class Input:
    """A file that a job works on; `size` in bytes."""

    sha256: _Sha256
    size: _Count


@dataclass(frozen=True)
class Lease:
    """A job in this worker's hands; `inputs` are its files by role."""

    lease_id: _Ulid
    lease_seconds: _Seconds
    beat_seconds: _Seconds
    max_log_bytes: _Count
    job_id: _Ulid
    kind: _Name
    resource: _Name
    pool_id: Annotated[str, Field(max_length=200)] | None
    submission_id: _Ulid | None
    attempt: _Count
    max_attempts: _Count
    params: dict[str, Any]
    inputs: Annotated[dict[_Role, Input], Field(max_length=20)]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Lease":
        """From the service's answer, or `as_json`; `ServiceError` if it is no lease."""
        try:
            return _leases().validate_python(dict(value))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(ascii, first["loc"]))
            raise ServiceError(f"what was answered is no lease: {where}: {first['msg']}") from None

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


@cache
def _leases() -> TypeAdapter[Lease]:
    return TypeAdapter(Lease)


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
            return Idle(_wait(answer.headers.get("Retry-After", "")))
        return Lease.of(json_object(answer))

    def beat(self, lease_id: str, progress: Mapping[str, Any] | None) -> bool:
        """Say that the job is worked on; whether to stop it."""
        with _lease():
            answer = self._connection.read(
                "beat_lease", lease_id=lease_id, json={"progress": progress}
            )
        return _told(answer, "cancel", bool)

    def log(self, lease_id: str, offset: int, data: bytes) -> int:
        """Write a piece of the log at a byte offset; the offset of the next one."""
        with _lease():
            answer = self._connection.call(
                "append_log", lease_id=lease_id, offset=offset, content=data
            )
        return max(0, _told(json_object(answer), "next_offset", int))

    def fetch(self, lease_id: str, role: str, path: Path, size: int) -> None:
        """Write an input of `size` bytes to `path`, after what is there of it already.

        Of a longer answer one byte more is written: enough to know that it is another file.
        """
        start = path.stat().st_size if path.exists() else 0
        if start == size:
            return
        byte_range = f"bytes={start}-" if 0 < start < size else None
        asked = {"lease_id": lease_id, "role": role, "byte_range": byte_range}
        try:
            with _lease(), self._connection.stream("get_input", **asked) as answer:
                goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
                left = size + 1 - (start if goes_on else 0)
                with path.open("ab" if goes_on else "wb") as file:
                    for piece in answer.iter_raw():
                        left -= file.write(piece[:left])
                        if left <= 0:
                            return
        except httpx.TransportError as error:
            raise ServiceError(
                f"input {role!r} broke off: {error or type(error).__name__}"
            ) from error

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
        return _told(answer, "status", str)

    def register_key(self, worker: str, public_key: str, proof: str) -> str:
        """Register the key of a worker that has asked for jobs; its id, the same each time."""
        body = {"worker": worker, "public_key": public_key, "proof": proof}
        return _told(self._connection.read("register_worker_key", json=body), "id", str)


@contextmanager
def _lease() -> Iterator[None]:
    """A refusal that says that the lease does not hold becomes `LeaseLostError`."""
    try:
        yield
    except RefusedError as error:
        if error.code == "lease_lost" or error.status == httpx.codes.NOT_FOUND:
            raise LeaseLostError(str(error)) from error
        raise


def _told(answer: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = answer.get(name)
    if type(value) is not kind:
        raise ServiceError(f"the service answered without {name!r}, or not with a {kind.__name__}")
    return value


def _wait(asked: str) -> int:
    """Seconds until the next question, from a Retry-After header."""
    seconds = int(asked[:9]) if asked.isascii() and asked.isdecimal() else USUAL_WAIT_SECONDS
    return min(max(1, seconds), LONGEST_WAIT_SECONDS)
