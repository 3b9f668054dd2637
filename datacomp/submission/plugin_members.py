"""Names and sizes of an archive's members: what both kinds of plugin must hold to."""

import re
import unicodedata

from datacomp.submission.checked import BadFileError, shown

MAX_MEMBERS = 2000
MAX_UNPACKED_BYTES = 32 * 2**20
MAX_PACKED_BYTES = 16 * 2**20
MAX_NAME_LENGTH = 250
MAX_METADATA_BYTES = 256 * 1024
# Machine code, bytecode without its source, and what an interpreter runs at its start.
_REFUSED = re.compile(
    r".*\.(so(\.[0-9.]+)?|pyd|dll|dylib|exe|o|a|jar|pyc|pyo|pth|egg-link|bat|cmd|com|scr)",
    re.IGNORECASE | re.DOTALL,
)
_RUNS_AT_START = ("sitecustomize", "usercustomize")
_WINDOWS_NAMES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


class Members:
    """The members seen so far, none of which may be where another is, on any file system."""

    def __init__(self) -> None:
        self.unpacked = 0
        self._seen: set[str] = set()
        self._folders: set[str] = set()
        self.names: list[str] = []
        self.kept: dict[str, bytes] = {}

    def add(self, name: str, *, folder: bool) -> None:
        """Take a member's name in; F403, F405, F406."""
        self.names.append(name)
        if len(self.names) > MAX_MEMBERS:
            raise BadFileError("F405", f"more than {MAX_MEMBERS:,} members")
        parts = _parts(name)
        key = "/".join(_key(part) for part in parts)
        above = {"/".join(_key(p) for p in parts[:i]) for i in range(1, len(parts))}
        if (key in self._seen and not (folder and key in self._folders)) or (
            not folder and key in self._folders
        ):
            raise BadFileError("F403", f"two members would be {shown(name)}")
        if clash := above & (self._seen - self._folders):
            raise BadFileError("F403", f"{shown(name)} is inside of a file, {shown(clash.pop())}")
        self._seen.add(key)
        self._folders |= above | ({key} if folder else set())
        if not folder and (_REFUSED.fullmatch(name) or _runs_at_start(parts)):
            raise BadFileError(
                "F406",
                f"{shown(name)}: plugins are Python source and data, nothing compiled and "
                "nothing that runs by itself",
            )

    def folders_at_top(self) -> set[str]:
        """The first part of every member's name."""
        return {key.split("/")[0] for key in self.names}

    def count(self, n_bytes: int) -> None:
        """Count unpacked bytes; F405."""
        self.unpacked += n_bytes
        if self.unpacked > MAX_UNPACKED_BYTES:
            raise BadFileError("F405", f"unpacked it has more than {MAX_UNPACKED_BYTES:,} bytes")

    def keep(self, name: str, content: bytes) -> None:
        """Remember a metadata file; F407 if it is too large."""
        if len(content) > MAX_METADATA_BYTES:
            raise BadFileError("F407", f"{shown(name)} has more than {MAX_METADATA_BYTES:,} bytes")
        self.kept[name] = content


def _parts(name: str) -> list[str]:
    parts = name.removesuffix("/").split("/")
    if len(name) > MAX_NAME_LENGTH or not all(map(_is_good, parts)):
        raise BadFileError(
            "F403",
            f"{shown(name)} is no relative path in plain characters of at most {MAX_NAME_LENGTH}",
        )
    return parts


def _is_good(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and part.isprintable()
        and not set(part) & set('\\:*?"<>|')
        and part == part.rstrip(" .")
        and unicodedata.is_normalized("NFC", part)
        and not _WINDOWS_NAMES.fullmatch(part)
    )


def _key(part: str) -> str:
    return unicodedata.normalize("NFKC", part).casefold()


def _runs_at_start(parts: list[str]) -> bool:
    return any(part.casefold().split(".")[0] in _RUNS_AT_START for part in parts)
