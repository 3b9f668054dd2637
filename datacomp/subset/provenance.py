"""What the lock of a combined subset says: the operation, and every input with its own lock."""

from collections.abc import Mapping, Sequence
from typing import Any

from datacomp import __version__
from datacomp.subset.blocks import SubsetFile, read_lock


def operation_lock(
    operation: str, inputs: Sequence[SubsetFile], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Provenance of `operation` over subset files that were read to their ends.

    One input that uses truth marks the result.
    """
    locks = [read_lock(file.path) for file in inputs]
    return {
        "operation": operation,
        "parameters": dict(parameters),
        "inputs": [
            {"file": file.path.name, "sha256": file.sha256, "lock": lock}
            for file, lock in zip(inputs, locks, strict=True)
        ],
        "uses_truth": any(lock is not None and bool(lock.get("uses_truth")) for lock in locks),
        "versions": {"datacomp": __version__},
    }
