"""Which level a submission has reached: computed from its evidence and marks, never stored; pure.

- attested: a signature of its team's registered key.
- re-evaluated: a worker evaluated the submitted weights.
- re-trained: a worker trained on the submitted subset.
- reproduced: workers did so with three seeds or more.

A contradiction, or a challenge that was upheld, caps at reported until an organiser dismisses it:
a dismissal settles what came before it, not what comes after.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from datacomp.submission.levels import Level

REPRODUCING_SEEDS = 3


@dataclass(frozen=True)
class Fact:
    """One row of evidence: its kind, when it came, and the training seed that it is of."""

    kind: str
    at: datetime
    seed: int | None = None


@dataclass(frozen=True)
class Said:
    """One mark: its kind, and when it was made."""

    kind: str
    at: datetime


def level_of(facts: Iterable[Fact], marks: Iterable[Said]) -> Level:
    """The level of a submission; the order of evidence and marks does not matter."""
    facts = list(facts)
    return Level.REPORTED if is_capped(facts, marks) else climbed(facts)


def climbed(facts: Sequence[Fact]) -> Level:
    """The highest level that the favourable evidence allows."""
    kinds = {fact.kind for fact in facts}
    seeds = {fact.seed for fact in facts if fact.kind == "training"}
    if len(seeds) >= REPRODUCING_SEEDS:
        return Level.REPRODUCED
    if "training" in kinds:
        return Level.RE_TRAINED
    if "evaluation" in kinds:
        return Level.RE_EVALUATED
    return Level.ATTESTED if "attestation" in kinds else Level.REPORTED


def next_level(roles: Set[str], level: Level) -> Level | None:
    """What files of these roles let workers verify an accepted submission to next; None if nothing.

    Weights are evaluated first, which costs little.
    """
    if "checkpoint" in roles and not level.verified:
        return Level.RE_EVALUATED
    if roles & {"subset", "plugin", "byod"} and level < Level.REPRODUCED:
        return Level.REPRODUCED if level == Level.RE_TRAINED else Level.RE_TRAINED
    return None


def is_capped(facts: Iterable[Fact], marks: Iterable[Said]) -> bool:
    """Whether something speaks against the numbers that nobody has dismissed since."""
    marks = list(marks)
    against = [fact.at for fact in facts if fact.kind == "contradiction"]
    against += [mark.at for mark in marks if mark.kind == "upheld"]
    dismissed = [mark.at for mark in marks if mark.kind == "dismissed"]
    return bool(against) and (not dismissed or max(against) >= max(dismissed))
