"""What goes over the wire between workers and the service, and what anybody sees of a job."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from datacomp.submission.text import printable

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_.@-]+$")]
Shown = Annotated[str, AfterValidator(printable)]
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
    pools: list[Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]] = Field(
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

    stage: Shown | None = Field(default=None, max_length=60, description="E.g. training.")
    done: float | None = Field(default=None, ge=0, le=1e15)
    total: float | None = Field(default=None, gt=0, le=1e15)
    unit: Shown | None = Field(default=None, max_length=20, description="E.g. samples.")


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
    """The end of a lease. A fault is named if and only if the job failed.

    A worker that stops releases its job: it waits again, and this attempt does not count.
    """

    outcome: Literal["succeeded", "failed", "released"]
    fault: Literal["user", "infrastructure"] | None = None
    detail: str | None = Field(default=None, max_length=MAX_DETAIL_LENGTH)
    outputs: list[OutputIn] = Field(default=[], max_length=20)

    @model_validator(mode="after")
    def _whole(self) -> "FinishIn":
        if (self.outcome == "failed") != (self.fault is not None):
            raise ValueError("a failed job names whose fault it was, a succeeded one does not")
        if self.outcome != "succeeded" and self.outputs:
            raise ValueError("only a job that succeeded has outputs")
        return self


class FinishOut(BaseModel):
    """What became of the job."""

    job_id: str
    status: str = Field(description="queued: it will be tried again.")


class WaitReasonOut(BaseModel):
    """Why a job waits, or how it fares."""

    code: str = Field(description="Stable, e.g. in_line, waits_for_job, no_worker_class.")
    text: str


class SpanOut(BaseModel):
    """Between two moments."""

    earliest: datetime
    latest: datetime


class QueuedJobOut(BaseModel):
    """A job that waits or runs."""

    id: str
    kind: str
    status: str = Field(description="queued, leased or running.")
    resource: str = Field(description="Resource class: a scale, or service.")
    pool_id: str | None
    submission_id: str | None
    team: str | None
    method: str | None
    priority: int
    attempt: int = Field(description="0 before the first.")
    max_attempts: int
    created_at: datetime
    place: int | None = Field(description="1: next of its class. None if a job goes first.")
    of: int | None
    reason: WaitReasonOut
    starts: SpanOut | None = Field(description="When it begins, about; None if nobody can say.")
    ends: SpanOut | None
    worker: str | None
    started_at: datetime | None
    last_beat_at: datetime | None
    progress: dict[str, Any] | None


class WorkerOut(BaseModel):
    """A worker; `here` says whether it was heard of lately enough to count on it."""

    name: str
    classes: list[str]
    pools: list[str]
    seen_at: datetime
    here: bool
    job_id: str | None


class QueueOut(BaseModel):
    """Every job that runs or waits, the latter in the order of the line, and every worker."""

    updated_at: datetime
    running: list[QueuedJobOut]
    waiting: list[QueuedJobOut]
    workers: list[WorkerOut]


class AttemptOut(BaseModel):
    """One lease of a job."""

    attempt: int
    worker: str
    started_at: datetime
    last_beat_at: datetime
    ended_at: datetime | None
    ending: str | None = Field(description="succeeded, failed, expired, cancelled, released.")
    fault: str | None = Field(description="user or infrastructure.")


class JobOutputOut(BaseModel):
    """A file that a job left."""

    role: str
    sha256: str
    facts: dict[str, Any]


class JobOut(BaseModel):
    """A job. `detail` is None where it is its team's alone: after a fault of what was submitted."""

    id: str
    kind: str
    status: str
    resource: str
    pool_id: str | None
    submission_id: str | None
    team: str | None
    method: str | None
    priority: int
    attempt: int
    max_attempts: int
    fault: str | None
    detail: str | None
    cancel_requested: bool
    created_at: datetime
    finished_at: datetime | None
    needs: list[str]
    attempts: list[AttemptOut]
    outputs: list[JobOutputOut]
    queued: QueuedJobOut | None = Field(description="How it stands, while it waits or runs.")


class LogOut(BaseModel):
    """A stretch of an attempt's log. Offsets count bytes; the text has marks for odd ones."""

    attempt: int
    offset: int
    next_offset: int
    cut: bool = Field(description="The attempt wrote more than is kept.")
    ended: bool = Field(description="Nothing more will come.")
    text: str


class VerificationIn(_In):
    """Which level is to be reached, and with which training seeds."""

    level: Literal["re-evaluated", "re-trained", "reproduced"]
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] | None = Field(
        default=None,
        min_length=1,
        max_length=5,
        description="Default: what the level lacks.",
    )


class LeftOut(BaseModel):
    """Worker seconds that a submission's team was granted on its board, and has left."""

    granted: int
    left: int
    granted_in_words: str
    left_in_words: str


class PlanOut(LeftOut):
    """The jobs of a plan, in their order, and what its team paid for them."""

    jobs: list[str]
    kinds: list[str]
    charged: int = Field(description="Worker seconds; 0 for an organiser.")
    charged_in_words: str


class WayOut(BaseModel):
    """What leads to a level: jobs and what a team is charged for them; or why nothing does."""

    level: str
    kinds: list[str]
    costs: int = Field(description="Worker seconds.")
    costs_in_words: str
    refusal: WaitReasonOut | None


class VerificationOut(LeftOut):
    """How far a submission was verified, and what each level that workers lead to takes."""

    id: str
    level: str
    ways: list[WayOut]
