"""The run folder: what was trained, on what, and how far it came.

    run.json              RunRecord: identities, counts, the final checkpoint's sha256
    recipe.json           the recipe, by content
    metrics.jsonl         one line a logged step
    resume.safetensors    only while the run is unfinished
    milestones/           of long runs, the weights at fifths of the steps
    weights.safetensors   the result

`run.json` is written when the run starts, without a checkpoint, and again as the last thing.
"""

import json
import platform
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from datacomp.errors import TrainingError, UsageError
from datacomp.files import canonical_json, sha256_file, sha256_json, write_json
from datacomp.pool import Pool
from datacomp.subset import Subset
from datacomp.training.checkpoint import WEIGHTS
from datacomp.training.data import RunData
from datacomp.training.metrics_log import chain_head
from datacomp.training.recipe import Recipe

RUN, RECIPE, METRICS = "run.json", "recipe.json", "metrics.jsonl"
SCHEMA = "datacomp-run/2"
PACKAGES = ("datacomp", "torch", "torchvision", "open_clip_torch", "numpy", "pillow", "safetensors")


@dataclass(frozen=True)
class SubsetRecord:
    """Which subset a run was trained on: its name, hash, entries and distinct uids."""

    name: str
    sha256: str
    n: int
    n_unique: int


@dataclass(frozen=True)
class SourceRecord:
    """Tars that a run read in sequence: identity, samples, and weight among the run's sources."""

    name: str
    sha256: str
    n: int
    weight: int | float


@dataclass(frozen=True)
class Origin:
    """What a run is trained on; `sources` is empty where it reads by uid from a pool."""

    pool_id: str
    pool_size: int
    pool_problems: dict[str, int]
    subset: SubsetRecord
    sources: tuple[SourceRecord, ...] = ()


@dataclass(frozen=True)
class RunRecord:
    """What identifies a run, and what came of it.

    `first_batches` are hashes of the uids of the first batches, as they are drawn; `log_head` is
    the last chain of the metrics log. It and `checkpoint_sha256` are None until the end, when
    `milestones` has the sha256 of the weights that were kept, by step.
    """

    scale: str
    recipe_id: str
    pool_id: str
    pool_size: int
    pool_problems: dict[str, int]
    subset: SubsetRecord
    seed: int
    samples_seen: int
    dead_links: int
    platform: dict[str, str]
    broken_samples: dict[str, str]
    first_batches: tuple[str, ...]
    sources: tuple[SourceRecord, ...] = ()
    resumes: int = 0
    log_head: str | None = None
    checkpoint_sha256: str | None = None
    milestones: dict[int, str] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether the run reached its last step."""
        return self.checkpoint_sha256 is not None


def origin_of(pool: Pool, subset: Subset, subset_name: str) -> Origin:
    """A subset of a pool, read by uid."""
    manifest = pool.require_manifest()
    return Origin(
        pool_id=manifest.pool_id,
        pool_size=manifest.n_rows,
        pool_problems=dict(manifest.problem_counts),
        subset=SubsetRecord(subset_name, subset.sha256, subset.n, subset.n_unique),
    )


def describe_run(recipe: Recipe, origin: Origin, seed: int, data: RunData) -> RunRecord:
    """The record of a run that has not started; `UsageError` for a seed that is none."""
    if not 0 <= seed < 2**64:
        raise UsageError(f"a seed is a whole number from 0 to 2**64 - 1, got {seed}")
    return RunRecord(
        scale=recipe.scale,
        recipe_id=recipe.recipe_id,
        pool_id=origin.pool_id,
        pool_size=origin.pool_size,
        pool_problems=origin.pool_problems,
        subset=origin.subset,
        sources=origin.sources,
        seed=seed,
        samples_seen=recipe.steps * recipe.global_batch_size,
        dead_links=data.dead_links,
        platform=platform_versions(),
        broken_samples={},
        first_batches=data.first_batches(recipe, seed),
    )


def start_run(folder: Path, recipe: Recipe, record: RunRecord) -> RunRecord:
    """Create the folder, or take up the run in it; `TrainingError` if another run is there."""
    other = same_run(folder, record)
    if other is not None and other.finished:
        verify_checkpoint(folder, other)
        return other
    if other is not None:
        record = replace(other, resumes=other.resumes + 1)
    write_json(folder / RECIPE, asdict(recipe))
    _write(folder, record)
    return record


def same_run(folder: Path, record: RunRecord) -> RunRecord | None:
    """The record in the folder, None if there is none; `TrainingError` if it is another run's."""
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder. Choose another --output-dir.")
    if not (folder / RUN).exists():
        return None
    other = read_run(folder)
    for name in ("recipe_id", "pool_id", "seed"):
        _refuse_other(folder, name, getattr(other, name), getattr(record, name))
    _refuse_other(folder, "subset sha256", other.subset.sha256, record.subset.sha256)
    _refuse_other(folder, "list of sources", *(_shares(each) for each in (other, record)))
    return other


