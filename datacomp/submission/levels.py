"""The ladder of trust in a submission's numbers: names and words, and nothing about who climbs."""

from enum import IntEnum

from datacomp.errors import UnknownNameError


class Level(IntEnum):
    """How far the numbers of a submission were verified; each level includes those below."""

    REPORTED = 0
    ATTESTED = 1
    RE_EVALUATED = 2
    RE_TRAINED = 3
    REPRODUCED = 4

    @property
    def label(self) -> str:
        """Its name for people and programs: `re-evaluated`."""
        return self.name.lower().replace("_", "-")

    @property
    def verified(self) -> bool:
        """Whether somebody else than its team measured the numbers."""
        return self >= Level.RE_EVALUATED

    @property
    def meaning(self) -> str:
        """What it says, as a sentence without a full stop."""
        return _MEANINGS[self]


_MEANINGS = {
    Level.REPORTED: "the team's own numbers; every sum in the report was recomputed",
    Level.ATTESTED: "the team's own numbers, signed with a key that it registered",
    Level.RE_EVALUATED: "an organiser's worker evaluated the submitted weights",
    Level.RE_TRAINED: "an organiser's worker trained on what was submitted and evaluated",
    Level.REPRODUCED: "workers trained on what was submitted with three seeds or more",
}


def parse_level(label: str) -> Level:
    """The level of that label; `UnknownNameError` if there is none."""
    for level in Level:
        if level.label == label:
            return level
    raise UnknownNameError("level", label, (level.label for level in Level))
