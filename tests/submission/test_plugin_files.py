"""Plugins: archives that mean one thing to every reader, and nothing but Python and data."""

import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile

import pytest

from datacomp.submission.checks import check_file

INFO = "long_captions-1.2.dist-info"
METADATA = (
    "Metadata-Version: 2.1\nName: long-captions\nVersion: 1.2\nRequires-Dist: numpy>=1\n\nX\n"
)
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
POINTS = "[datacomp.filters]\nLongCaptions = long_captions.rule:LongCaptions\n"
GOOD = {
    "long_captions/__init__.py": "",
    "long_captions/rule.py": "class LongCaptions: ...\n",
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/WHEEL": WHEEL,
    f"{INFO}/entry_points.txt": POINTS,
    f"{INFO}/RECORD": "",
}
SDIST = {
    "long_captions-1.2/PKG-INFO": METADATA,
    "long_captions-1.2/pyproject.toml": "[project]\nname = 'long-captions'\n",
    "long_captions-1.2/src/long_captions.py": "x = 1\n",
}


def wheel(members=(), *, without=(), modes=None, method=zipfile.ZIP_DEFLATED, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in [*(GOOD | dict(members)).items()]:
            if name in without:
                continue
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)
        archive.comment = comment
    return buffer.getvalue()


def sdist(members=(), *, without=(), kinds=None, end=b""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (SDIST | dict(members)).items():
            if name in without:
                continue
            info = tarfile.TarInfo(name)
            info.type = (kinds or {}).get(name, tarfile.REGTYPE)
            info.linkname = "/etc/passwd" if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            data = content.encode() if isinstance(content, str) else content
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue() + end)


@pytest.fixture
def check(tmp_path):
    def checked(data):
        (tmp_path / "plugin").write_bytes(data)
        return check_file("plugin", tmp_path / "plugin")

    return checked


def codes(checked):
    assert not checked.facts
    return [finding.code for finding in checked.findings]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_good_wheel(check, method):
    assert check(wheel(method=method)).facts == {
        "kind": "wheel",
        "name": "long-captions",
        "version": "1.2",
        "filename": "long_captions-1.2-py3-none-any.whl",
        "requires": ["numpy>=1"],
        "entry_points": {"LongCaptions": "long_captions.rule:LongCaptions"},
    }


def test_a_good_sdist(check):
    facts = check(sdist({"long_captions-1.2/src": ""}, kinds={"long_captions-1.2/src": b"5"})).facts
    assert (facts["kind"], facts["filename"]) == ("sdist", "long_captions-1.2.tar.gz")


