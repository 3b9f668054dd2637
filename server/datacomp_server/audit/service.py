"""Rules of the audit log: what is written there is complete, ordered and cannot be changed."""

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp.events import GENESIS, ChainCheck, Head, Link, check_chain, instant, link
from datacomp.files import canonical_json
from datacomp_server.audit import repository
from datacomp_server.audit.models import Event
from datacomp_server.kit.db import add_rows


def record(
    session: Session,
    *,
    tag: str,
    subject_id: str | None,
    actor: str,
    facts: Mapping[str, Any],
    moment: datetime,
) -> Event:
    """Add one event to the chain, in the session's transaction.

    `tag` is `source:action`. `facts` are JSON values and become public: no secret, no free text of
    a refused submission. Writing sessions take turns, so that numbers have no gaps.
    """
    seq, previous = repository.newest(session) or (0, GENESIS)
    made = link(
        seq=seq + 1,
        at=moment,
        tag=tag,
        subject_id=subject_id,
        actor=actor,
        facts=json.loads(canonical_json(dict(facts))),
        previous=previous,
    )
    event = Event(**made.as_json() | {"at": moment})
    add_rows(session, event)
    return event


def verify(session: Session, *, known: Head | None = None) -> ChainCheck:
    """Follow the whole chain; `known` is a head that an older export named."""
    with closing(repository.in_order(session)) as events:
        return check_chain(map(link_of, events), known=known)


def link_of(event: Event) -> Link:
    """A stored event in the form that is hashed."""
    names = ("seq", "tag", "subject_id", "actor", "facts", "previous", "sha256")
    return Link(at=instant(event.at), **{name: getattr(event, name) for name in names})
