"""Passwords: what is refused, how they are stored (argon2id), and checking without a clue.

Parameters are OWASP's first recommendation (19 MiB, two passes, one lane). Only a few are computed
at a time: they are the one thing here that costs memory and time on a stranger's request.
"""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from pwdlib.hashers.argon2 import Argon2Hasher

from datacomp_server.kit.errors import TooManyRequests

MIN_LENGTH = 12
MAX_LENGTH = 200
_MIN_DIFFERENT = 5

_HASHER = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE = threading.BoundedSemaphore(4)
_PATIENCE_SECONDS = 2.0  # who waits holds one of the server's threads
# of a random password that nobody knows: what an unknown name is checked against
_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$zm8qlXpMADBi845lbujlcg"
    "$5mzDrM7gxJdUE2h+Rp8ZrmmBdtEVbyi78M2utjBsbeY"
)


def problems(password: str, *, name: str) -> Iterator[str]:
    """Every reason why a new password is refused, as a clause: "has 7 characters, ..."."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        yield f"has {len(password):,} characters, {MIN_LENGTH} to {MAX_LENGTH} are allowed"
    if len(set(password)) < _MIN_DIFFERENT:
        yield f"has fewer than {_MIN_DIFFERENT} different characters"
    if name and name.casefold() in password.casefold() and len(password) < len(name) + MIN_LENGTH:
        yield "is little more than the account's name"


def hash_password(password: str) -> str:
    """What is stored of a password; `TooManyRequests` while too many others are computed."""
    with _turn():
        return _HASHER.hash(_normal(password))


def verify(password: str, stored: str | None) -> bool:
    """Whether `password` is the stored one; as slow, and False, where none is stored.

    `TooManyRequests` while too many others are computed.
    """
    with _turn():
        right = _HASHER.verify(_normal(password)[: 4 * MAX_LENGTH], stored or _NOBODY)
    return right and stored is not None


@contextmanager
def _turn() -> Iterator[None]:
    if not _AT_ONCE.acquire(timeout=_PATIENCE_SECONDS):
        raise TooManyRequests("too many people sign in at this moment", retry_after_seconds=5)
    try:
        yield
    finally:
        _AT_ONCE.release()


def _normal(password: str) -> str:
    return unicodedata.normalize("NFC", password)
