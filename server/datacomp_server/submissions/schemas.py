"""What comes in and goes out over the API."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MAX_METHOD_LENGTH = 100
MAX_DESCRIPTION_LENGTH = 4000


class SubmissionIn(BaseModel):
    """A report and what to call it. Its rules are checked together, see `rules`."""

    model_config = ConfigDict(extra="forbid")

    method: str = Field(description=f"Name of the method, 1 to {MAX_METHOD_LENGTH} characters.")
    description: str | None = Field(
        default=None, description=f"What it does, at most {MAX_DESCRIPTION_LENGTH:,} characters."
    )
    report: dict[str, Any] = Field(description="A report of schema datacomp-report/1.")
    lock: dict[str, Any] | None = Field(
        default=None, description="The subset's lock file. `uses_truth` in it marks an oracle."
    )


class EstimateOut(BaseModel):
    """A number with one standard error; null where it is not known."""

    value: float | None
    stderr: float | None


class SubmissionOut(BaseModel):
    """A submission as everybody may see it."""

    id: str
    page: str = Field(description="Path of its page, from the service's address.")
    team: str
    method: str
    description: str | None
    oracle: bool = Field(description="Whether its subset was chosen with the pool's truth.")
    scale: str
    suite: str
    seed: int
    average: EstimateOut
    groups: dict[str, EstimateOut]
    recipe_id: str
    pool_id: str
    pool_size: int
    subset_sha256: str
    subset_n: int
    subset_unique: int
    report_sha256: str
    lock_sha256: str | None
    validator: str
    created_at: datetime
