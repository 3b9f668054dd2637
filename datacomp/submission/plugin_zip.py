"""A wheel's zip, read strictly: every reader of zips must see the same members in it.

The members follow one another from the file's first byte, the central directory follows the last
one, and the end record is the file's end: there is no room for another archive, or for a member
that only some readers see.
"""

import stat
import struct
import zipfile
import zlib
from pathlib import Path

from datacomp.submission.checked import BadFileError, shown
from datacomp.submission.plugin_members import MAX_PACKED_BYTES, Members

_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_READ_BYTES = 64 * 1024
_TAR_MAGIC = slice(257, 262)
_DESCRIPTOR, _ENCRYPTED = 0x08, 0x2041


def read_zip(path: Path) -> Members:
    """Every member, read to its end once; `kept` has the files of its `.dist-info`."""
    if path.stat().st_size > MAX_PACKED_BYTES:
        raise BadFileError("F405", f"a plugin has at most {MAX_PACKED_BYTES:,} bytes")
    data = path.read_bytes()
    if data[_TAR_MAGIC] == b"ustar":
        raise BadFileError("F402", "the file is a zip and a tar at once")
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _demand_layout(data, archive.start_dir, infos)
            return _read(archive, infos)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BadFileError("F402", f"the zip is damaged: {shown(str(error))}") from None


def _demand_layout(data: bytes, directory: int, infos: list[zipfile.ZipInfo]) -> None:
    if len(data) < _END.size or not data.startswith(b"PK\x05\x06", len(data) - _END.size):
        raise BadFileError("F402", "the zip has a comment, or something behind its end")
    _, disk, first, here, total, size, start, _ = _END.unpack_from(data, len(data) - _END.size)
    if (disk, first, here, start + size) != (0, 0, total, len(data) - _END.size):
        raise BadFileError("F402", "the zip's end does not describe the file that it ends")
    if start != directory or total != len(infos):
        raise BadFileError("F402", "the zip's directory is not where its end says")
    position = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset != position:
            raise BadFileError(
                "F402", f"there are bytes of no member before {shown(info.filename)}"
            )
        position = _end_of_member(data, info)
    if position != start:
        raise BadFileError("F402", "there are bytes of no member before the zip's directory")


def _end_of_member(data: bytes, info: zipfile.ZipInfo) -> int:
    name = shown(info.filename)
    if info.header_offset + _LOCAL.size > len(data):
        raise BadFileError("F402", f"{name} is not where the zip's directory says")
    magic, _, flags, method, _, _, crc, packed, unpacked, n_name, n_extra = _LOCAL.unpack_from(
        data, info.header_offset
    )
    start = info.header_offset + _LOCAL.size
    if magic != b"PK\x03\x04" or data[start : start + n_name] != _raw_name(info):
        raise BadFileError("F402", f"{name} has another name where it is stored")
    if (flags, method) != (info.flag_bits, info.compress_type):
        raise BadFileError("F402", f"{name} is described otherwise where it is stored")
    if flags & _ENCRYPTED or flags & _DESCRIPTOR:
        raise BadFileError("F404", f"{name} is encrypted, or its size stands behind it")
    if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadFileError("F404", f"{name} is packed by method {method}, expected 0 or 8")
    if (crc, packed, unpacked) != (info.CRC, info.compress_size, info.file_size):
        raise BadFileError("F402", f"{name} has another size or checksum where it is stored")
    return int(start + n_name + n_extra + packed)


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def _read(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Members:
    members = Members()
    for info in infos:
        name, mode = info.orig_filename, info.external_attr >> 16
        if name != info.filename or (stat.S_IFMT(mode) and not _is_plain(mode, info.is_dir())):
            raise BadFileError("F404", f"{shown(name)} is a link or a device, not a plain file")
        members.add(name, folder=info.is_dir())
        _inflate(archive, info, members)
    return members


def _is_plain(mode: int, folder: bool) -> bool:
    return stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, members: Members) -> None:
    folder, _, file_name = info.filename.rpartition("/")
    wanted = folder.endswith(".dist-info") and "/" not in folder and file_name != "RECORD"
    content, n_bytes = bytearray(), 0
    with archive.open(info) as stream:
        while piece := stream.read(_READ_BYTES):
            n_bytes += len(piece)
            members.count(len(piece))
            if wanted:
                content += piece
    if n_bytes != info.file_size:
        raise BadFileError("F402", f"{shown(info.filename)} has another size than it says")
    if wanted:
        members.keep(info.filename, bytes(content))
