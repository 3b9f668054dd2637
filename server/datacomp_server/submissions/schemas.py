"""What goes out over the API; what comes in is `datacomp.submission.manifest`."""

from datetime import datetime

from pydantic import BaseModel, Field

from datacomp_server.submissions.states import State


class EstimateOut(BaseModel):
    """A number with one standard error; null where it is not known."""

    value: float | None
    stderr: float | None


class FileOut(BaseModel):
    """A file that a submission consists of."""

    role: str
    sha256: str
    size: int = Field(description="Bytes.")
    upload: str | None = Field(
        default=None, description="To its team, when it hands in: the upload that waits for it."
    )


class ReasonOut(BaseModel):
    """Why a submission was refused. The sentence is for its team and the organisers alone."""

    code: str
    message: str | None = None


class NoticeOut(BaseModel):
    """What keeps a submission from going on."""

    code: str = Field(description="check_failed, check_cancelled, budget_spent, not_trained.")
    text: str
    command: str = Field(description="What its team may do then, as a command line.")


class OverlapOut(BaseModel):
    """An earlier submission whose subset is nearly the same, or exactly."""

    submission: str
    jaccard: float
    exact: bool = Field(description="The same uids, each as often.")


class MarkOut(BaseModel):
    """What was said of a submission later."""

    kind: str
    reason: str | None
    created_at: datetime


class SubmissionOut(BaseModel):
    """A submission as everybody may see it; its numbers are the team's own where it has any."""

    id: str
    page: str = Field(description="Path of its page, from the service's address.")
    team: str
    track: str
    kind: str
    method: str
    description: str | None
    state: State
    findings: list[ReasonOut]
    notice: NoticeOut | None = Field(description="What keeps it from going on, if anything.")
    attempt: int = Field(description="1, 2, ...: of this team on this board.")
    oracle: bool = Field(description="Whether its subset was chosen with the pool's truth.")
    scale: str
    suite: str
    seed: int
    average: EstimateOut
    groups: dict[str, EstimateOut]
    recipe_id: str | None
    pool_id: str
    pool_size: int | None
    subset_sha256: str | None
    subset_n: int | None
    subset_unique: int | None
    report_sha256: str | None
    lock_sha256: str | None
    profile_sha256: str | None
    files: list[FileOut]
    files_until: datetime = Field(description="Until when files may come.")
    overlaps: list[OverlapOut]
    marks: list[MarkOut]
    validator: str
    created_at: datetime


class SubmissionsOut(BaseModel):
    """Submissions from new to old."""

    submissions: list[SubmissionOut]
    next: str | None = Field(description="`before` of the next page; null at the end.")


class WithdrawalIn(BaseModel):
    """Why a submission is withdrawn; shown beside it."""

    reason: str | None = Field(default=None, max_length=1000)
