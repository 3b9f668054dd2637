"""A filter plugin as its author packs it: the template's, which keeps captions of few words."""

import zipfile
from pathlib import Path

from datacomp.filtering.template import render

NAME = "few_words"
INFO = f"{NAME}-0.1.0.dist-info"
GOOD = render(NAME)[Path(f"src/{NAME}/{NAME}.py")]
SELECTION = f"select: {{{NAME}: {{least: 0.9}}}}\n"


def wheel(path, module=GOOD, *, metadata="", entry=f"{NAME} = {NAME}:FewWords"):
    """A wheel of one module."""
    files = {
        f"{NAME}.py": module,
        f"{INFO}/METADATA": f"Metadata-Version: 2.1\nName: few-words\nVersion: 0.1.0\n{metadata}\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/entry_points.txt": f"[datacomp.filters]\n{entry}\n" if entry else "",
        f"{INFO}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path
