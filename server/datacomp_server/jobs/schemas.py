"""What goes over the wire between workers and the service, and what anybody sees of a job."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_.@-]+$")]
ROLE = "^[a-z][a-z0-9_]{0,19}$"
Role = Annotated[str, Field(pattern=ROLE)]
UlidOfPath = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_Facts = Annotated[dict[str, Any], Field(max_length=50)]
MAX_DETAIL_LENGTH = 4000


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LeaseIn(_In):
    """A worker asks for a job."""

    name: Name = Field(description="What the worker is called; the same after each restart.")
    classes: list[Name] = Field(min_length=1, max_length=20, description="Scales it can do.")
    pools: list[Annotated[str, Field(max_length=200)]] = Field(
        default=[], max_length=200, description="Ids of the pools that it has."
    )
    facts: _Facts = Field(default={}, description="Versions, device, cores: for people.")


class InputOut(BaseModel):
    """A file that a job works on."""

    sha256: str
    size: int = Field(description="Bytes.")


class LeaseOut(BaseModel):
    """A job in a worker's hands."""

    lease_id: str
    lease_until: datetime
    lease_seconds: int
    beat_seconds: int = Field(description="How often to beat.")
    max_log_bytes: int
    job_id: str
    kind: str
    resource: str
    pool_id: str | None
    submission_id: str | None
    attempt: int
    max_attempts: int
    params: dict[str, Any]
    inputs: dict[str, InputOut] = Field(description="By role; fetch them from inputs/{role}.")


class ProgressIn(_In):
    """How far a job is; shown to everybody."""

    stage: str | None = Field(default=None, max_length=60, description="E.g. training.")
    done: float | None = Field(default=None, ge=0, le=1e15)
    total: float | None = Field(default=None, gt=0, le=1e15)
    unit: str | None = Field(default=None, max_length=20, description="E.g. samples.")


class BeatIn(_In):
    """A sign of life."""

    progress: ProgressIn | None = None


class BeatOut(BaseModel):
    """What a worker is told when it beats."""

    cancel: bool = Field(description="Stop the job, then finish it.")
    lease_until: datetime


class LogOffsetOut(BaseModel):
    """Where the log goes on."""

    next_offset: int


class OutputIn(_In):
    """A file that the job made and that has been uploaded."""

    role: Role
    sha256: Sha256
    facts: _Facts = {}


class FinishIn(_In):
    """The end of a lease. A fault is named if and only if the job failed."""

    outcome: Literal["succeeded", "failed"]
    fault: Literal["user", "infrastructure"] | None = None
    detail: str | None = Field(default=None, max_length=MAX_DETAIL_LENGTH)
    outputs: list[OutputIn] = Field(default=[], max_length=20)

    @model_validator(mode="after")
    def _whole(self) -> "FinishIn":
        if (self.outcome == "failed") != (self.fault is not None):
            raise ValueError("a failed job names whose fault it was, a succeeded one does not")
        if self.outcome == "failed" and self.outputs:
            raise ValueError("a failed job has no outputs")
        return self


class FinishOut(BaseModel):
    """What became of the job."""

    job_id: str
    status: str = Field(description="queued: it will be tried again.")
