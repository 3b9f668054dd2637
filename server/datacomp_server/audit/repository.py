"""Statements about events; decides nothing."""

from collections.abc import Generator, Mapping, Sequence

from sqlalchemy import func, select
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


def newest_event(session: Session) -> Event | None:
    """The last event of the chain."""
    return session.scalars(select(Event).order_by(Event.seq.desc()).limit(1)).one_or_none()


def by_seq(session: Session, seq: int) -> Event | None:
    """The event of that number."""
    return session.get(Event, seq)


def kinds(session: Session, subject_id: str | None = None) -> Mapping[str, int]:
    """How many events there are of each kind, of a subject if one is given."""
    statement = select(Event.tag, func.count()).group_by(Event.tag)
    if subject_id is not None:
        statement = statement.where(Event.subject_id == subject_id)
    return {tag: n for tag, n in session.execute(statement)}


def some(
    session: Session,
    *,
    kind: str | None,
    subject: str | None,
    before: int | None,
    after: int | None,
    limit: int,
) -> Sequence[Event]:
    """Events of a kind and a subject, newest first; those `after` one, oldest first."""
    statement = select(Event)
    for column, value in ((Event.tag, kind), (Event.subject_id, subject)):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(Event.seq > after).order_by(Event.seq)
        return session.scalars(statement.limit(limit)).all()
    if before is not None:
        statement = statement.where(Event.seq < before)
    return session.scalars(statement.order_by(Event.seq.desc()).limit(limit)).all()
