"""The workspace: where commands look and write when no path is given.

A workspace is the nearest folder upwards that holds a `datacomp.toml`, or the current folder.
Every key of the file is optional:

    scale = "tiny"                       # default of --scale
    pool = "pools/tiny"                  # default of --pool: a folder or an fsspec URL
    subset = "subsets/mine.npy"          # default of --subset; without it, the whole pool
    seed = 0
    service = "http://127.0.0.1:8000"    # where `datacomp submit` goes

Relative paths start from the file's folder. An unknown key is an error.
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import UsageError

FILE_NAME = "datacomp.toml"
DEFAULT_SCALE = "tiny"
DEFAULT_SERVICE = "http://127.0.0.1:8000"
_KEYS = {"scale": str, "pool": str, "subset": str, "seed": int, "service": str}


@dataclass(frozen=True)
class Workspace:
    """Folders and defaults; nothing is created until something is written there."""

    root: Path
    scale: str = DEFAULT_SCALE
    pool: str | None = None
    subset: str | None = None
    seed: int = 0
    service: str = DEFAULT_SERVICE

    @classmethod
    def find(cls, start: Path | None = None) -> "Workspace":
        """The workspace around `start` (default: the current folder)."""
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / FILE_NAME).is_file():
                return cls.read(folder / FILE_NAME)
        return cls(root=start)

    @classmethod
    def read(cls, path: Path) -> "Workspace":
        """Read one `datacomp.toml`; `UsageError` on an unknown key or a wrong type."""
        try:
            values: dict[str, Any] = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{path} is not valid TOML: {error}") from error
        for key, value in values.items():
            if key not in _KEYS:
                raise UsageError(f"{path}: unknown key {key!r}; known are: {', '.join(_KEYS)}")
            if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
                raise UsageError(
                    f"{path}: {key} must be of type {_KEYS[key].__name__}, got {value!r}"
                )
        return cls(root=path.parent.resolve(), **values)

    def pool_for(self, scale: str) -> str:
        """The pool of a scale: the configured one, else `pools/<scale>` in the workspace."""
        return self._absolute(self.pool) if self.pool else str(self.root / "pools" / scale)

    def default_subset(self) -> Path | None:
        """The configured subset file, or None for the whole pool."""
        return Path(self._absolute(self.subset)) if self.subset else None

    @property
    def subsets(self) -> Path:
        """Folder of subset files."""
        return self.root / "subsets"

    @property
    def scores(self) -> Path:
        """Folder of the score store."""
        return self.root / "scores"

    @property
    def runs(self) -> Path:
        """Folder of training runs."""
        return self.root / "runs"

    @property
    def evaluations(self) -> Path:
        """Folder of the reports of models that no run here trained."""
        return self.root / "evaluations"

    def newest_run(self) -> Path:
        """The run that was finished last; `UsageError` if there is none."""
        return self._newest("*/weights.safetensors", "finished run", "datacomp train").parent

    def newest_report(self) -> Path:
        """The report that was written last; `UsageError` if there is none."""
        return self._newest("*/evaluation/*/report.json", "report", "datacomp evaluate")

    def _newest(self, pattern: str, what: str, remedy: str) -> Path:
        found = sorted(self.runs.glob(pattern), key=lambda path: path.stat().st_mtime_ns)
        if not found:
            raise UsageError(f"no {what} in {self.runs}. Name one, or make one with: {remedy}")
        return found[-1]

    @property
    def service_dir(self) -> Path:
        """Folder of the local service: its database and artifacts."""
        return self.root / "service"

    def _absolute(self, path: str) -> str:
        return path if "://" in path else str(self.root / path)


def cache_dir() -> Path:
    """Where things that any workspace can share are kept (the tiny teacher, suite data).

    `DATACOMP_CACHE`, else `XDG_CACHE_HOME/datacomp`, else `~/.cache/datacomp`.
    """
    if explicit := os.environ.get("DATACOMP_CACHE"):
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "datacomp"