def finish_run(folder: Path, record: RunRecord) -> RunRecord:
    """Write the record with the checkpoint's hash; from now on the run is finished.

    `TrainingError` if the log is not what was written to it: somebody else had it in hand.
    """
    if (found := chain_head(folder / METRICS, log_origin(record))) != record.log_head:
        raise TrainingError(
            f"{folder / METRICS} is not what this run wrote: it ends with chain {found}, expected "
            f"{record.log_head}. Remove the folder and train again."
        )
    record = replace(record, checkpoint_sha256=sha256_file(folder / WEIGHTS))
    _write(folder, record)
    return record


def read_run(folder: Path) -> RunRecord:
    """Read `run.json`; `TrainingError` if there is none, or it is not one of this schema."""
    from pydantic import TypeAdapter, ValidationError

    path = folder / RUN
    try:
        value = json.loads(path.read_text())
        canonical_json(value)  # No NaN and no half characters: parts of it are hashed.
    except FileNotFoundError as error:
        raise TrainingError(f"{folder} is not a run: it has no {RUN}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict) or value.pop("schema", None) != SCHEMA:
        raise TrainingError(
            f"{path} is not of schema {SCHEMA}: another version wrote it. Train again, in another "
            "folder"
        )
    try:
        # As JSON, whose arrays are tuples here and whose keys are numbers.
        return TypeAdapter(RunRecord).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TrainingError(f"{path} is not a run's record: {where}: {first['msg']}") from error


def log_origin(record: RunRecord) -> str:
    """Where the chain of a run's metrics log begins: a hash of what makes it this run."""
    identity = [record.recipe_id, record.pool_id, record.subset.sha256, record.seed]
    return sha256_json([*identity, *_shares(record)])


def _shares(record: RunRecord) -> list[tuple[str, int | float]]:
    return [(source.sha256, source.weight) for source in record.sources]


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a run, by content; `TrainingError` if the file does not hold one."""
    try:
        value = json.loads((folder / RECIPE).read_text())
        canonical_json(value)  # What an id is of holds no NaN and no half characters.
        return Recipe.from_json(value)
    except (OSError, ValueError, RecursionError, TrainingError) as error:
        raise TrainingError(f"{folder / RECIPE} cannot be read: {error}") from error


def verify_checkpoint(folder: Path, record: RunRecord) -> None:
    """`TrainingError` unless the run is finished and its weights are the recorded ones."""
    if record.checkpoint_sha256 is None:
        raise TrainingError(f"{folder} is not finished. Run the same datacomp train command again.")
    path = folder / WEIGHTS
    found = sha256_file(path) if path.exists() else "no file"
    if found != record.checkpoint_sha256:
        raise TrainingError(
            f"{path} is not the checkpoint that {RUN} names: expected sha256 "
            f"{record.checkpoint_sha256}, found {found}. Remove the folder and train again."
        )


def platform_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _write(folder: Path, record: RunRecord) -> None:
    value: dict[str, Any] = {"schema": SCHEMA, **asdict(record)}
    write_json(folder / RUN, value)


def _refuse_other(folder: Path, name: str, there: object, here: object) -> None:
    if there != here:
        raise TrainingError(
            f"{folder} holds another run: its {name} is {there}, this one's is {here}. "
            "Choose another --output-dir."
        )
