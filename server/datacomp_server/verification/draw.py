"""The draw of entries to audit from a seed that was committed to before; pure.

The seed's hash is published when a round is opened, the seed when it is drawn: nobody can choose
it after seeing the entries, and anyone can repeat the draw. An entry is chosen if

    the first 8 bytes of sha256("SEED|SUBMISSION ID"), big-endian, / 2^64  <  share

with the seed as 64 lower-case hex digits.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from fractions import Fraction

from datacomp.errors import UsageError

_SEED = re.compile(r"[0-9a-f]{64}")


def new_seed() -> str:
    """32 random bytes as hex."""
    return secrets.token_hex(32)


def commitment(seed: str) -> str:
    """The hash that is published before the draw: sha256 of the seed's 64 hex digits."""
    if not _SEED.fullmatch(seed):
        raise UsageError("a seed is 64 lower-case hex digits")
    return hashlib.sha256(seed.encode()).hexdigest()


def is_chosen(seed: str, submission_id: str, share: float) -> bool:
    """Whether the draw with `seed` chooses that entry."""
    digest = hashlib.sha256(f"{seed}|{submission_id}".encode()).digest()
    return Fraction(int.from_bytes(digest[:8]), 2**64) < Fraction(share)


def draw(seed: str, submission_ids: Iterable[str], share: float) -> list[str]:
    """The chosen ones, sorted; each stands for itself, whoever else takes part."""
    return sorted(one for one in submission_ids if is_chosen(seed, one, share))
