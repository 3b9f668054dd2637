"""The header walk against `tarfile`; damage is found where it is."""

import io
import tarfile

import pytest

from datacomp.pool.tar import Member, TarDamageError, members

FILES = {
    "000.jpg": b"x" * 700,
    "000.txt": b"",
    "a/" + "long" * 50 + ".json": b"{}",
    "ünicode.jpg": b"y" * 512,
}


def archive(form: int, files: dict[str, bytes] = FILES) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        folder = tarfile.TarInfo("a")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def walk(data: bytes) -> list[Member]:
    return list(members(lambda offset, size: data[offset : offset + size], len(data)))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_finds_the_members_that_tarfile_finds(form: int) -> None:
    files = (
        {"short/" * 30 + "x.jpg": b"1", **FILES}
        if form != tarfile.USTAR_FORMAT
        else {"short/" * 30 + "x.jpg": b"1", "000.jpg": b"x" * 700}
    )
    data = archive(form, files)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [Member(i.name, i.offset_data, i.size, i.offset) for i in tar if i.isfile()]
    assert walk(data) == expected
    assert {m.name: data[m.offset : m.offset + m.size] for m in walk(data)} == files


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (512 + 512 + 100, "promises 700 bytes, 100 follow"),
        (512 + 512 + 1024, "without the end-of-archive mark"),
        (512 + 512 + 1024 + 20, "without the end-of-archive mark"),
    ],
)
def test_says_where_a_tar_breaks_off(keep: int, says: str) -> None:
    with pytest.raises(TarDamageError, match=says):
        walk(archive(tarfile.GNU_FORMAT)[:keep])


def test_refuses_bytes_that_are_no_header() -> None:
    data = bytearray(archive(tarfile.GNU_FORMAT))
    data[512] ^= 1
    with pytest.raises(TarDamageError, match="no valid member header at byte 512"):
        walk(bytes(data))


def test_an_empty_file_is_damaged() -> None:
    with pytest.raises(TarDamageError, match="ends at byte 0"):
        walk(b"")
