"""An sdist's tar.gz, unpacked in memory and held to its limit meanwhile."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path

from datacomp.submission.checked import BadFileError, shown
from datacomp.submission.plugin_members import MAX_PACKED_BYTES, Members

_READ_BYTES = 64 * 1024
_KEPT = ("PKG-INFO", "pyproject.toml")


def read_tar(path: Path) -> Members:
    """Every member, read to its end once; `kept` has PKG-INFO and pyproject.toml of its folder."""
    if path.stat().st_size > MAX_PACKED_BYTES:
        raise BadFileError("F405", f"a plugin has at most {MAX_PACKED_BYTES:,} bytes")
    members = Members()
    try:
        unpacked = _unpacked(path, members)
        with tarfile.open(
            fileobj=io.BytesIO(unpacked), mode="r:", encoding="utf-8", errors="strict"
        ) as archive:
            for member in archive:
                _take(archive, member, members)
            rest = unpacked[archive.offset :]
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        raise BadFileError("F402", f"the tar.gz is damaged: {shown(str(error))}") from None
    if rest.strip(b"\0"):
        raise BadFileError("F402", "a damaged member, or something that follows the tar's end")
    return members


def _unpacked(path: Path, members: Members) -> bytes:
    content = bytearray()
    with gzip.open(path, "rb") as file:
        while piece := file.read(_READ_BYTES):
            members.count(len(piece))
            content += piece
    return bytes(content)


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, members: Members) -> None:
    name = member.name
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise BadFileError("F404", f"{shown(name)} is a link, a device or sparse, not a plain file")
    members.add(name, folder=member.isdir())
    _, _, inside = name.partition("/")
    if member.isreg() and inside in _KEPT:
        file = archive.extractfile(member)
        assert file is not None, "a plain file has content"
        with file:
            members.keep(name, file.read())
