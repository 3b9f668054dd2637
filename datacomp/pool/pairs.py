"""Pools of one's own data: pairs of address and caption, each with a uid made of both.

The uid of a pair is the first 128 bits of sha256("url\\ncaption"): the same pair has the same uid
in every pool, and equal rows share one. So a list of pairs has a pool id before a single picture
was fetched: whoever downloads it gets the pool of that id, whichever links are alive by then.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from datacomp.pool.manifest import PartRecord, pool_id
from datacomp.pool.schema import TEXT, UID
from datacomp.subset.uids import UID_DTYPE, UidArray

_WORD = 8


def pair_uids(urls: Sequence[str | None], captions: Sequence[str | None]) -> UidArray:
    """The uid of each pair, in their order; None counts as an empty text."""
    known: dict[tuple[str | None, str | None], bytes] = {}  # a pair may stand there very often
    for pair in zip(urls, captions, strict=True):
        if pair not in known:
            url, caption = pair
            digest = hashlib.sha256(f"{url or ''}\n{caption or ''}".encode()).digest()
            known[pair] = digest[: 2 * _WORD]
    words = np.frombuffer(b"".join(known[pair] for pair in zip(urls, captions, strict=True)), ">u8")
    return words.astype("<u8").view(UID_DTYPE)


class PairsId:
    """The id of the pool of a list of pairs, found while the list goes by."""

    def __init__(self) -> None:
        self._digest, self.rows = hashlib.sha256(), 0

    def add(self, urls: Sequence[str], captions: Sequence[str]) -> None:
        """The next pairs."""
        self._digest.update(pair_uids(urls, captions).tobytes())
        self.rows += len(urls)

    @property
    def pool_id(self) -> str:
        """What `datacomp pool index` says of a pool whose one metadata file holds these rows."""
        columns = dict.fromkeys(COLUMNS, "string")
        return pool_id([PartRecord("", 0, self.rows, columns, self._digest.hexdigest())])


COLUMNS: Iterable[str] = (UID, "url", TEXT)
"""Of that metadata file; all strings."""
