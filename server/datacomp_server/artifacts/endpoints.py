"""Routes of uploads, and of artifacts for those who may read them."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from datacomp_server.artifacts import receiving, service
from datacomp_server.artifacts.schemas import (
    Sha256,
    UploadIn,
    UploadOut,
    nothing_to_upload,
    upload_out,
)
from datacomp_server.artifacts.service import Owner
from datacomp_server.artifacts.serving import BYTES, artifact_response
from datacomp_server.context import Context, get_context
from datacomp_server.identity.auth import NEEDS_TOKEN, Reader, Uploader
from datacomp_server.kit.errors import ErrorOut

STREAMS = re.compile(r"PATCH /api/v1/uploads/[^/]*")
"""Requests whose bodies this feature reads as a stream, each within what was declared."""

router = APIRouter(prefix="/api/v1", tags=["artifacts"])

ContextDep = Annotated[Context, Depends(get_context)]
UploadId = Annotated[str, Path(max_length=26)]


def _answers(**details: str) -> dict[int | str, dict[str, Any]]:
    answers = dict(NEEDS_TOKEN)
    for code, detail in details.items():
        answers[int(code.removeprefix("_"))] = {"model": ErrorOut, "description": detail}
    return answers


def owner_of_path(upload_id: UploadId, caller: Uploader, context: ContextDep) -> Owner:
    """As whom the caller acts on the upload that the path names; the one place of this look-up."""
    with context.database.reading() as session:
        return service.owner_of_upload(session, caller, upload_id, moment=context.clock())


OwnerOfPath = Annotated[Owner, Depends(owner_of_path)]
_MISSING = {
    "_404": "No such upload, or not the caller's",
    "_409": "The lease has ended, or what is asked for cannot be done now",
    "_422": "The path names no upload",
}


@router.post(
    "/uploads",
    status_code=201,
    responses={
        200: {"model": UploadOut, "description": "Nothing needs to be uploaded"},
        **_answers(
            _400="The body cannot be read",
            _404="No such lease, or not the caller's",
            _409="Declared with another size, the lease has ended, or who must name one does not",
            _413="Larger than this service takes",
            _422="Over the quota, or not a declaration",
        ),
    },
)
def create_upload(
    body: UploadIn, caller: Uploader, context: ContextDep, response: Response
) -> UploadOut:
    """Declare a file and reserve room for it. The same again gives the upload that is open."""
    moment = context.clock()
    with context.database.writing() as session:
        owner = service.owner_of(session, caller, body.lease_id, moment=moment)
        upload = service.reserve(
            session, context.settings, owner, sha256=body.sha256, size=body.size, moment=moment
        )
        if upload is not None:
            return upload_out(upload)
    response.status_code = 200
    return nothing_to_upload(body)


@router.get("/uploads/{upload_id}", responses=_answers(**_MISSING))
def get_upload(upload_id: UploadId, owner: OwnerOfPath, context: ContextDep) -> UploadOut:
    """How far an upload is."""
    with context.database.reading() as session:
        return upload_out(service.get(session, owner, upload_id, moment=context.clock()))


@router.patch(
    "/uploads/{upload_id}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
    responses=_answers(
        _404=_MISSING["_404"],
        _408="The body stopped coming; what came is kept",
        _409="Another offset comes next (header Upload-Offset), another request writes to this "
        "upload, or the lease has ended",
        _413="More than was declared",
        _422="The content is not what was declared (bad_hash), or no offset was given",
        _507="The service has no room now",
    ),
)
async def append_upload(
    upload_id: UploadId,
    owner: OwnerOfPath,
    request: Request,
    context: ContextDep,
    upload_offset: Annotated[int, Header(ge=0, le=2**53, description="Where the body goes.")],
) -> UploadOut:
    """Append bytes. With the last one the sha256 is checked and the file is there."""
    declared = request.headers.get("content-length", "")
    upload = await receiving.receive(
        context,
        owner,
        upload_id,
        offset=upload_offset,
        length=int(declared) if declared.isdecimal() else None,
        stream=request.stream(),
    )
    return upload_out(upload)


@router.delete("/uploads/{upload_id}", status_code=204, responses=_answers(**_MISSING))
def drop_upload(upload_id: UploadId, owner: OwnerOfPath, context: ContextDep) -> None:
    """Give up an upload that is not complete; its room is free at once."""
    with context.parts.hold(upload_id) as part, context.database.writing() as session:
        service.drop(session, owner, upload_id, moment=context.clock())
        part.remove()


@router.get(
    "/artifacts/{sha256}",
    response_class=Response,
    responses={
        200: {"content": BYTES, "description": "The whole file"},
        206: {"content": BYTES, "description": "A range of it"},
        416: {"description": "The range begins behind the end"},
        **_answers(_404="No such artifact, or not for the caller", _422="That is no sha256"),
    },
)
def get_artifact(
    sha256: Annotated[Sha256, Path()],
    caller: Reader,
    context: ContextDep,
    range_header: Annotated[str | None, Header(alias="Range", max_length=200)] = None,
) -> Response:
    """A file, byte for byte, for its team and for organisers; for all once its board is closed."""
    with context.database.reading() as session:
        service.demand_readable(session, caller, sha256, moment=context.clock())
    return artifact_response(
        context.artifacts, sha256, filename=f"{sha256}.bin", range_header=range_header
    )
