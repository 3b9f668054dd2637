"""What is handed in of a run: its report, its weights, its subset; found, and checked, here.

The checks are the service's own, by the same code, so that what it would refuse is not sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datacomp.client.checks import findings_of
from datacomp.errors import SubsetError
from datacomp.files import sha256_file
from datacomp.reports import Finding, Report
from datacomp.submission.byod_file import check_pool
from datacomp.submission.checks import check_file
from datacomp.submission.manifest import DeclaredFile, Manifest, Role
from datacomp.submission.rules import check_manifest
from datacomp.subset import read_lock
from datacomp.subset.blocks import SubsetFacts, read_facts


def weights_of(report: Report, report_path: Path) -> Path | None:
    """The weights that a report in RUN/evaluation/SUITE/ is of; None if they are not there."""
    from datacomp.training.checkpoint import WEIGHTS

    path = report_path.resolve().parents[2] / WEIGHTS
    if path.is_file() and sha256_file(path) == report.run.checkpoint_sha256:
        return path
    return None


def subset_of(report: Report, folders: Sequence[Path]) -> Path | None:
    """The subset file that a report's run was trained on, by its name, in one of the folders."""
    for folder in folders:
        path = folder / f"{Path(report.run.subset.name).name}.npy"
        if path.is_file() and _sha256_of(path) == report.run.subset.sha256:
            return path
    return None


def pool_id_of(url: str) -> str:
    """The id of a pool, by its manifest; `PoolError` if it has none."""
    from datacomp.pool import open_pool

    return open_pool(url).require_manifest().pool_id


def declare(paths: Mapping[Role, Path]) -> tuple[DeclaredFile, ...]:
    """Files as a manifest names them: by role, sha256 and bytes."""
    return tuple(
        DeclaredFile(role=role, sha256=sha256_file(path), size=path.stat().st_size)
        for role, path in paths.items()
    )


def findings_before(
    manifest: Manifest, report: Report | None, paths: Mapping[Role, Path]
) -> list[Finding]:
    """Every reason that can be known here for which a service would refuse this submission."""
    from datacomp.training.tensors import recipe_tensors

    findings = findings_of(report) if report is not None else []
    if not findings:
        findings += check_manifest(manifest, report)
    stated = tensors = None
    if report is not None and not findings:
        subset = report.run.subset
        stated = SubsetFacts(subset.sha256, subset.n, subset.n_unique)
        tensors = recipe_tensors(report.run.recipe_id)
    for role, path in paths.items():
        checked = check_file(role, path, stated=stated, tensors=tensors)
        if role == "byod" and not checked.findings:
            pool_id = report.run.pool_id if report is not None else manifest.pool_id
            checked = replace(checked, findings=tuple(check_pool(checked.facts, pool_id or "")))
        findings += [Finding(f.code, f.task, f"{path}: {f.message}") for f in checked.findings]
    return findings


def _sha256_of(path: Path) -> str | None:
    """The hash of a subset's array, of its lock if it has one: the check reads the file."""
    try:
        lock = read_lock(path)
        return read_facts(path).sha256 if lock is None else str(lock.get("sha256"))
    except SubsetError:
        return None
