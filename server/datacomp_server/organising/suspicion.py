"""Why an organiser should look at a submission, and which one first. Pure.

| signal | weight | |
|---|---|---|
| contradicted | 100 | a worker's numbers differ, or a challenge was upheld; not dismissed |
| challenged | 60 | somebody doubts it, and nothing was decided since |
| unchecked | 50 | its check ended without a verdict |
| twins | 40 | the very same numbers stand in another submission |
| same_subset | 25 | its subset is another team's, to the last uid |
| leads_unverified | 20 | among the best of its board by numbers that only its team measured |
| much_shared | 10 | its subset shares 90% or more with another team's |

The weights order a list for people; nothing is decided by them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

WEIGHTS: Mapping[str, int] = {
    "contradicted": 100,
    "challenged": 60,
    "unchecked": 50,
    "twins": 40,
    "same_subset": 25,
    "leads_unverified": 20,
    "much_shared": 10,
}
MUCH = 0.9
"""Jaccard index from which two subsets share much."""
LEADING = 10
"""How many of a board, by their own numbers, lead."""


@dataclass(frozen=True)
class Signal:
    """One reason: its code, one of `WEIGHTS`, and what was seen."""

    code: str
    words: str

    @property
    def weight(self) -> int:
        """How much it counts."""
        return WEIGHTS[self.code]


def score(signals: Iterable[Signal]) -> int:
    """How suspicious: every code counts once, however often it was seen."""
    return sum(WEIGHTS[code] for code in {signal.code for signal in signals})


def in_order(found: Mapping[str, Iterable[Signal]]) -> list[tuple[str, tuple[Signal, ...]]]:
    """Submissions by id with their signals, heaviest first; of equal ones the older id first."""
    ordered = {
        one: tuple(sorted(signals, key=lambda s: (-s.weight, s.words)))
        for one, signals in found.items()
    }
    return sorted(ordered.items(), key=lambda pair: (-score(pair[1]), pair[0]))
