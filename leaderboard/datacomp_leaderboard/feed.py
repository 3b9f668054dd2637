"""The news as an Atom feed (RFC 4287); pure."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from datacomp_leaderboard.news import News

MEDIA_TYPE = "application/atom+xml; charset=utf-8"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FeedEntry:
    """One sentence; `id` stays the same for good, `href` is absolute if the service's own is."""

    id: str
    title: str
    href: str
    at: datetime


@dataclass(frozen=True)
class FeedPage:
    """The feed; `updated` is when the newest entry was made, `base` the service's address."""

    template: ClassVar[str] = "feed.atom"

    title: str
    id: str
    base: str
    updated: datetime
    entries: tuple[FeedEntry, ...]


def build_feed(news: Sequence[News], base: str) -> FeedPage:
    """The feed of a service at `base`, which is "" where it does not know its address."""
    return FeedPage(
        title="DataComp",
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"{base or 'datacomp'}/feed.atom").urn,
        base=base,
        updated=max((one.at for one in news), default=_NEVER),
        entries=tuple(
            FeedEntry(
                uuid.uuid5(uuid.NAMESPACE_OID, one.sha256).urn,
                one.sentence,
                f"{base}{one.href}",
                one.at,
            )
            for one in news
        ),
    )
