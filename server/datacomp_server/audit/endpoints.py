"""The route of the log of events for programs: the chain, in order, as it is hashed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from datacomp.events import Head
from datacomp_server.audit import repository
from datacomp_server.audit.service import link_of
from datacomp_server.context import Context, get_context
from datacomp_server.kit.errors import ErrorOut

router = APIRouter(prefix="/api/v1", tags=["log"])

MOST = 1000


class EventOut(BaseModel):
    """One event. `sha256` is of the canonical JSON of all other fields."""

    seq: int
    at: str = Field(description="ISO 8601 in UTC, with microseconds.")
    tag: str = Field(description="Kind, as source:action.")
    subject_id: str | None
    actor: str
    facts: dict[str, Any]
    previous: str = Field(description="The hash of the event before it; 64 zeros for the first.")
    sha256: str


class EventsOut(BaseModel):
    """A stretch of the chain, and its head: SEQ:SHA256 of the newest event."""

    events: list[EventOut]
    head: str | None


@router.get("/events", responses={422: {"model": ErrorOut}})
def list_events(
    context: Annotated[Context, Depends(get_context)],
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> EventsOut:
    """Events in order, those after the number `after`; `datacomp verify-log` follows them all."""
    with context.database.reading() as session:
        found = repository.some(
            session, kind=None, subject=None, before=None, after=after, limit=limit
        )
        newest = repository.newest(session)
        return EventsOut(
            events=[EventOut(**link_of(event).as_json()) for event in found],
            head=str(Head(*newest)) if newest else None,
        )
