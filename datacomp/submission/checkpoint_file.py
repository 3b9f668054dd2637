"""F2xx: a checkpoint is a safetensors file; its header is read, its tensors are not.

F201 not safetensors           F202 header too large          F203 header not plain JSON of tensors
F204 a tensor's entry wrong    F205 bytes of another number than dtype and shape have
F206 tensors overlap, leave gaps, or do not fill the file     F207 a pickle
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from datacomp.submission.checked import BadFileError, Checked, refused, shown

MAX_HEADER_BYTES = 1024 * 1024
MAX_NAME_LENGTH = 500
MAX_DIMENSIONS = 8
ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2,
    "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def check_checkpoint(path: Path) -> Checked:
    """Check a checkpoint's header against the file; facts `{n_tensors, n_parameters}`.

    The rules are the format's own, so that every reader sees the same tensors.
    """
    try:
        header, n_data = _read_header(path)
        entries = [_entry(name, value) for name, value in header.items()]
    except BadFileError as error:
        return refused([error.finding])
    end = 0
    for start, stop, name, _ in sorted(entries):
        if start != end:
            what = "overlaps the one before it" if start < end else "leaves a gap before it"
            return refused([_bad("F206", f"tensor {shown(name)} {what}").finding])
        end = stop
    if end != n_data:
        message = f"the tensors have {end:,} bytes, the file holds {n_data:,} behind its header"
        return refused([_bad("F206", message).finding])
    n_parameters = sum(n_items for _, _, _, n_items in entries)
    return Checked(facts={"n_tensors": len(entries), "n_parameters": n_parameters})


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(_PICKLES):
            raise _bad("F207", "the file is a pickle or a zip, which is never read; write it with "
                       "safetensors.torch.save_file")  # fmt: skip
        n_header = int.from_bytes(start, "little")
        if len(start) < 8 or n_header > size - 8 or n_header < 2:
            raise _bad("F201", f"the file is not safetensors: its first 8 bytes {shown(start)} "
                       f"are no length of a header in {size:,} bytes")  # fmt: skip
        if n_header > MAX_HEADER_BYTES:
            limit = f"at most {MAX_HEADER_BYTES:,} are read"
            raise _bad("F202", f"its header has {n_header:,} bytes, {limit}")
        text = file.read(n_header)
    try:
        header = json.loads(
            text.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=_no_float,
        )
    except (ValueError, RecursionError) as error:
        raise _bad("F203", f"its header is not plain JSON: {shown(str(error))}") from None
    if not isinstance(header, dict):
        raise _bad("F203", "its header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(type(v) is str for v in metadata.values()):
        raise _bad("F203", "its __metadata__ is not an object of strings")
    if not header:
        raise _bad("F203", "it holds no tensors")
    return header, size - 8 - n_header


def _entry(name: str, value: Any) -> tuple[int, int, str, int]:
    if len(name) > MAX_NAME_LENGTH:
        raise _bad("F204", f"the name {shown(name)} has more than {MAX_NAME_LENGTH} characters")
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise _bad("F204", f"tensor {shown(name)}: expected dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise _bad("F204", f"tensor {shown(name)}: dtype {shown(dtype)} is none of safetensors")
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise _bad("F204", f"tensor {shown(name)}: {shown(shape)} is no shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _bad("F204", f"tensor {shown(name)}: data_offsets {shown(offsets)} are no range")
    n_items, (start, stop) = math.prod(shape), offsets
    if stop - start != n_items * ITEM_BYTES[dtype]:
        raise _bad("F205", f"tensor {shown(name)}: {dtype} of shape {shown(shape)} has "
                   f"{n_items * ITEM_BYTES[dtype]} bytes, its range {stop - start}")  # fmt: skip
    return start, stop, name, n_items


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {shown(key)} stands there twice")
        made[key] = value
    return made


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{shown(text)} is no whole number")


def _bad(code: str, message: str) -> BadFileError:
    return BadFileError(code, message)
