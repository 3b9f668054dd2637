"""The runs of a folder, and how far each came, by what stands in `run.json` and `metrics.jsonl`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import TrainingError
from datacomp.training.metrics_log import read_metrics
from datacomp.training.recipe import published_recipes
from datacomp.training.run import METRICS, RUN, read_recipe, read_run


@dataclass(frozen=True)
class RunSummary:
    """One run; `loss` and `images_per_second` are those of the log's last line, if it has one.

    `state` is `finished`, `unfinished` (being trained, or stopped), or `unreadable`, of which
    nothing else is known than `problem`.
    """

    name: str
    state: str
    scale: str | None = None
    variant: str | None = None
    subset: str | None = None
    seed: int | None = None
    step: int = 0
    steps: int | None = None
    loss: float | None = None
    images_per_second: float | None = None
    problem: str | None = None


def list_runs(folder: Path) -> list[RunSummary]:
    """The runs directly in `folder`, by name; none if it is not there."""
    found = sorted(path.parent for path in folder.glob(f"*/{RUN}"))
    published = published_recipes()
    return [_summary(path, published) for path in found]


def _summary(folder: Path, published: Mapping[str, tuple[str, str | None]]) -> RunSummary:
    try:
        record, recipe = read_run(folder), read_recipe(folder)
    except TrainingError as error:
        return RunSummary(folder.name, "unreadable", problem=str(error))
    lines = read_metrics(folder / METRICS)
    last = lines[-1] if lines else {}
    return RunSummary(
        name=folder.name,
        state="finished" if record.finished else "unfinished",
        scale=record.scale,
        variant=published.get(record.recipe_id, (None, None))[1],
        subset=record.subset.name,
        seed=record.seed,
        step=last.get("step", -1) + 1,
        steps=recipe.steps,
        loss=_number(last.get("loss")),
        images_per_second=_number(last.get("images_per_second")),
    )


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None
