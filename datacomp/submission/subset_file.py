"""F1xx: a subset is a sorted `u8,u8` array in a `.npy`, and the one that the report speaks of.

F101 not a .npy           F102 another dtype        F103 not one dimension, or Fortran order
F104 cut off, or more bytes than the header says     F105 not sorted
F106 empty                F107 another subset than the report states
"""

import ast
from pathlib import Path
from typing import Any

from datacomp.errors import SubsetError
from datacomp.reports import Finding
from datacomp.submission.checked import BadFileError, Checked, refused, shown
from datacomp.subset.blocks import SubsetFacts, read_facts

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 4096
ITEM_BYTES = 16
DESCR = [("f0", "<u8"), ("f1", "<u8")]


def check_subset(path: Path, *, stated: SubsetFacts | None = None) -> Checked:
    """Check a subset file, reading 4 MiB at a time; facts `{sha256, n, n_unique}`.

    The header is judged before anything is allocated by it.
    """
    try:
        _demand_header(path)
    except BadFileError as error:
        return refused([error.finding])
    try:
        facts = read_facts(path)
    except SubsetError as error:
        return refused([Finding("F105", None, _without(path, str(error)))])
    if stated is not None and (found := _differences(facts, stated)):
        return refused(found)
    return Checked(facts=vars(facts))


def _differences(facts: SubsetFacts, stated: SubsetFacts) -> list[Finding]:
    return [
        Finding("F107", None, f"the file's {name} is {value}, the report's is {other}")
        for (name, value), other in zip(vars(facts).items(), vars(stated).values(), strict=True)
        if value != other
    ]


def _demand_header(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(MAGIC) + 2)
        if not start.startswith(MAGIC) or start[6:] not in (b"\x01\x00", b"\x02\x00"):
            raise BadFileError("F101", "the file is not a .npy of version 1.0 or 2.0")
        n_digits = 2 if start[6] == 1 else 4
        n_header = int.from_bytes(file.read(n_digits), "little")
        if n_header > MAX_HEADER_BYTES:
            raise BadFileError(
                "F101", f"its header has {n_header:,} bytes, at most {MAX_HEADER_BYTES:,} are read"
            )
        text = file.read(n_header)
        if len(text) < n_header:
            raise BadFileError("F101", "the file ends inside its header")
        shape = _demand_array(_literal(text))
        promised = shape * ITEM_BYTES
        held = path.stat().st_size - file.tell()
    if held != promised:
        raise BadFileError(
            "F104",
            f"its header promises {shape:,} uids ({promised:,} bytes), {held:,} bytes follow",
        )


def _literal(text: bytes) -> dict[str, Any]:
    try:
        header = ast.literal_eval(text.decode("latin-1").strip())
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise BadFileError("F101", f"its header is no dictionary: {shown(text)}") from None
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
        raise BadFileError("F101", f"its header is not a .npy's: {shown(header)}")
    return header


def _demand_array(header: dict[str, Any]) -> int:
    descr, fortran, shape = (header[key] for key in ("descr", "fortran_order", "shape"))
    if descr != DESCR:
        pickled = " (pickled objects are never read)" if descr == "|O" else ""
        raise BadFileError("F102", f"dtype is {shown(descr)}{pickled}, expected {DESCR}")
    if type(shape) is not tuple or len(shape) != 1 or type(shape[0]) is not int or shape[0] < 0:
        raise BadFileError("F103", f"its shape is {shown(shape)}, expected one dimension")
    if fortran is not False:
        raise BadFileError("F103", f"fortran_order is {shown(fortran)}, expected False")
    n: int = shape[0]
    if n == 0:
        raise BadFileError("F106", "the subset is empty")
    return n


def _without(path: Path, message: str) -> str:
    """The library's sentence without the path, which on the server is a hash nobody knows."""
    return message.replace(str(path), "the file")
