"""The score store: what steps and fits produced, outside the pool.

    scores/<step>/<key, 16 hex>/step.json                      what made it
    scores/<step>/<key, 16 hex>/<part>.<input, 12 hex>.parquet  columns uid_hi, uid_lo, outputs
    scores/<step>/<key, 16 hex>/manifest.jsonl                 a line per file written
    scores/fits/<fit>/<key, 16 hex>/arrays.npz                 what a fit computed
    scores/fits/<fit>/<key, 16 hex>/...                        its own log and checkpoints

Rows stand as in the pool part, null where the step failed on a row. A file is used again only if
its footer holds the full key of step and input; the manifest tells people, and the estimate of
costs, what was done.
"""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from datacomp import __version__
from datacomp.errors import FilterError
from datacomp.files import atomic_open, canonical_json, locked, sha256_json, write_json
from datacomp.filtering.spec import FitSpec, StepSpec
from datacomp.subset import UidArray

_KEY = b"datacomp.key"
_ARRAYS = "arrays.npz"


@dataclass(frozen=True)
class Task:
    """One part to compute: its name, its rows, and the fingerprint of what the step reads."""

    part: str
    n_rows: int
    fingerprint: str


@dataclass(frozen=True)
class ScoreStore:
    """Files under `root`; made when the first is written."""

    root: Path

    def demand_writable(self) -> None:
        """`FilterError` if no file can be made here, which is better known before computing."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.root).close()
        except OSError as error:
            raise FilterError(
                f"cannot write to the score store {self.root}: {error}. Name another with --store"
            ) from error

    def folder(self, spec: StepSpec) -> Path:
        """Where the results of a step stand."""
        return self.root / spec.name / spec.key[:16]

    def path(self, spec: StepSpec, task: Task) -> Path:
        """The file of one part."""
        return self.folder(spec) / f"{task.part}.{task.fingerprint[:12]}.parquet"

    def holds(self, spec: StepSpec, task: Task) -> bool:
        """Whether the part's file is there, whole, and of this very step and input."""
        path = self.path(spec, task)
        if not path.is_file():
            return False
        try:
            footer = pq.read_metadata(path)
        except (OSError, pa.ArrowException):
            return False
        key = (footer.metadata or {}).get(_KEY)
        return footer.num_rows == task.n_rows and key == result_key(spec, task).encode()

    def write(
        self,
        spec: StepSpec,
        task: Task,
        uids: UidArray,
        outputs: pa.Table,
        facts: Mapping[str, Any],
    ) -> None:
        """Write a part's results, then its manifest line; the file's bytes hold no clock.

        `facts` go into the line; `seconds` among them feeds the estimate of costs.
        """
        columns = [pa.array(uids["f0"]), pa.array(uids["f1"]), *outputs.columns]
        names = ["uid_hi", "uid_lo", *outputs.column_names]
        key = result_key(spec, task)
        table = pa.table(columns, names=names).replace_schema_metadata({_KEY: key.encode()})
        described = self.folder(spec) / "step.json"
        if not described.is_file():
            write_json(described, asdict(spec))
        with atomic_open(self.path(spec, task)) as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        nulls = {name: outputs.column(name).null_count for name in outputs.column_names}
        line = {
            "part": task.part,
            "file": self.path(spec, task).name,
            "key": key,
            "n_rows": task.n_rows,
            "nulls": nulls,
            "datacomp": __version__,
            **facts,
        }
        _append(self.folder(spec) / "manifest.jsonl", canonical_json(line) + b"\n")

    def read(self, spec: StepSpec, task: Task, column: str) -> pa.ChunkedArray:
        """One stored column of a part; `FilterError` if it is not there any more."""
        if not self.holds(spec, task):
            raise FilterError(
                f"{self.path(spec, task)} is gone or damaged since it was computed. Run again."
            )
        path = self.path(spec, task)
        try:
            return pq.read_table(path, columns=[column], page_checksum_verification=True).column(0)
        except (OSError, pa.ArrowException) as error:
            raise FilterError(f"{path} is damaged ({error}). Delete it and run again.") from error

    def rows_per_second(self, spec: StepSpec) -> float | None:
        """What one worker did on this machine, from the manifest; None before the first part."""
        rows, seconds = 0.0, 0.0
        for line in _lines(self.folder(spec) / "manifest.jsonl"):
            match line:
                case {"n_rows": int(n_rows), "seconds": float() | int() as spent}:
                    rows, seconds = rows + n_rows, seconds + spent
        return rows / seconds if rows > 0 and seconds > 0 else None

    def fit_folder(self, name: str, key: str) -> Path:
        """Where a fit works and its arrays stand; `key` is of the fit and all that it read."""
        return self.root / "fits" / name / key[:16]

    @contextmanager
    def fitting(self, name: str, key: str) -> Iterator[Path]:
        """The folder of a fit while it is computed; `FilterError` if another process does that."""
        folder = self.fit_folder(name, key)
        busy = FilterError(f"another process computes fit {name!r} in {folder}. Wait for it")
        with locked(folder, busy):
            yield folder

    def write_fit(self, spec: FitSpec, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write what made a fit's arrays, then the arrays."""
        folder = self.fit_folder(spec.name, key)
        write_json(folder / "fit.json", {"key": key, **asdict(spec)})
        with atomic_open(folder / _ARRAYS) as file:
            np.savez(file, allow_pickle=False, **dict(arrays))

    def read_fit(self, name: str, key: str) -> dict[str, npt.NDArray[Any]] | None:
        """A fit's arrays; None if they are not there, or damaged."""
        folder = self.fit_folder(name, key)
        try:
            made = json.loads((folder / "fit.json").read_bytes())
            if not isinstance(made, dict) or made.get("key") != key:
                return None
            with (folder / _ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile):
            return None


def result_key(spec: StepSpec, task: Task) -> str:
    """Hex sha256 of step and input: equal keys mean equal results."""
    return sha256_json({"step": spec.key, "part_input": task.fingerprint})


def _append(path: Path, line: bytes) -> None:
    """Append with one write, so that lines of several processes do not mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _lines(path: Path) -> Iterator[Any]:
    """The manifest's lines; one torn by a power cut only loses its share of the estimate."""
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
