"""F4xx: a plugin is a pure-Python wheel or sdist that cannot surprise whoever unpacks it.

F401 neither a wheel nor an sdist       F402 not one plain archive: damaged, or two in one
F403 a member's name                    F404 a member that is no plain file, or packed otherwise
F405 too many members, or too large unpacked
F406 compiled code, or files that run by themselves
F407 its metadata                       F408 no entry point in the group datacomp.filters

Nothing is unpacked to disk and nothing of it runs. The rules on archives are the package index's.
"""

from pathlib import Path

from datacomp.submission.checked import BadFileError, Checked, refused
from datacomp.submission.plugin_metadata import sdist_facts, wheel_facts
from datacomp.submission.plugin_tar import read_tar
from datacomp.submission.plugin_zip import read_zip


def check_plugin(path: Path) -> Checked:
    """Check a plugin's archive. Facts `{kind: wheel|sdist, name, version, filename, requires,
    entry_points}`: `filename` is what an installer wants it to be called, `requires` the
    requirements as they stand in its metadata, `entry_points` name -> target of its filters
    (an sdist's are known once it is built, and empty here).
    """
    with path.open("rb") as file:
        start = file.read(4)
    try:
        if start == b"PK\x03\x04":
            return Checked(facts=wheel_facts(read_zip(path)))
        if start.startswith(b"\x1f\x8b"):
            return Checked(facts=sdist_facts(read_tar(path)))
        raise BadFileError("F401", "the file is neither a wheel (.whl) nor an sdist (.tar.gz)")
    except BadFileError as error:
        return refused([error.finding])
