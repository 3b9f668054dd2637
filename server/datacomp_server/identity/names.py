"""Names of accounts, teams and tokens: what is refused, and when two are the same; pure."""

import unicodedata

from datacomp.submission import text
from datacomp_server.kit.errors import Refused

MAX_NAME_LENGTH = 60
MAX_KEY_LENGTH = 120  # folding can lengthen: a single character may stand for eighteen
_LONGEST = 1_000  # folding takes the square of a run of marks; no name, composed or not, is longer


def checked_name(what: str, value: str) -> str:
    """`value` as it is stored; `Refused` if it is empty, too long, or could mislead.

    `what` is the thing that it names: "team".
    """
    value = text.clean(value)
    problems = list(text.problems(value, limit=MAX_NAME_LENGTH))
    if not problems and not 0 < len(key_of(value)) <= MAX_KEY_LENGTH:
        problems = ["holds too many characters that stand for whole words"]
    if problems:
        raise Refused(f"the {what}'s name {problems[0]}", code="bad_name")
    return value


def key_of(name: str) -> str:
    """What two names share that people would take for one: case and compatible forms folded.

    What is too long for a name is its own key, which is nobody's.
    """
    if len(name) > _LONGEST:
        return name
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
