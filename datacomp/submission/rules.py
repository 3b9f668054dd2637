"""Does a manifest hold together? Every finding is listed; the codes are stable.

Pure, and run by `datacomp submit` before it sends and by the service when it receives:

S201  the lock is of another subset     S202  the lock cannot be read
S301  something is missing that a submission of this kind needs
S302  something is there that has no place in it
S303  two files have the same role
S304  the checkpoint's file is not the one that the report names
S305  scale, pool or seed are not the report's
P6xx  its profile, see `profile`
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from datacomp.files import canonical_json
from datacomp.reports import Finding, Report
from datacomp.submission.manifest import Manifest
from datacomp.submission.profile import Expected, check_profile

_FILES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "report": (frozenset(), frozenset({"subset", "checkpoint"})),
    "subset": (frozenset({"subset"}), frozenset({"subset"})),
    "byod": (frozenset({"byod"}), frozenset({"byod"})),
    "plugin": (frozenset({"plugin", "selection"}), frozenset({"plugin", "selection"})),
}
_SUBSET = {"sha256": "subset_sha256", "n": "n", "n_unique": "n_unique"}


def check_manifest(manifest: Manifest, report: Report | None) -> list[Finding]:
    """Every contradiction in `manifest`; `report` is its report, read, or None if it has none."""
    findings = [*_files(manifest), *_parts(manifest), *_lock(manifest.lock, report)]
    if manifest.profile is not None:
        findings += check_profile(manifest.profile, _of_profile(manifest, report))
    if report is not None:
        findings += _as_reported(manifest, report)
    return findings


def expected_of(report: Report) -> Expected:
    """What the profile of a report's run is of."""
    run = report.run
    of_pool = {"pool_id": run.pool_id, "pool_rows": run.pool_size}
    return Expected({**of_pool, **portrait_facts(run.subset.model_dump())}, run.samples_seen)


def portrait_facts(subset: Mapping[str, Any]) -> dict[str, object]:
    """What a portrait says of a subset, of what a lock, or a check of the file, says of it."""
    return {field: subset[name] for name, field in _SUBSET.items() if name in subset}


def _of_profile(manifest: Manifest, report: Report | None) -> Expected:
    if report is not None:
        return expected_of(report)
    return Expected({"pool_id": manifest.pool_id, **portrait_facts(manifest.lock or {})})


def _files(manifest: Manifest) -> Iterator[Finding]:
    needed, possible = _FILES[manifest.kind]
    if manifest.track == "byod":
        needed, possible = needed | {"byod"}, possible | {"byod"}
    counts = Counter(file.role for file in manifest.files)
    what = f"a submission of kind {manifest.kind!r} to the track {manifest.track!r}"
    for role in sorted(needed - set(counts)):
        yield Finding("S301", None, f"{what} needs a file of role {role!r}")
    for role in sorted(set(counts) - possible):
        allowed = ", ".join(sorted(possible)) or "none"
        yield Finding("S302", None, f"{what} has no file of role {role!r}; possible: {allowed}")
    for role, n in sorted(counts.items()):
        if n > 1:
            yield Finding("S303", None, f"{n} files have the role {role!r}, at most one can")


def _parts(manifest: Manifest) -> Iterator[Finding]:
    kind = manifest.kind
    if kind == "report":
        if manifest.report is None:
            yield Finding("S301", None, "a submission of kind 'report' needs a report")
        return
    if (manifest.track == "byod") != (kind == "byod"):
        yield Finding(
            "S302",
            None,
            f"the track {manifest.track!r} takes no submission of kind {kind!r}: own data, and "
            "runs on them, go to the track 'byod', subsets and plugins to 'filtering'",
        )
    if manifest.report is not None:
        yield Finding("S302", None, f"a submission of kind {kind!r} has no report: it is trained")
    if manifest.profile is not None and manifest.profile.get("curve") is not None:
        yield Finding("S302", None, f"a submission of kind {kind!r} has no run, so no curve of one")
    for name in ("scale", "pool_id"):
        if getattr(manifest, name) is None:
            yield Finding("S301", None, f"a submission of kind {kind!r} names its {name}")


def _as_reported(manifest: Manifest, report: Report) -> Iterator[Finding]:
    run = report.run
    for name in ("scale", "pool_id", "seed"):
        stated, reported = getattr(manifest, name), getattr(run, name)
        if stated is not None and stated != reported:
            yield Finding("S305", None, f"{name} is {stated!r}, the report's is {reported!r}")
    checkpoint = manifest.file("checkpoint")
    if checkpoint is not None and checkpoint.sha256 != run.checkpoint_sha256:
        yield Finding(
            "S304",
            None,
            f"the checkpoint's sha256 is {checkpoint.sha256[:12]}, the report is of "
            f"{run.checkpoint_sha256[:12]}: hand in the weights that were evaluated",
        )


def _lock(lock: Mapping[str, Any] | None, report: Report | None) -> Iterator[Finding]:
    if lock is None:
        return
    try:
        canonical_json(lock)
    except (ValueError, RecursionError) as error:
        yield Finding("S202", None, f"the lock is not plain JSON: {error}")
    if report is not None:
        for name, expected in report.run.subset.model_dump(exclude={"name"}).items():
            if lock.get(name) != expected:
                found = f"the lock's {name} is {lock.get(name)!r}, the report's {expected!r}"
                yield Finding("S201", None, found)
    if not isinstance(lock.get("uses_truth", False), bool):
        yield Finding("S202", None, "the lock's uses_truth is neither true nor false")
