"""From stored events to the page of the log: which ones, how many, and the head of the chain."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from datacomp.errors import UsageError
from datacomp.events import Head, parse_head
from datacomp_leaderboard.log_pages import (
    PAGE_EVENTS,
    EventLine,
    KnownHead,
    LogPage,
    LogQuery,
    event_line,
    kind_links,
    log_table,
)
from datacomp_server.audit import repository
from datacomp_server.audit.folders import EXPORT_SCHEMA, read_manifest
from datacomp_server.audit.models import Event
from datacomp_server.boards.data import Source, Version
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.kit.errors import BadRequest

TWIN_EVENTS = 10_000


def event_log(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The page of a view; its table has up to 10,000 events of it."""
    asked = only(query, "kind", "subject", "before", "after")
    subject = asked.get("subject")
    if subject is not None and not re.fullmatch("[0-9A-Z]{26}", subject):
        raise BadRequest(f"{subject!r} is not an id of 26 capital letters and digits")
    places = {name: _number(name, asked[name]) for name in ("before", "after") if name in asked}
    view = LogQuery(kind=asked.get("kind"), subject=subject, **places)
    page = log_page(source.session, view, source.settings.exports_dir)
    return Made(page, lambda: (log_table(_events(source.session, view)),))


def version(session: Session, params: Mapping[str, str]) -> Version:
    """Changes with every event."""
    return (repository.newest(session),)


def log_page(session: Session, query: LogQuery, exports: Path) -> LogPage:
    """A view of the log; `BadRequest` for a kind that no event has, or two places at once."""
    if query.before is not None and query.after is not None:
        raise BadRequest("before and after exclude each other: give one", code="two_places")
    counts = repository.kinds(session, query.subject)
    if query.kind is not None and query.kind not in repository.kinds(session):
        raise BadRequest(
            f"no event is of the kind {query.kind!r}; there are: {', '.join(sorted(counts))}",
            code="unknown_kind",
        )
    found, more_newer, more_older = _slice(session, query)
    newest, first = repository.newest_event(session), repository.by_seq(session, 1)
    return LogPage(
        title="Log of events",
        events=tuple(_line(query, event) for event in found),
        kinds=kind_links(query, counts),
        all_href=LogQuery(subject=query.subject).href(),
        kind=query.kind,
        subject=query.subject,
        n_events=newest.seq if newest else 0,
        head=str(Head(newest.seq, newest.sha256)) if newest else None,
        first_at=first.at if first else None,
        last_at=newest.at if newest else None,
        known=_known(session, exports),
        newer_href=query.href(after=found[0].seq) if more_newer else None,
        older_href=query.href(before=found[-1].seq) if more_older else None,
        query=query.href(before=query.before, after=query.after).removeprefix("/log"),
        newest_href=query.href() if query.before or query.after else None,
    )


def _number(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise BadRequest(f"{name} is the number of an event, got {text!r}")
    return int(text)


def _events(session: Session, view: LogQuery) -> list[EventLine]:
    found, _, _ = _slice(session, view, TWIN_EVENTS)
    return [_line(view, event) for event in found]


def _slice(
    session: Session, query: LogQuery, limit: int = PAGE_EVENTS
) -> tuple[Sequence[Event], bool, bool]:
    """The events of a view, newest first, and whether there are newer and older ones of it."""
    found = repository.some(
        session,
        kind=query.kind,
        subject=query.subject,
        before=query.before,
        after=query.after,
        limit=limit + 1,
    )
    more = len(found) > limit
    if query.after is not None:
        return list(reversed(found[:limit])), more, bool(found)
    return found[:limit], query.before is not None and bool(found), more


def _line(query: LogQuery, event: Event) -> EventLine:
    return event_line(
        query,
        seq=event.seq,
        at=event.at,
        kind=event.tag,
        subject=event.subject_id,
        actor=event.actor,
        facts=event.facts,
        previous=event.previous,
        sha256=event.sha256,
    )


def _known(session: Session, exports: Path) -> KnownHead | None:
    """What the newest export says of the chain; None if there is none that can be read."""
    days = sorted((one for one in exports.glob("[0-9]*") if one.is_dir()), reverse=True)
    for day in days:
        try:
            head = parse_head(read_manifest(day, EXPORT_SCHEMA)["head"])
        except UsageError:
            continue
        event = repository.by_seq(session, head.seq)
        holds = head.seq == 0 or (event is not None and event.sha256 == head.sha256)
        return KnownHead(day.name, str(head), holds)
    return None
