"""F2xx: a checkpoint is a safetensors file; its header is judged first, then its values, streamed.

F201 not safetensors           F202 header too large          F203 header not plain JSON of tensors
F204 a tensor's entry wrong    F205 bytes of another number than dtype and shape have
F206 tensors overlap, leave gaps, or do not fill the file     F207 a pickle
F208 not the tensors of the recipe's model                    F209 a value that is no finite number
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from datacomp.submission.checked import BadFileError, Checked, refused, shown

MAX_HEADER_BYTES = 1024 * 1024
MAX_NAME_LENGTH = 500
MAX_DIMENSIONS = 8
ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2,
    "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
# What all ones in these bits mean is infinity or not a number.
_NOT_FINITE = {
    "F8_E4M3": ("<u1", 0x7F), "F8_E5M2": ("<u1", 0x7C), "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80), "F32": ("<u4", 0x7F80_0000), "F64": ("<u8", 0x7FF0_0000_0000_0000),
}  # fmt: skip
BLOCK_BYTES = 2**22
_SHOWN_DIFFERENCES = 3
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Tensor:
    """What the header says of a tensor; `dtype` as safetensors names it."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Entry:
    """A tensor and its range of bytes behind the header."""

    start: int
    stop: int
    name: str
    tensor: Tensor


def check_checkpoint(path: Path, *, expected: Mapping[str, Tensor] | None = None) -> Checked:
    """Check a checkpoint; facts `{n_tensors, n_parameters}`.

    The rules are the format's own, so that every reader sees the same tensors. `expected` are
    those of the recipe's model, by name. Values are read in blocks of `BLOCK_BYTES`.
    """
    try:
        header, n_data = _read_header(path)
        entries = sorted(
            (_entry(name, value) for name, value in header.items()),
            key=lambda one: (one.start, one.stop, one.name),
        )
        _demand_whole(entries, n_data)
        if expected is not None:
            _demand_expected({one.name: one.tensor for one in entries}, expected)
        _demand_finite(path, path.stat().st_size - n_data, entries)
    except BadFileError as error:
        return refused([error.finding])
    n_parameters = sum(math.prod(one.tensor.shape) for one in entries)
    return Checked(facts={"n_tensors": len(entries), "n_parameters": n_parameters})


def _demand_whole(entries: Iterable[_Entry], n_data: int) -> None:
    end = 0
    for one in entries:
        if one.start != end:
            what = "overlaps the one before it" if one.start < end else "leaves a gap before it"
            raise _bad("F206", f"tensor {shown(one.name)} {what}")
        end = one.stop
    if end != n_data:
        raise _bad(
            "F206", f"the tensors have {end:,} bytes, the file holds {n_data:,} behind its header"
        )


def _demand_expected(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    differences = list(_differences(found, expected))
    if differences:
        told = "; ".join(differences[:_SHOWN_DIFFERENCES])
        more = len(differences) - _SHOWN_DIFFERENCES
        raise _bad(
            "F208",
            f"these are not the weights of the recipe's model: {told}"
            f"{f'; and {more} more' if more > 0 else ''}. Hand in the run's weights.safetensors",
        )


def _differences(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Iterator[str]:
    for name, want in expected.items():
        if name not in found:
            yield f"no tensor {name}"
        elif found[name] != want:
            yield f"{name} is {_as_text(found[name])}, expected {_as_text(want)}"
    for name in found.keys() - expected.keys():
        yield f"{shown(name)} is none of its tensors"


def _as_text(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {shown(list(tensor.shape))}"


def _demand_finite(path: Path, n_header: int, entries: Iterable[_Entry]) -> None:
    with path.open("rb") as file:
        file.seek(n_header)
        for one in entries:
            if one.tensor.dtype not in _NOT_FINITE:
                file.seek(n_header + one.stop)
                continue
            kind, ones = _NOT_FINITE[one.tensor.dtype]
            for start in range(one.start, one.stop, BLOCK_BYTES):
                block = np.frombuffer(file.read(min(BLOCK_BYTES, one.stop - start)), kind)
                bad = np.bitwise_and(block, block.dtype.type(ones)) == ones
                if bad.any():
                    place = (start - one.start) // block.itemsize + int(bad.argmax())
                    raise _bad(
                        "F209",
                        f"tensor {shown(one.name)}: value {place:,} is infinite or not a number",
                    )


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


def _entry(name: str, value: Any) -> _Entry:
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
    return _Entry(start, stop, name, Tensor(dtype, tuple(shape)))


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
