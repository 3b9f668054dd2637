"""Check a finished run against what it says about itself.

Nothing here proves that a run was made honestly: whoever trains may write any file. It finds what
does not agree: weights that are not the recorded ones, a log that was edited, a recipe that nobody
published, a subset or a pool other than the named ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import DatacompError, TrainingError
from datacomp.files import sha256_file
from datacomp.pool import Pool
from datacomp.subset import Subset
from datacomp.training.data import RunData, open_data, whole_pool
from datacomp.training.metrics_log import chain_head, is_logged, read_metrics
from datacomp.training.milestones import MILESTONES, milestone_path, milestone_steps
from datacomp.training.recipe import Recipe, published_recipes
from datacomp.training.run import (
    METRICS,
    RUN,
    Origin,
    RunRecord,
    log_origin,
    origin_of,
    read_recipe,
    read_run,
    verify_checkpoint,
)
from datacomp.training.sources import WeightedSource, origin_of_sources
from datacomp.training.stream import SequentialData
from datacomp.training.tars import check_hashes


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what was found; `passed` is None if it could not be."""

    name: str
    passed: bool | None
    told: str


def verify_run(
    folder: Path,
    pool: Pool | None = None,
    subset: Subset | None = None,
    sources: Sequence[WeightedSource] = (),
) -> list[Check]:
    """All checks, in order; those of the data need what it was trained on.

    That is its pool, and the subset unless it is all of it, or for a run in sequence its sources.
    Raises `TrainingError` if there is no run in the folder, or it is not finished.
    """
    record, recipe = read_run(folder), read_recipe(folder)
    if not record.finished:
        raise TrainingError(f"{folder} is not finished. Run the same datacomp train command again.")
    return [
        _check("recipe", lambda: _recipe(record, recipe)),
        _check("weights", lambda: _weights(folder, record)),
        _check("milestones", lambda: _milestones(folder, record, recipe)),
        _check("log", lambda: _log(folder, record, recipe)),
        *_of_data(record, recipe, pool, subset, sources),
    ]


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except DatacompError as error:
        return Check(name, False, str(error))


def _recipe(record: RunRecord, recipe: Recipe) -> str:
    if recipe.recipe_id != record.recipe_id:
        raise TrainingError(
            f"recipe.json has the id {recipe.recipe_id}, the run says {record.recipe_id}"
        )
    published = {
        recipe_id: f"variant {variant}" if variant else "no variant"
        for recipe_id, (scale, variant) in published_recipes().items()
        if scale == record.scale
    }
    if record.recipe_id not in published:
        known = ", ".join(f"{recipe_id[:12]} ({name})" for recipe_id, name in published.items())
        raise TrainingError(
            f"{record.recipe_id} is not the recipe of scale {record.scale}, which has: "
            f"{known or 'none, for there is no such scale'}"
        )
    if (samples := recipe.steps * recipe.global_batch_size) != record.samples_seen:
        raise TrainingError(f"the recipe sees {samples:,} samples, the run {record.samples_seen:,}")
    return f"the published one of scale {record.scale}, {published[record.recipe_id]}"


def _weights(folder: Path, record: RunRecord) -> str:
    verify_checkpoint(folder, record)
    return f"sha256 {record.checkpoint_sha256}"


def _milestones(folder: Path, record: RunRecord, recipe: Recipe) -> str:
    if odd := sorted(record.milestones.keys() - set(milestone_steps(recipe))):
        raise TrainingError(f"the run names milestones at {odd}, which are no fifths of its steps")
    for step, expected in sorted(record.milestones.items()):
        path = milestone_path(folder, step)
        found = sha256_file(path) if path.exists() else "no file"
        if found != expected:
            raise TrainingError(
                f"{path} is not the milestone that {RUN} names: expected sha256 {expected}, found "
                f"{found}"
            )
    files = {path.name for path in (folder / MILESTONES).glob("*.safetensors")}
    if added := sorted(files - {milestone_path(folder, step).name for step in record.milestones}):
        raise TrainingError(f"{folder / MILESTONES} holds what {RUN} does not name: {added}")
    kept = ", ".join(f"{step:,}" for step in sorted(record.milestones))
    return f"after {kept} steps" if kept else "none kept"


