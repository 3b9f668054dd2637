"""The manifest `datacomp-submission/1`: all that a team declares before a single file is sent.

    Manifest(method="mine", report=report.as_json(), files=(DeclaredFile(...),))

Files are named by their sha256, so that accepting a manifest commits to their content; they may
arrive later. A bare `{"method": ..., "report": ...}` is a manifest of the filtering track.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from datacomp.files import canonical_json, sha256_json

MAX_METHOD_LENGTH = 100
MAX_DESCRIPTION_LENGTH = 4000

Track = Literal["filtering", "byod"]
Kind = Literal["report", "subset", "byod", "plugin"]
Role = Literal["subset", "checkpoint", "byod", "plugin", "selection"]
# The length is for Python, where `$` is also before a last line break.
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Whole = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class DeclaredFile(BaseModel):
    """A file that will come: what it is for, the sha256 of its bytes, and how many there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    sha256: Sha256
    size: Annotated[int, Field(strict=True, ge=1, le=2**53)] = Field(description="Bytes.")


class Manifest(BaseModel):
    """A submission as it is declared. What fits together in it, `check_manifest` says.

    `kind` is what the team hands in: a report of a run of its own, a subset or own data to be
    trained on, or a filter plugin to be run. `scale`, `pool_id` and `seed` follow from the report
    where there is one; without one they say what is to be trained.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_id: Literal["datacomp-submission/1"] = Field("datacomp-submission/1", alias="schema")
    track: Track = "filtering"
    kind: Kind = "report"
    method: str = Field(description=f"Name of the method, 1 to {MAX_METHOD_LENGTH} characters.")
    description: str | None = Field(
        None, description=f"What it does, at most {MAX_DESCRIPTION_LENGTH:,} characters."
    )
    scale: Name | None = None
    pool_id: Name | None = None
    seed: Whole | None = Field(None, description="Training seed; 0 if nothing says otherwise.")
    report: dict[str, Any] | None = Field(None, description="Of schema datacomp-report/1.")
    lock: dict[str, Any] | None = Field(
        None, description="The subset's lock file. `uses_truth` in it marks an oracle."
    )
    profile: dict[str, Any] | None = Field(
        None, description="Of schema datacomp-profile/1: what the page shows of data and training."
    )
    files: tuple[DeclaredFile, ...] = Field((), max_length=5)

    def file(self, role: Role) -> DeclaredFile | None:
        """The first file of that role, if one is declared."""
        return next((file for file in self.files if file.role == role), None)

    def as_json(self) -> dict[str, Any]:
        """The manifest as JSON values, keys as on the wire; what is not said is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def content(self) -> bytes:
        """What identifies it: canonical JSON. `ValueError` for NaN, `RecursionError` if deep."""
        return canonical_json(self.as_json())

    @property
    def sha256(self) -> str:
        """Hex sha256 of `content`."""
        return sha256_json(self.as_json())
