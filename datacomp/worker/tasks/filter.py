"""A job of kind `filter`: from a submitted plugin and its selection file to a subset and its lock.

The plugin's code runs in the sandbox only, twice from nothing: once for the conformance kit, once
on the pool. What comes back is bytes; they are a subset when the checks out here say so, and the
lock is made out here of what is known out here.
"""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from datacomp import __version__
from datacomp.files import sha256_file, write_json
from datacomp.pool import Pool, open_pool
from datacomp.pool.pool import METADATA, TRUTH
from datacomp.pool.samples import search_uids
from datacomp.submission.checks import check_file
from datacomp.submission.subset_file import check_subset
from datacomp.subset import SubsetFacts, UidArray, format_uids
from datacomp.subset.blocks import READ_AT_ONCE, SubsetFile, lock_path
from datacomp.subset.uids import starts_of_runs
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import Made, Order
from datacomp.worker.plugins import limits_here, unable
from datacomp.worker.plugins.stages import MESSAGES, Stage
from datacomp.worker.sandbox import MIB, Limits, Outcome, SandboxError, Work, run
from datacomp.worker.telling import Telling

PLUGIN, SELECTION, SUBSET, LOCK = "plugin", "selection", "subset", "lock"
INSIDE = "datacomp.worker.plugins.inside"
TASKS = ("check", "select")
CHECK_SECONDS = 900.0
Look = Callable[[str, float], None]


@dataclass(frozen=True)
class PluginPlace:
    """What a worker gives plugins: a pool and assets in local folders, and how much of itself."""

    pool: Path
    assets: Path | None = None
    workers: int = 1
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Selected:
    """The subset and its lock, as files, and what the subset was found to be."""

    subset: Path
    lock: Path
    facts: SubsetFacts


def filter_job(
    folder: Path,
    inputs: Mapping[str, Path],
    place: PluginPlace,
    log: IO[bytes],
    look: Look | None = None,
) -> Selected:
    """Check and run a plugin; `inputs` are the files by role, plugin and selection.

    `folder` gets the subset and its lock, `log` what is for the submission's team. `look` is called
    often with what is being done and the seconds that it took so far; what it raises ends the job.

    Raises `UserFault` for what is the plugin's doing; `SandboxError`, and `PoolError` for a pool
    that is not indexed, for what is this machine's.
    """
    if why := unable():
        raise SandboxError(f"this machine cannot run plugins: {why}")
    pool = open_pool(str(place.pool))
    pool.require_manifest()
    _demand_readable(place)
    archive = _demand_files(inputs)
    given = _given(folder / "given", inputs)
    made = folder / "made.npy"
    for task in TASKS:
        work = Work(
            [sys.executable, "-P", "-m", INSIDE, task, archive, str(place.workers)],
            binds=_binds(given, place),
            environment=_environment(place),
            limits=_limits(task, place.limits),
        )
        outcome = run(work, log=log, output=made, look=_told(look, task))
        _demand_success(outcome, task)
    facts = _checked(made, pool)
    subset = folder / "subset.npy"
    made.replace(subset)
    write_json(lock_path(subset), _lock(inputs, place, pool, facts, outcome))
    return Selected(subset, lock_path(subset), facts)


def filter_pool(order: Order, work: Path, telling: Telling) -> Sequence[Made]:
    """`filter_job` as a task: its files by role."""
    from datacomp.filtering.assets import folders

    if order.pool is None or "://" in order.pool:
        raise SandboxError(f"plugins need a pool in a local folder, got {order.pool}")
    place = PluginPlace(
        Path(order.pool),
        assets=next((one.resolve() for one in folders() if one.is_dir()), None),
        workers=order.decode_threads,
        limits=limits_here(order.params["wall_seconds"]),
    )
    inputs = {role: order.input(role) for role in (PLUGIN, SELECTION)}
    told = {task: False for task in TASKS}

    def look(task: str, _: float) -> None:
        if not told[task]:
            told[task] = True
            telling.stage(f"plugin: {task}")

    found = filter_job(work, inputs, place, sys.stdout.buffer, look)
    facts = asdict(found.facts)
    return [Made(SUBSET, found.subset, facts), Made(LOCK, found.lock)]


def _demand_files(inputs: Mapping[str, Path]) -> str:
    """The name that the plugin's archive must have; `UserFault` if a file is not what it should."""
    checked = {role: check_file(role, inputs[role]) for role in (PLUGIN, SELECTION)}
    for role, one in checked.items():
        for finding in one.findings:
            raise UserFault(finding.code, f"the {role}: {finding.message}")
    return str(checked[PLUGIN].facts["filename"])


