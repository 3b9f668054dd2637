"""Statements about events; decides nothing."""

from collections.abc import Generator

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp_server.audit.models import Event

_BATCH = 1000


_NEWEST = select(Event.seq, Event.sha256).order_by(Event.seq.desc()).limit(1)


def newest(session: Session) -> tuple[int, str] | None:
    """Number and hash of the last event of the chain."""
    found = session.execute(_NEWEST).one_or_none()
    return (found.seq, found.sha256) if found is not None else None


def in_order(session: Session) -> Generator[Event, None, None]:
    """Every event from the first on; holds a batch of them in memory."""
    statement = select(Event).order_by(Event.seq).execution_options(yield_per=_BATCH)
    with session.scalars(statement) as found:  # closes the cursor where the reader stops early
        yield from found
