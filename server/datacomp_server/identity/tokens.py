"""The text of a token or an invite and its hash; pure but for the randomness.

`dcp_`, 32 random characters, 6 characters of CRC-32: the prefix lets secret scanners find a
leaked token, the checksum lets them (and us) dismiss a mistyped one without a look-up. With 190
random bits a plain SHA-256 is enough: there is nothing to guess.
"""

import hashlib
import secrets
import string
import zlib
from enum import StrEnum

PREFIX = "dcp_"
INVITE_PREFIX = "dci_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 32
_CHECK_LENGTH = 6
_HINT_LENGTH = 10


class Scope(StrEnum):
    """What a token may do."""

    SUBMIT = "submissions:write"
    READ = "submissions:read"  # what is private to the team: logs, files, findings' texts
    WORK = "worker"
    ADMIN = "admin"


TEAM_SCOPES = frozenset({Scope.SUBMIT, Scope.READ})


def generate(prefix: str = PREFIX) -> str:
    """A new token, or an invite; it is never stored."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return prefix + body + _check(body)


def is_well_formed(token: str, prefix: str = PREFIX) -> bool:
    """Whether `token` could be one of ours, by its form and checksum alone."""
    body = token.removeprefix(prefix)
    if body == token or len(body) != _RANDOM_LENGTH + _CHECK_LENGTH or not body.isascii():
        return False
    return secrets.compare_digest(body[_RANDOM_LENGTH:], _check(body[:_RANDOM_LENGTH]))


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def hint(token: str) -> str:
    """The first characters, to recognise a token in a list."""
    return token[:_HINT_LENGTH]


def _check(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
