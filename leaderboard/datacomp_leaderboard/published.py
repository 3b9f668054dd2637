"""The page of a number that was copied from a paper: what is known of it, and from where; pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from datacomp_leaderboard.formatting import percent, score, short_count


@dataclass(frozen=True)
class PublishedPage:
    """A published number; `facts` and `scores` are (name, text)."""

    template: ClassVar[str] = "published.html"

    title: str
    method: str
    scale: str
    source: str
    place: str
    link: str
    published_at: datetime
    average: float
    scores: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]


def build_published(
    *,
    method: str,
    scale: str,
    source: str,
    place: str,
    link: str,
    published_at: datetime,
    average: float,
    groups: dict[str, float],
    samples: int,
    pool_size: int,
) -> PublishedPage:
    """The page; `groups` are means by task group in the order to show, fractions as `average`."""
    return PublishedPage(
        title=method,
        method=method,
        scale=scale,
        source=source,
        place=place,
        link=link,
        published_at=published_at,
        average=average,
        scores=tuple((name, score(value)) for name, value in groups.items()),
        facts=(
            ("samples kept", short_count(samples)),
            ("of the pool", percent(samples / pool_size)),
            ("pool", f"{short_count(pool_size)} pairs"),
        ),
    )
