"""What the lock of a combined subset says: the operation, and every input with its own lock."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datacomp import __version__
from datacomp.subset.subset import Subset, read_lock


def operation_lock(
    operation: str, inputs: Sequence[tuple[Path, Subset]], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Provenance of `operation` over subset files; one input that uses truth marks the result."""
    locks = [read_lock(path) for path, _ in inputs]
    return {
        "operation": operation,
        "parameters": dict(parameters),
        "inputs": [
            {"file": path.name, "sha256": subset.sha256, "lock": lock}
            for (path, subset), lock in zip(inputs, locks, strict=True)
        ],
        "uses_truth": any(lock is not None and bool(lock.get("uses_truth")) for lock in locks),
        "versions": {"datacomp": __version__},
    }
