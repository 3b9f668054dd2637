"""The chain of events: how one is hashed, and where a chain is broken; pure.

Each event carries the hash of the one before it, so that nobody can change, remove or insert one
without changing every hash after it. What the chain cannot show is that its newest events were
cut off: for that, compare with the head of an older export.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from datacomp.errors import UsageError
from datacomp.files import sha256_json

GENESIS = "0" * 64
_FIELDS = ("seq", "at", "tag", "subject_id", "actor", "facts", "previous", "sha256")


@dataclass(frozen=True)
class Link:
    """One event as it is hashed and exported; `at` is ISO 8601 in UTC, with microseconds."""

    seq: int
    at: str
    tag: str
    subject_id: str | None
    actor: str
    facts: Mapping[str, Any]
    previous: str
    sha256: str

    def hashed(self) -> dict[str, Any]:
        """The fields that `sha256` is over: all but itself."""
        return {name: getattr(self, name) for name in _FIELDS if name != "sha256"}

    def as_json(self) -> dict[str, Any]:
        """The event as JSON values, as exports have it."""
        return self.hashed() | {"sha256": self.sha256}


@dataclass(frozen=True)
class Head:
    """The newest event of a chain: its number and its hash."""

    seq: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.sha256}"


@dataclass(frozen=True)
class ChainCheck:
    """What a chain was found to be: `n_events` good ones, then the first that is not, if any."""

    n_events: int
    head: Head
    problem: str | None


def link(
    *,
    seq: int,
    at: datetime,
    tag: str,
    subject_id: str | None,
    actor: str,
    facts: Mapping[str, Any],
    previous: str,
) -> Link:
    """The event of these fields with its hash."""
    bare = Link(seq, instant(at), tag, subject_id, actor, facts, previous, "")
    return Link(**bare.hashed(), sha256=sha256_json(bare.hashed()))


def instant(moment: datetime) -> str:
    """A moment in the one form that is hashed."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def link_of_json(value: Any) -> Link:
    """The event of one exported line; `UsageError` if it is none."""
    if not isinstance(value, dict) or set(value) != set(_FIELDS):
        raise UsageError(f"not an event: expected an object of {', '.join(_FIELDS)}")
    return Link(**value)


def parse_head(text: str) -> Head:
    """`SEQ:SHA256`, as exports and `datacomp admin verify-log` print it; else `UsageError`."""
    seq, _, sha256 = text.partition(":")
    if not seq.isdigit() or len(sha256) != 64:
        raise UsageError(f"{text!r} is not the head of a chain: expected SEQ:SHA256")
    return Head(int(seq), sha256)


def check_chain(links: Iterable[Link], *, known: Head | None = None) -> ChainCheck:
    """Follow a chain from its first event, in order, to its end or to the first bad one.

    `known` is a head from elsewhere (an older export): the chain must pass through it.
    """
    head = Head(0, GENESIS)
    for event in links:
        problem = _problem(event, head)
        if problem is None and known is not None and known.seq == event.seq:
            problem = _differs(event, known)
        if problem is not None:
            return ChainCheck(head.seq, head, problem)
        head = Head(event.seq, event.sha256)
    cut = None
    if known is not None and known.seq > head.seq:
        cut = (
            f"the chain ends with event {head.seq}, but event {known.seq} was known before: its "
            "newest events were removed"
        )
    return ChainCheck(head.seq, head, cut)


def _problem(event: Link, before: Head) -> str | None:
    due = before.seq + 1
    where = f"event {event.seq} ({event.tag}, {event.at})"
    if event.seq > due:
        missing = str(due) if event.seq == due + 1 else f"{due} to {event.seq - 1}"
        return f"{where} follows event {before.seq}: missing is {missing}"
    if event.seq < due:
        return f"{where} stands after event {before.seq}: expected event {due}"
    computed = sha256_json(event.hashed())
    if computed != event.sha256:
        return (
            f"{where} was changed: its fields hash to {computed[:12]}, "
            f"it was recorded as {event.sha256[:12]}"
        )
    if event.previous != before.sha256:
        return (
            f"{where} names {event.previous[:12]} as the event before it, "
            f"event {before.seq} is {before.sha256[:12]}: one of the two was replaced"
        )
    return None


def _differs(event: Link, known: Head) -> str | None:
    if event.sha256 == known.sha256:
        return None
    return (
        f"event {event.seq} is {event.sha256[:12]}, it was known before as {known.sha256[:12]}: "
        "the chain was written anew"
    )
