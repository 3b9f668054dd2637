"""One sample of a tar, taken apart and put together under another name.

The exact and slow way: any header that `datacomp.pool.tar` knows. `datacomp.shards.kernels` does
the same to plain samples, byte for byte.
"""

import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, replace

from datacomp.errors import PoolError
from datacomp.pool.tar import BLOCK, TarDamageError, members, padded, split_name

_NAME = slice(0, 100)
_SIZE, _SUM, _PREFIX = slice(124, 136), slice(148, 156), slice(345, 500)
_POSIX_MAGIC = b"ustar\0"


@dataclass(frozen=True)
class Piece:
    """A member without its key: lower-case suffix, its own header block, content."""

    suffix: str
    header: bytes
    content: bytes

    def with_content(self, suffix: str, content: bytes) -> "Piece":
        """The same member, its owner and time too, with other content."""
        return replace(self, suffix=suffix, content=content)


def take_apart(span: bytes, key: str) -> list[Piece]:
    """The files of a sample whose headers and contents are `span`, in their order.

    Raises `PoolError` unless they fill the span and all have this key; files of no sample that
    stand between are left out.
    """
    pieces, end = [], 0
    data = span + bytes(BLOCK)
    try:
        for member in members(lambda offset, size: data[offset : offset + size], len(data)):
            name, end = split_name(member.name), member.end
            if name is None:
                continue
            base, suffix = name
            if base != key:
                raise PoolError(f"a member is named {member.name!r}")
            header = data[member.offset - BLOCK : member.offset]
            content = data[member.offset : member.offset + member.size]
            pieces.append(Piece(suffix.lower(), header, content))
    except TarDamageError as error:
        raise PoolError(str(error)) from error
    if end != len(span):
        raise PoolError(f"its members end at byte {end:,} of {len(span):,}")
    return pieces


def put_together(pieces: Iterable[Piece], stem: str) -> bytes:
    """The pieces as members of a tar, named `<stem>.<suffix>`, each in whole blocks."""
    blocks = []
    for piece in pieces:
        name = f"{stem}.{piece.suffix}".encode(errors="surrogateescape")
        size = len(piece.content)
        blocks += [_header(piece.header, name, size), piece.content, bytes(padded(size) - size)]
    return b"".join(blocks)


def _header(old: bytes, name: bytes, size: int) -> bytes:
    """A member's old header with another name and size; all else is kept."""
    if len(name) > _NAME.stop:
        info = tarfile.TarInfo.frombuf(old, "utf-8", "surrogateescape")
        info.name, info.size = name.decode(errors="surrogateescape"), size
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    header = bytearray(old)
    header[_NAME] = name.ljust(_NAME.stop, b"\0")
    if old[257:263] == _POSIX_MAGIC:
        header[_PREFIX] = bytes(_PREFIX.stop - _PREFIX.start)
    if old[_SIZE.start] & 0x80 or int(old[_SIZE].split(b"\0", 1)[0].strip() or b"0", 8) != size:
        header[_SIZE] = b"%011o\0" % size
    header[_SUM] = b" " * 8
    header[_SUM] = b"%06o\0 " % sum(header)
    return bytes(header)