def _given(folder: Path, inputs: Mapping[str, Path]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for role in (PLUGIN, SELECTION):
        # Of a worker that is root, the sandbox is another user.
        shutil.copyfile(inputs[role], folder / role)
        (folder / role).chmod(0o644)
    return folder


def _limits(task: str, limits: Limits) -> Limits:
    if task == "select":
        return limits
    return replace(limits, wall_seconds=min(CHECK_SECONDS, limits.wall_seconds), output_bytes=MIB)


def _told(look: Look | None, task: str) -> Callable[[float], None] | None:
    return (lambda seconds: look(task, seconds)) if look else None


def _binds(given: Path, place: PluginPlace) -> dict[str, Path]:
    binds = {"/in/plugin": given / PLUGIN, "/in/selection.yaml": given / SELECTION}
    for package in ("datacomp", "datacomp_filters"):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise SandboxError(f"the package {package} is not in a folder: install it with pip")
        binds[f"/code/{package}"] = Path(spec.submodule_search_locations[0])
    if (place.pool / METADATA).is_dir():
        # What the pool's builder planted is not for filters.
        shown = [path for path in place.pool.iterdir() if path.name != TRUTH]
        binds |= {f"/pool/{path.name}": path for path in shown}
    else:
        binds["/pool"] = place.pool
    if place.assets:
        binds["/assets"] = place.assets
    return binds


def _environment(place: PluginPlace) -> dict[str, str]:
    return {
        "PYTHONPATH": "/code:/tmp/plugin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": "/tmp/numba",
        "OMP_NUM_THREADS": str(place.workers),
        "DATACOMP_CACHE": "/tmp/cache",
        "DATACOMP_ASSETS": "/assets",
    }


def _demand_readable(place: PluginPlace) -> None:
    if os.getuid():
        return
    for folder in filter(None, (place.pool, place.pool / METADATA, place.assets)):
        if folder.is_dir() and folder.stat().st_mode & 0o005 != 0o005:
            raise SandboxError(
                f"{folder} is not readable by others, and the sandbox of a worker that is root is "
                f"another user. Run: chmod -R o+rX {folder}, or run the worker as its own user"
            )


def _demand_success(outcome: Outcome, task: str) -> None:
    """`UserFault` unless the command ended well."""
    if outcome.killed_by:
        raise UserFault(f"plugin_{outcome.killed_by}", _KILLED[outcome.killed_by])
    if outcome.exit in set(Stage):
        stage = Stage(outcome.exit)
        raise UserFault(f"plugin_{stage.name.lower()}", f"{MESSAGES[stage]}. See the log")
    if outcome.exit:
        stage = Stage.CHECK if task == "check" else Stage.RUN
        how = f"exit code {outcome.exit}" if outcome.exit > 0 else f"signal {-outcome.exit}"
        raise UserFault(
            f"plugin_{stage.name.lower()}",
            f"the plugin's process ended with {how} while it was to {task}. See the log",
        )


_KILLED = {
    "time": "the plugin took longer than it may",
    "memory": "the plugin's processes took more memory than they may",
    "files": "the plugin made more files than it may",
    "output": "the plugin gave out more bytes than a subset may have",
}


def _checked(made: Path, pool: Pool) -> SubsetFacts:
    """What the bytes are, if they are a subset of the pool."""
    checked = check_subset(made)
    for finding in checked.findings:
        raise UserFault(finding.code, f"what the plugin gave out: {finding.message}")
    facts = SubsetFacts(**checked.facts)
    if facts.n_unique > pool.n_rows:
        raise UserFault(
            "plugin_foreign",
            f"the plugin gave out {facts.n_unique:,} different uids, of a pool with "
            f"{pool.n_rows:,} rows",
        )
    foreign = _foreign(_different(made), pool)
    if len(foreign):
        raise UserFault(
            "plugin_foreign",
            f"{len(foreign):,} of the {facts.n_unique:,} different uids that the plugin gave out "
            f"are not in the pool, the first one {format_uids(foreign[:1])[0]}",
        )
    return facts


def _different(made: Path) -> UidArray:
    """The different uids of a subset file, sorted; only they need to fit into memory."""
    found, last = [], None
    for block in SubsetFile(made).blocks(READ_AT_ONCE):
        first = starts_of_runs(block)
        first[0] = block[0].item() != last
        found.append(block[first])
        last = block[-1].item()
    return np.concatenate(found)


def _foreign(uids: UidArray, pool: Pool) -> UidArray:
    """Of different, sorted uids those that no part of the pool holds."""
    known = np.zeros(len(uids), bool)
    for part in pool.parts:
        place = search_uids(uids, pool.uids(part))
        known[place[place >= 0]] = True
    return uids[~known]


def _lock(
    inputs: Mapping[str, Path], place: PluginPlace, pool: Pool, facts: SubsetFacts, ran: Outcome
) -> dict[str, Any]:
    """The lock: nothing in it comes out of the sandbox but the subset's own bytes."""
    manifest = pool.require_manifest()
    return {
        "operation": "plugin",
        "plugin_sha256": sha256_file(inputs[PLUGIN]),
        "selection_sha256": sha256_file(inputs[SELECTION]),
        "selection_file": inputs[SELECTION].read_text(encoding="utf-8"),
        "pool_id": manifest.pool_id,
        "pool_problems": dict(manifest.problem_counts),
        "counts": {"rows": pool.n_rows, "kept": facts.n_unique, "entries": facts.n},
        "uses_truth": False,
        "sandbox": {
            "limits": asdict(place.limits),
            "wall_seconds": round(ran.wall_seconds, 3),
            "peak_memory_bytes": ran.peak_memory_bytes,
        },
        "versions": {
            "datacomp": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **asdict(facts),
    }
