"""Is a submission's file what its role demands? The same code in the CLI, the server, the worker.

Nothing of a file runs, nothing is unpickled or unpacked, and memory does not grow with what a
file promises. The codes are stable; docs/service.md lists them.

F001  not a plain file                 F1xx  subset: `.npy`
F2xx  checkpoint: safetensors            F3xx  byod: Parquet of url and caption
F4xx  plugin: wheel or sdist             F5xx  selection: YAML; a subset's lock
"""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from datacomp.errors import UnknownNameError
from datacomp.reports import Finding
from datacomp.submission.byod_file import check_byod
from datacomp.submission.checked import Checked, refused
from datacomp.submission.checkpoint_file import Tensor, check_checkpoint
from datacomp.submission.plugin_file import check_plugin
from datacomp.submission.selection_file import check_selection
from datacomp.submission.subset_file import check_subset
from datacomp.subset.blocks import SubsetFacts

_CHECKS: Mapping[str, Callable[[Path], Checked]] = {
    "subset": check_subset,
    "checkpoint": check_checkpoint,
    "byod": check_byod,
    "plugin": check_plugin,
    "selection": check_selection,
}
ROLES = tuple(_CHECKS)


def check_file(
    role: str,
    path: Path,
    *,
    stated: SubsetFacts | None = None,
    tensors: Mapping[str, Tensor] | None = None,
) -> Checked:
    """Check a file for its role.

    `stated` is what a report says of the subset, `tensors` what the weights of its recipe hold.

    Facts by role: subset `{sha256, n, n_unique}` (of the array, as in its lock); checkpoint
    `{n_tensors, n_parameters}`; byod `{rows, pool_id}`; plugin `{kind, name, version, filename,
    requires, entry_points}`; selection `{}`. `UnknownNameError` for another role.
    """
    if role not in _CHECKS:
        raise UnknownNameError("role", role, ROLES)
    if (found := _no_plain_file(path)) is not None:
        return refused([found])
    if role == "subset":
        return check_subset(path, stated=stated)
    if role == "checkpoint":
        return check_checkpoint(path, expected=tensors)
    return _CHECKS[role](path)


def _no_plain_file(path: Path) -> Finding | None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return Finding("F001", None, f"{path.name} cannot be read: {error.strerror}")
    if not stat.S_ISREG(mode):
        return Finding("F001", None, f"{path.name} is not a plain file")
    return None
