"""What routes of uploads take and give."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from datacomp_server.artifacts.models import Upload

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$", max_length=26)]
MAX_SIZE = 2**53


class UploadIn(BaseModel):
    """A file that will be uploaded."""

    model_config = ConfigDict(extra="forbid")

    sha256: Sha256 = Field(description="Of the whole file, lower-case hex.")
    size: int = Field(ge=1, le=MAX_SIZE, strict=True, description="Bytes of the whole file.")
    lease_id: Id | None = Field(default=None, description="Of a worker's job that it belongs to.")


class UploadOut(BaseModel):
    """How far an upload is."""

    id: str | None = Field(description="Null if nothing needs to be uploaded.")
    sha256: str
    size: int
    received: int = Field(description="Bytes that are safe; go on from there.")
    complete: bool = Field(description="Whether the file is whole and its sha256 is right.")
    expires_at: datetime | None = Field(description="An upload that rests until then is dropped.")


def upload_out(upload: Upload) -> UploadOut:
    """An upload as the API shows it."""
    return UploadOut(
        id=upload.id,
        sha256=upload.sha256,
        size=upload.size,
        received=upload.received,
        complete=upload.completed_at is not None,
        expires_at=upload.expires_at,
    )


def nothing_to_upload(declared: UploadIn) -> UploadOut:
    """The answer to a declaration of what is here and known to be the caller's, or public."""
    return UploadOut(
        id=None,
        sha256=declared.sha256,
        size=declared.size,
        received=declared.size,
        complete=True,
        expires_at=None,
    )
