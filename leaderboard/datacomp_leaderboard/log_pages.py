"""The log of events as people read it: what each page shows, and what an event says in words; pure.

Addresses are cursors (`before=SEQ`, `after=SEQ`), not page numbers: events are only ever added, so
that an address shows the same events for good, or the newest ones.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from datacomp.files import canonical_json
from datacomp_leaderboard.twins import Column, Table

PAGE_EVENTS = 100
_LONGEST_FACT = 240
_PAGES = {"submission": "/s/", "verification": "/s/", "job": "/j/"}


@dataclass(frozen=True)
class LogQuery:
    """Which events: of a kind, of a subject, before or after one; `before` and `after` exclude."""

    kind: str | None = None
    subject: str | None = None
    before: int | None = None
    after: int | None = None

    def href(self, **changes: Any) -> str:
        """The address of this view with some of it changed; without a place, its newest events."""
        changed = replace(self, **{"before": None, "after": None} | changes)
        given = {name: value for name, value in vars(changed).items() if value is not None}
        return f"/log?{urlencode(sorted(given.items()))}" if given else "/log"


@dataclass(frozen=True)
class EventLine:
    """One event. `subject_href` is the page of what it is about, if that has one; `facts` in the
    order of their names, `facts_json` as they are hashed; `sha256` and `previous` are the links of
    the chain.
    """

    seq: int
    at: datetime
    kind: str
    kind_href: str
    subject: str | None
    subject_href: str | None
    events_href: str | None
    actor: str
    facts: tuple[tuple[str, str], ...]
    facts_json: str
    previous: str
    sha256: str


@dataclass(frozen=True)
class KindLink:
    """A kind of event, how many there are, and the address of those alone."""

    kind: str
    n: int
    href: str
    current: bool


@dataclass(frozen=True)
class KnownHead:
    """The head that the newest export names; `holds` says whether the chain passes through it."""

    day: str
    head: str
    holds: bool


@dataclass(frozen=True)
class LogPage:
    """Up to 100 events, newest first, of all or of one kind or subject; and the chain's facts.

    `head` is `SEQ:SHA256` of the newest event of all, which `datacomp verify-log` takes.
    `query` is the view's, as it stands behind its address.
    """

    template: ClassVar[str] = "log.html"

    title: str
    events: tuple[EventLine, ...]
    kinds: tuple[KindLink, ...]
    all_href: str
    kind: str | None
    subject: str | None
    n_events: int
    head: str | None
    first_at: datetime | None
    last_at: datetime | None
    known: KnownHead | None
    query: str
    newer_href: str | None
    older_href: str | None
    newest_href: str | None


def event_line(
    query: LogQuery,
    *,
    seq: int,
    at: datetime,
    kind: str,
    subject: str | None,
    actor: str,
    facts: Mapping[str, Any],
    previous: str,
    sha256: str,
) -> EventLine:
    """An event as a line of the view `query`."""
    page = _PAGES.get(kind.partition(":")[0])
    return EventLine(
        seq=seq,
        at=at,
        kind=kind,
        kind_href=query.href(kind=kind),
        subject=subject,
        subject_href=f"{page}{subject}" if page and subject else None,
        events_href=LogQuery(subject=subject).href() if subject and not query.subject else None,
        actor=actor,
        facts=tuple(told(facts)),
        facts_json=canonical_json(dict(facts)).decode(),
        previous=previous,
        sha256=sha256,
    )


def kind_links(query: LogQuery, counts: Mapping[str, int]) -> tuple[KindLink, ...]:
    """Every kind by name, as links that leave the view's subject as it is."""
    return tuple(
        KindLink(kind, n, query.href(kind=kind), kind == query.kind)
        for kind, n in sorted(counts.items())
    )


def log_table(events: Iterable[EventLine]) -> Table:
    """The data twin: events with all that their hashes are over."""
    columns = (
        Column("seq", "No.", "int"),
        Column("at", "When", "date"),
        Column("tag", "Kind", "text"),
        Column("subject_id", "About", "text"),
        Column("actor", "By", "text"),
        Column("facts", "Facts (JSON)", "text"),
        Column("previous", "Hash of the one before", "text"),
        Column("sha256", "Hash", "text"),
    )
    rows = tuple(
        (e.seq, e.at, e.kind, e.subject, e.actor, e.facts_json, e.previous, e.sha256)
        for e in events
    )
    return Table("events", "Events", columns, rows)


def told(facts: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Facts as (name, text), without those that say nothing; long ones cut."""
    for name, value in sorted(facts.items()):
        if value is None or value in ([], {}):
            continue
        text = _text(value)
        yield name, text if len(text) <= _LONGEST_FACT else f"{text[:_LONGEST_FACT]}…"


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
