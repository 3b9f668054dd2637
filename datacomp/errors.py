"""The errors that a user can cause and mend.

DatacompError
├── UsageError           a parameter or a combination of parameters makes no sense
├── UnknownNameError     a name that no registry or suite knows
├── MissingExtraError    an optional dependency is not installed
├── PoolError            a pool, or a file in it, is not what it should be
├── SubsetError          a subset file is not a sorted `u8,u8` multiset
├── ShardsError          shards cannot be written, or a folder holds others
├── FilterError          a filter broke its contract
├── TrainingError        a run cannot start, go on, or be trusted
│   ├── DivergedError    its loss or its weights are not finite any more
│   └── ForeignSubsetError   the subset is not of the pool
├── StoppedError         a signal asked a run to stop; it saved and can go on; exit code 75
├── EvaluationError      a task or its data cannot be evaluated
├── ReportError          a report is not valid
└── ServiceError         the service refused, or could not be reached

A message says what was expected, what came, where, and what to do next. Anything else that
escapes is a defect of ours and shows its traceback.
"""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class DatacompError(Exception):
    """Base of every error that a user can act on; the CLI prints it as one line, exit code 1."""


class UsageError(DatacompError):
    """A parameter is impossible, or two exclude each other; exit code 2."""


class UnknownNameError(DatacompError):
    """A name that nothing is registered under."""

    def __init__(self, kind: str, name: str, known: Iterable[str], see: str | None = None) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        listing = f"; see: {see}" if see else f": {', '.join(names[:20])}"
        super().__init__(f"no {kind} named {name!r}.{hint} {len(names)} are known{listing}")


class MissingExtraError(DatacompError):
    """An optional dependency is not installed."""


class PoolError(DatacompError):
    """A pool, or a file in it, is not what it should be."""


class SubsetError(DatacompError):
    """A subset file is not a sorted `u8,u8` multiset, or does not fit the pool."""


class ShardsError(DatacompError):
    """Shards cannot be written, or the folder to write to holds shards of something else."""


class FilterError(DatacompError):
    """A filter broke its contract, or cannot run on this pool."""


class TrainingError(DatacompError):
    """A run cannot start, go on, or be trusted."""


class DivergedError(TrainingError):
    """The loss or the weights of a run are not finite any more."""


class ForeignSubsetError(TrainingError):
    """A subset has entries that the pool does not have, or none that it has."""


class StoppedError(DatacompError):
    """A run was asked to stop, and saved where it was; exit code 75, EX_TEMPFAIL of sysexits.h."""


class EvaluationError(DatacompError):
    """A task or its data cannot be evaluated."""


class ReportError(DatacompError):
    """A report does not follow its schema, or fails its checks."""


class ServiceError(DatacompError):
    """The service refused a request, or could not be reached."""


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra of this distribution brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingExtraError(
            f"this needs the package {error.name!r}, which is not installed. "
            f"Run: pip install 'datacomp[{extra}]'"
        ) from error
