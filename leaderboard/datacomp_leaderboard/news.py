"""What happened, as sentences that link to what they are about: for the home page and the feed.

Pure. Sentences are made of the events of the audit log; of events in a row that say the same of one
method, or of one board, one sentence is made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from datacomp.submission.levels import parse_level
from datacomp_leaderboard.formatting import score

KINDS = (
    "submission:accepted",
    "submission:verified",
    "submission:contradicted",
    "submission:attested",
    "submission:withdrawn",
    "submission:disqualified",
    "submission:baseline",
    "submission:challenged",
    "submission:upheld",
    "submission:dismissed",
    "board:opened",
    "board:times_set",
    "board:rule_set",
    "published:added",
)
"""The kinds of events that news are made of."""


@dataclass(frozen=True)
class Happened:
    """An event of the log; `sha256` is that of its link of the chain."""

    seq: int
    at: datetime
    kind: str
    subject_id: str | None
    facts: Mapping[str, Any]
    sha256: str


@dataclass(frozen=True)
class Subject:
    """The submission that an event is about, with its average where it has one.

    `before` was the best of its board when its method came, None if that did not lead.
    """

    id: str
    team: str
    method: str
    scale: str
    average: float | None
    leads: bool = False
    before: float | None = None


@dataclass(frozen=True)
class News:
    """A sentence: `what` (a link) `by` a team, then `said`.

    `at` is when its newest event happened; `sha256`, of its oldest one, names it for good.
    """

    at: datetime
    what: str
    href: str
    by: str | None
    said: str
    sha256: str

    @property
    def sentence(self) -> str:
        """All of it as plain text."""
        return f"{self.what}{f' by {self.by}' if self.by else ''} {self.said}"


def news_of(
    events: Iterable[Happened], subjects: Mapping[str, Subject], limit: int
) -> tuple[News, ...]:
    """The newest `limit` sentences; `events` newest first. Unknown subjects are left out."""
    told: list[News] = []
    for _, group in groupby(events, key=lambda event: _topic(event, subjects)):
        made = _sentence(list(group), subjects)
        if made is not None:
            told.append(made)
        if len(told) == limit:
            break
    return tuple(told)


def _topic(event: Happened, subjects: Mapping[str, Subject]) -> tuple[object, ...]:
    subject = subjects.get(event.subject_id or "")
    if event.kind == "published:added":
        return (event.kind, event.facts.get("scale"))
    if subject is None:
        return (event.kind, event.seq)
    return (event.kind, subject.team, subject.method, subject.scale)


def _sentence(events: Sequence[Happened], subjects: Mapping[str, Subject]) -> News | None:
    newest, oldest, n = events[0], events[-1], len(events)
    source, _, action = newest.kind.partition(":")
    if source == "published":
        scale = newest.facts["scale"]
        said = f"shows {n} published number{'' if n == 1 else 's'} as baselines."
        return News(newest.at, f"Board {scale}", f"/b/{scale}", None, said, oldest.sha256)
    if source == "board":
        return _of_board(newest, action)
    # the method's page is its first submission's
    subject = subjects.get(oldest.subject_id or "")
    if subject is None:
        return None
    accepted = action == "accepted"
    said = _came(subject, n) if accepted else _of_submission(action, subject, newest.facts)
    href = f"/s/{subject.id}"
    return News(newest.at, subject.method, href, subject.team, said, oldest.sha256)


def _of_board(event: Happened, action: str) -> News:
    facts = event.facts
    scale, track = facts["scale"], facts["track"]
    own = track != "filtering"
    said = {
        "opened": "is open.",
        "times_set": "takes submissions at other times now.",
        "rule_set": f"ranks by {facts.get('rule')} now, no longer by {facts.get('before')}.",
    }[action]
    what = f"Board {scale}{', own data,' if own else ''}"
    href = f"/b/{scale}{f'?track={track}' if own else ''}"
    return News(event.at, what, href, None, said, event.sha256)


def _came(subject: Subject, n: int) -> str:
    seeds = f" with {n} reports" if n > 1 else ""
    if subject.average is None:
        return f"came in at {subject.scale}{seeds}."
    number = score(subject.average)
    if not subject.leads:
        return f"came in at {subject.scale}{seeds}: {number}."
    if subject.before is None:
        return f"is the first to compete at {subject.scale}{seeds}: {number}."
    return (
        f"is the best so far at {subject.scale}{seeds}: {number}, up from {score(subject.before)}."
    )


def _of_submission(action: str, subject: Subject, facts: Mapping[str, Any]) -> str:
    if action in _SAID:
        return _SAID[action].format(subject.scale)
    measured = f"a worker measured {score(facts['average'])}"
    if action == "contradicted":
        return f"was contradicted at {subject.scale}: {measured}."
    return f"is {parse_level(facts['level']).label} at {subject.scale}: {measured}."


_SAID = {
    "attested": "was signed by its team at {}.",
    "withdrawn": "was withdrawn by its team from {}.",
    "disqualified": "was disqualified at {}.",
    "baseline": "is a baseline of {} now.",
    "challenged": "was challenged at {}.",
    "upheld": "lost a challenge at {}.",
    "dismissed": "stood a challenge at {}.",
}