BAD_NAMES = [
    "../escaped.py",
    "/etc/cron.d/x",
    "a/../../x.py",
    "a\\..\\x.py",
    "C:/x.py",
    "a//x.py",
    "./x.py",
    "a/x.py\n",
    "a/\u202ex.py",
    "a/cafe\u0301.py",
    "con.py",
    "a./x.py",
    "x" * 300,
    "Long_Captions/RULE.py",
    "long_captions/rule.py/inside.py",
    "long_captions/ruLe.py",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere(check, name):
    assert codes(check(wheel({name: "x"}))) == ["F403"]


@pytest.mark.parametrize("name", BAD_NAMES[:4])
def test_names_that_lead_elsewhere_in_an_sdist(check, name):
    assert codes(check(sdist({name: "x"}))) == ["F403"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(check):
    data = wheel({"a.py": "1", "b.py": "2"}).replace(b"b.py", b"a.py")
    assert codes(check(data)) == ["F403"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_links_and_devices(check, kind):
    assert codes(check(wheel({"a.txt": "/etc/passwd"}, modes={"a.txt": kind | 0o777}))) == ["F404"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_an_sdist(check, kind):
    name = "long_captions-1.2/a"
    assert codes(check(sdist({name: ""}, kinds={name: kind}))) == ["F404"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack(check, method):
    assert codes(check(wheel(method=method))) == ["F404"]


def test_encrypted(check):
    data = bytearray(wheel(without=[*GOOD][1:]))
    for at in (6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    assert codes(check(bytes(data))) == ["F404"]


@pytest.mark.parametrize("pack", [wheel, sdist])
def test_bombs_are_not_unpacked(check, pack):
    data = pack({"long_captions-1.2/zeros": bytes(100 * 2**20)})
    tracemalloc.start()
    assert codes(check(data)) == ["F405"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100 * 2**20


def test_a_bomb_that_lies_about_its_size(check):
    data = wheel({"zeros": bytes(40 * 2**20)})
    lie = data.replace((40 * 2**20).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    assert codes(check(lie)) == ["F402"]


def test_too_many_members(check):
    assert codes(check(wheel({f"a/{i}": "" for i in range(2001)}))) == ["F405"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"#!/bin/sh\n" + data,
        lambda data: data + b"x",
        lambda data: data[:-1],
        lambda data: data[:100],
        lambda data: data + wheel(),
        lambda data: data.replace(b"class Long", b"CLASS Long"),
    ],
)
def test_damaged_or_two_in_one(check, damage):
    checked = check(damage(wheel(method=zipfile.ZIP_STORED)))
    assert codes(checked)[0] in ("F401", "F402")


def test_a_comment_may_hide_an_archive(check):
    assert codes(check(wheel(comment=b"x" * 100))) == ["F402"]


def test_a_member_that_only_some_readers_see(check):
    data = wheel()
    hidden = wheel({"evil.py": "x"}, without=GOOD)
    local = hidden[: hidden.index(b"PK\x01\x02")]
    directory = data.index(b"PK\x01\x02")
    moved = (directory + len(local)).to_bytes(4, "little")
    shifted = data[:directory] + local + data[directory:-6] + moved + data[-2:]
    assert zipfile.ZipFile(io.BytesIO(shifted)).testzip() is None

    assert codes(check(shifted)) == ["F402"]


def test_another_name_where_it_is_stored(check):
    data = wheel()
    at = data.index(b"long_captions/rule.py")
    data = data[:at] + b"long_captions/evil.py" + data[at + 21 :]
    assert codes(check(data)) == ["F402"]


def test_a_zip_that_is_a_tar_too(check):
    data = bytearray(wheel({"a.txt": "x" * 400}, method=zipfile.ZIP_STORED))
    data[257:262] = b"ustar"
    assert codes(check(bytes(data))) == ["F402"]


@pytest.mark.parametrize("end", [b"\0" * 512 + b"hidden", b"\0" * 20_000 + b"hidden"])
def test_something_behind_the_tar(check, end):
    assert codes(check(sdist(end=end))) == ["F402"]


def test_a_zip_behind_the_tar(check):
    assert codes(check(sdist() + wheel())) == ["F402"]


@pytest.mark.parametrize(
    "name",
    ["a.so", "a/b.so.1", "x.PYD", "a.dll", "x.pyc", "long_captions.pth", "sitecustomize.py",
     "usercustomize/__init__.py", "run.exe", "long_captions-1.2.data/scripts/x"],
)  # fmt: skip
def test_what_runs_by_itself(check, name):
    assert codes(check(wheel({name: "x"}))) == ["F406"]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({f"{INFO}/WHEEL": WHEEL.replace("true", "false")}, "F406"),
        ({f"{INFO}/WHEEL": WHEEL.replace("py3-none-any", "cp311-cp311-linux_x86_64")}, "F406"),
        ({f"{INFO}/WHEEL": "x"}, "F406"),
        ({f"{INFO}/METADATA": METADATA.replace("1.2", "../1.2")}, "F407"),
        ({f"{INFO}/METADATA": METADATA.replace("long-captions", "other")}, "F407"),
        ({f"{INFO}/METADATA": METADATA.replace("Version: 1.2", "")}, "F407"),
        ({f"{INFO}/METADATA": "Name: again\n" + METADATA}, "F407"),
        ({f"{INFO}/METADATA": METADATA + "x" * 300_000}, "F407"),
        ({"other-1.dist-info/METADATA": METADATA}, "F407"),
        ({f"{INFO}/entry_points.txt": "[console_scripts]\na = b:c\n"}, "F408"),
        ({f"{INFO}/entry_points.txt": POINTS + "LongCaptions = a:b\n"}, "F407"),
        ({f"{INFO}/entry_points.txt": POINTS.replace("rule:", "rule;import os:")}, "F407"),
        ({f"{INFO}/entry_points.txt": b"\xff\xfe"}, "F407"),
    ],
)
def test_metadata_of_a_wheel(check, members, code):
    assert codes(check(wheel(members))) == [code]


@pytest.mark.parametrize("name", [f"{INFO}/METADATA", f"{INFO}/WHEEL"])
def test_a_wheel_without(check, name):
    assert codes(check(wheel(without=[name]))) == ["F407"]


@pytest.mark.parametrize(
    "data",
    [
        sdist(without=["long_captions-1.2/PKG-INFO"]),
        sdist(without=["long_captions-1.2/pyproject.toml"]),
        sdist({"other/x.py": ""}),
        sdist({"long_captions-1.2/pyproject.toml": "[["}),
        sdist({"long_captions-1.2/pyproject.toml": "a=" + "[" * 50_000}),
    ],
)
def test_metadata_of_an_sdist(check, data):
    assert codes(check(data)) == ["F407"]


@pytest.mark.parametrize("data", [b"", b"x", b"\x7fELF", b"\x80\x04N.", b"class Filter: ..."])
def test_other_files(check, data):
    assert codes(check(data)) == ["F401"]
