"""What `datacomp submit` hands in: the parts of a manifest, as given and as found."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.errors import SubsetError, UsageError
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp.reports import Report
    from datacomp.submission.manifest import Manifest

Paths = dict[Any, Path]
"""Files by role."""


@dataclass(frozen=True)
class Parts:
    """Files, the lock, the manifest's other fields; the report if there is a run."""

    paths: Paths
    lock: dict[str, Any] | None
    fields: dict[str, Any]
    report: "Report | None" = None
    name: str = "this"

    def manifest(self, method: str, description: str | None) -> "Manifest":
        """The manifest, with the hashes of the files."""
        from datacomp.client.gathering import declare
        from datacomp.submission.manifest import Manifest

        return Manifest(
            method=method,
            description=description,
            files=declare(self.paths),
            lock=self.lock,
            **self.fields,
        )


def given_files(**given: Path | None) -> Paths:
    """Role to file of those that were named; `UsageError` if one is not there."""
    paths: Paths = {role: path for role, path in given.items() if path is not None}
    if missing := [str(path) for path in paths.values() if not path.is_file()]:
        raise UsageError(f"there is no file {', '.join(missing)}")
    return paths


def parts_of_run(
    workspace: Workspace,
    report_path: Path,
    given: Paths,
    lock: Path | None,
    report_only: bool,
) -> Parts:
    """A run that was trained and evaluated: files given, and those found that are its report's."""
    from datacomp.client.gathering import subset_of, weights_of
    from datacomp.reports import RunProvenance, read_report

    if report_only and (wrong := given.keys() - {"byod"}):
        raise UsageError(f"--report-only sends no files: leave out --{min(wrong)}")
    report, paths = read_report(report_path), given
    if not report_only and isinstance(report.provenance, RunProvenance):
        found = {
            "subset": subset_of(report, (workspace.subsets, workspace.root)),
            "checkpoint": weights_of(report, report_path),
        }
        paths = {role: path for role, path in found.items() if path is not None} | given
    track = "byod" if "byod" in paths else "filtering"
    fields = {"track": track, "report": report.as_json()}
    return Parts(paths, _lock(lock, paths), fields, report, str(report_path))


def parts_to_train(
    workspace: Workspace,
    paths: Paths,
    lock: Path | None,
    scale: str | None,
    pool: str | None,
    seed: int | None,
) -> Parts:
    """What workers are to train on: own data, a subset, or what a plugin chooses."""
    scale, seed = scale or workspace.scale, workspace.seed if seed is None else seed
    fields: dict[str, Any] = {"scale": scale, "seed": seed}
    locked = _lock(lock, paths)
    if "byod" in paths:
        if pool:
            raise UsageError("own data are a pool by themselves: leave out --pool")
        fields |= {"kind": "byod", "track": "byod", "pool_id": _own_pool_id(paths["byod"])}
        return Parts(paths, locked, fields)
    from datacomp.client.gathering import pool_id_of

    pool_id = (locked or {}).get("pool_id")
    if pool or not isinstance(pool_id, str):
        pool_id = pool_id_of(pool or workspace.pool_for(scale))
    fields |= {"kind": "plugin" if "plugin" in paths else "subset", "pool_id": pool_id}
    return Parts(paths, locked, fields)


def _own_pool_id(path: Path) -> str:
    """The id of the pool that own data make; empty if they are none, which the checks will say."""
    from datacomp.submission.checks import check_file

    return str(check_file("byod", path).facts.get("pool_id", "none"))


def _lock(path: Path | None, paths: Paths) -> dict[str, Any] | None:
    """The lock in a file, else that beside the subset, if there is one."""
    from datacomp.subset import read_lock

    if path is None:
        return read_lock(paths["subset"]) if "subset" in paths else None
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SubsetError(f"cannot read the lock file {path}: {error}") from error
    if not isinstance(value, dict):
        raise SubsetError(f"{path} is not a lock file: expected a JSON object")
    return value
