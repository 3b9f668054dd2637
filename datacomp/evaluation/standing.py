"""Where each task of a report stands: value, uncertainty, chance and noise floor, by group."""

from dataclasses import dataclass

from datacomp.evaluation.guessing import Floor, floor_of, mean_floor
from datacomp.evaluation.results import Results
from datacomp.reports import Suite, TaskSpec

UNGROUPED, UNSCORED, AVERAGE = "Other tasks", "Unscored", "Average"


@dataclass(frozen=True)
class Line:
    """One task, or a mean of `n_tasks`; `value` is None if it is missing, failed or incomplete.

    `metric` is the task's main metric, None if it has none, and `mean of n` of a mean.
    """

    key: str
    name: str
    metric: str | None
    value: float | None
    stderr: float | None
    floor: Floor
    status: str = "ok"
    n_tasks: int = 1
    is_mean: bool = False


@dataclass(frozen=True)
class Block:
    """A group's mean, where it has one, and its tasks."""

    name: str
    mean: Line | None
    tasks: tuple[Line, ...]


def standing(results: Results) -> tuple[Block, ...]:
    """The suite's groups in order, the tasks without a group, those unscored, the average."""
    suite, aggregates = results.suite, results.aggregates
    floors = {spec.key: floor_of(spec, results.outcomes(spec)) for spec in suite.scored}
    blocks = []
    for name, mean in aggregates.groups.items():
        specs = [spec for spec in suite.scored if name in spec.groups]
        line = _mean(name, mean.value, mean.stderr, mean_floor(suite, floors, name), len(specs))
        blocks.append(Block(name, line, _lines(specs, results, floors)))
    others = {
        UNGROUPED: [spec for spec in suite.scored if not spec.groups],
        UNSCORED: [spec for spec in suite.tasks if not spec.scored],
    }
    blocks += [Block(n, None, _lines(specs, results, floors)) for n, specs in others.items()]
    average = aggregates.average
    floor = mean_floor(suite, floors)
    line = _mean(AVERAGE, average.value, average.stderr, floor, len(suite.scored))
    return (*(block for block in blocks if block.tasks), Block(AVERAGE, line, ()))


def unfloored(suite: Suite, blocks: tuple[Block, ...]) -> tuple[str, ...]:
    """Keys of the scored tasks without a noise floor."""
    scored = {spec.key for spec in suite.scored}
    tasks = (task for block in blocks for task in block.tasks)
    return tuple(t.key for t in tasks if t.key in scored and t.floor.noise is None)


def _mean(name: str, value: float | None, stderr: float | None, floor: Floor, n: int) -> Line:
    status = "ok" if value is not None else "incomplete"
    return Line(name, name, f"mean of {n}", value, stderr, floor, status, n, is_mean=True)


def _lines(specs: list[TaskSpec], results: Results, floors: dict[str, Floor]) -> tuple[Line, ...]:
    return tuple(_line(spec, results, floors.get(spec.key, Floor(None, None, 0))) for spec in specs)


def _line(spec: TaskSpec, results: Results, floor: Floor) -> Line:
    result = results.tasks.get(spec.key)
    metric = result.metrics.get(spec.main_metric or "") if result else None
    if result is None or metric is None:
        status = "missing" if result is None else result.status
        return Line(spec.key, spec.name, spec.main_metric, None, None, floor, status)
    return Line(spec.key, spec.name, spec.main_metric, metric.value, metric.stderr, floor)