def _log(folder: Path, record: RunRecord, recipe: Recipe) -> str:
    head = chain_head(folder / METRICS, log_origin(record))
    if head != record.log_head:
        raise TrainingError(f"the log ends with chain {head}, the run says {record.log_head}")
    steps = [line["step"] for line in read_metrics(folder / METRICS)]
    expected = [step for step in range(recipe.steps) if is_logged(step, recipe.steps)]
    if steps != expected:
        raise TrainingError(f"the log has {len(steps):,} lines, expected {len(expected):,}")
    return f"{len(steps):,} lines, each following from the one before"


def _of_data(
    record: RunRecord,
    recipe: Recipe,
    pool: Pool | None,
    subset: Subset | None,
    sources: Sequence[WeightedSource],
) -> list[Check]:
    if record.sources and sources:
        origin, _ = origin_of_sources(sources)
        looks = {
            "pool": lambda: _pool(record, origin),
            "subset": lambda: _subset(record, origin),
            "sources": lambda: _sources(record, origin, sources),
            "batches": lambda: _batches(record, recipe, SequentialData(tuple(sources))),
        }
    elif pool is not None and not record.sources:
        chosen = subset or whole_pool(pool)
        origin = origin_of(pool, chosen, record.subset.name)
        looks = {
            "pool": lambda: _pool(record, origin),
            "subset": lambda: _subset(record, origin),
            "batches": lambda: _batches(record, recipe, open_data(pool, chosen)),
        }
    else:
        names = ("pool", "subset", *(("sources",) if record.sources else ()), "batches")
        needed = "--data-dir" if record.sources else "--pool and --subset"
        return [Check(name, None, f"not looked at: pass {needed}") for name in names]
    return [_check(name, look) for name, look in looks.items()]


def _pool(record: RunRecord, origin: Origin) -> str:
    if origin.pool_id != record.pool_id:
        raise TrainingError(f"it has the id {origin.pool_id}, the run was on {record.pool_id}")
    return f"id {record.pool_id}"


def _subset(record: RunRecord, origin: Origin) -> str:
    if (subset := origin.subset).sha256 != record.subset.sha256:
        raise TrainingError(
            f"the subset has sha256 {subset.sha256}, the run was on {record.subset.sha256} "
            f"({record.subset.name})"
        )
    return f"sha256 {subset.sha256}, {subset.n:,} entries"


def _sources(record: RunRecord, origin: Origin, sources: Sequence[WeightedSource]) -> str:
    found, named = (
        {source.sha256: source.weight for source in each.sources} for each in (origin, record)
    )
    for sha256 in sorted(found | named):
        if sha256 not in found:
            raise TrainingError(f"source {sha256} of the run is not among those that were named")
        if sha256 not in named:
            raise TrainingError(f"source {sha256} is not one of the run's")
        if found[sha256] != named[sha256]:
            raise TrainingError(
                f"source {sha256} has weight {found[sha256]}, the run says {named[sha256]}"
            )
    hashed = sum(check_hashes(each.source) for each in sources)
    tars = sum(len(each.source.tars) for each in sources)
    return f"{len(sources):,}, the bytes of {hashed:,} of {tars:,} tars hashed again"


def _batches(record: RunRecord, recipe: Recipe, data: RunData) -> str:
    found = data.first_batches(recipe, record.seed)
    if found != record.first_batches:
        raise TrainingError(
            f"the first {len(found)} batches of seed {record.seed} hold other uids than the run "
            "says that it drew"
        )
    return f"the uids of the first {len(found)}, drawn again"
