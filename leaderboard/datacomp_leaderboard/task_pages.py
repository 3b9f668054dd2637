"""The pages of tasks: all of them, and one with its boards across scales; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np

from datacomp.reports import Suite, TaskSpec
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Figure, available
from datacomp_leaderboard.charting.tasks import Told, separation
from datacomp_leaderboard.charts import Axis, Whisker, interval_ends, nice_axis, whisker
from datacomp_leaderboard.entries import Row, Spread, spread
from datacomp_leaderboard.formatting import count, score
from datacomp_leaderboard.rules import noise_floor
from datacomp_leaderboard.task_facts import LEAST_METHODS, TaskOnBoard, TaskScores, flags
from datacomp_leaderboard.twins import Cell, Column, Table

_LINES_SHOWN = 100
_AXIS_WIDTH = 220.0
# a bar of this length stands for a power of ten
_BAR = 60.0


@dataclass(frozen=True)
class TaskLine:
    """A task in the list; `on_board` is how it did where most methods stand."""

    spec: TaskSpec
    chance: float | None
    noise: float
    on_board: TaskOnBoard | None
    power_units: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class SuiteTasks:
    """The tasks of a suite, and the scales that ask them; `measured_at` is that of `on_board`."""

    title: str
    scales: tuple[str, ...]
    measured_at: str | None
    lines: tuple[TaskLine, ...]
    figure: Figure | None


@dataclass(frozen=True)
class TasksPage:
    """Every task; `least` is how many methods power and correlation need."""

    template: ClassVar[str] = "tasks.html"

    title: str
    suites: tuple[SuiteTasks, ...]
    least: int


@dataclass(frozen=True)
class MethodLine:
    """A method in a task."""

    place: int
    row: Row
    value: Spread
    whisker: Whisker


@dataclass(frozen=True)
class TaskBoard:
    """The best methods of a scale in a task, of `facts.n`."""

    facts: TaskOnBoard
    words: str
    axis: Axis
    chance_x: float | None
    lines: tuple[MethodLine, ...]


@dataclass(frozen=True)
class TaskPage:
    """One task: what it is, what one should know of it, and who is good at it.

    `about` are (name, text); `asked_at` are the scales that ask it.
    """

    template: ClassVar[str] = "task.html"

    title: str
    spec: TaskSpec
    suite: str
    about: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]
    boards: tuple[TaskBoard, ...]
    asked_at: tuple[str, ...]
    measures: str


def build_tasks(boards: Sequence[BoardData]) -> tuple[TasksPage, Table]:
    """The list of all tasks, from the boards of all scales in order of compute."""
    suites = []
    rows: list[tuple[Cell, ...]] = []
    for suite, own in _by_suite(boards):
        scores = [TaskScores(board) for board in own]
        best = max(scores, key=lambda one: len(one.taking_part), default=None)
        best = best if best is not None and best.taking_part else None
        lines = tuple(_line(task, suite, best) for task in suite.tasks)
        scales = tuple(board.scale for board in own)
        at = best.board.scale if best else None
        suites.append(SuiteTasks(suite.title, scales, at, lines, _figure(suite, lines)))
        rows += [_cells(suite, line) for line in lines]
    page = TasksPage("Tasks", tuple(suites), LEAST_METHODS)
    return page, Table("tasks", "Tasks", _TASKS, tuple(rows))


def _figure(suite: Suite, lines: Sequence[TaskLine]) -> Figure | None:
    told = [
        Told(line.spec.name, known.power, known.correlation)
        for line in lines
        if (known := line.on_board) and known.power is not None and known.correlation is not None
    ]
    chart = separation(told, name=f"separation-{suite.name}")
    return None if chart is None else Figure(chart, f"/t/{chart.name}", drawn=available())


def find_task(boards: Sequence[BoardData], key: str) -> tuple[TaskSpec, Suite] | None:
    """The task of that key, of the first suite that has it."""
    found = ((task, suite) for suite, _ in _by_suite(boards) for task in suite.tasks)
    return next(((task, suite) for task, suite in found if task.key == key), None)


def build_task(spec: TaskSpec, suite: Suite, boards: Sequence[BoardData]) -> TaskPage:
    """The page of one task; `boards` are those of all scales."""
    own = [one for one in boards if one.suite is not None and one.suite.sha256 == suite.sha256]
    standing = _standing(spec, suite, boards)
    facts = [scores.of(spec.key) for scores in standing]
    chance = spec.chance.get(spec.main_metric or "")
    return TaskPage(
        title=spec.name,
        spec=spec,
        suite=suite.title,
        about=_about(spec, chance),
        flags=flags(spec, suite, facts),
        boards=tuple(
            _board(known, list(islice(_ranked(scores, spec.key), _LINES_SHOWN)), chance)
            for known, scores in zip(facts, standing, strict=True)
            if known.n
        ),
        asked_at=tuple(board.scale for board in own),
        measures=f"{spec.measures[:1].upper()}{spec.measures[1:]}.",
    )


def task_table(spec: TaskSpec, suite: Suite, boards: Sequence[BoardData]) -> Table:
    """Every method in a task, best first, scale by scale."""
    cells = tuple(
        (scores.board.scale, place, row.team, row.method, value.mean, value.stderr, row.id)
        for scores in _standing(spec, suite, boards)
        for place, (row, value) in enumerate(_ranked(scores, spec.key), 1)
    )
    return Table("methods", f"Methods in {spec.name}", _METHODS, cells)


def _standing(spec: TaskSpec, suite: Suite, boards: Sequence[BoardData]) -> list[TaskScores]:
    """The boards on which somebody may have a number in a task."""
    if not spec.scored:
        return []
    own = [one for one in boards if one.suite is not None and one.suite.sha256 == suite.sha256]
    return [scores for board in own if (scores := TaskScores(board)).taking_part]


def _by_suite(boards: Sequence[BoardData]) -> list[tuple[Suite, list[BoardData]]]:
    """Larger suites first: they are what people come for."""
    found: dict[str, tuple[Suite, list[BoardData]]] = {}
    for board in boards:
        if board.suite is not None:
            found.setdefault(board.suite.sha256, (board.suite, []))[1].append(board)
    return sorted(found.values(), key=lambda pair: -len(pair[0].tasks))


def _line(task: TaskSpec, suite: Suite, best: TaskScores | None) -> TaskLine:
    known = best.of(task.key) if best is not None and task.scored else None
    power = known.power if known is not None else None
    return TaskLine(
        spec=task,
        chance=task.chance.get(task.main_metric or ""),
        noise=noise_floor(task),
        on_board=known,
        power_units=0.0 if power is None else round(_BAR * min(np.log10(1 + power) / 2, 1.0), 1),
        flags=flags(task, suite, [known] if known else []),
    )


def _ranked(scores: TaskScores, task: str) -> Iterator[tuple[Row, Spread]]:
    """Every row with a number in the task, best first."""
    means = scores.means[:, scores.board.tasks.index(task)]
    for i in np.argsort(-means, kind="stable").tolist():
        row = scores.board.rows[scores.taking_part[i]]
        value = spread([entry.tasks.get(task) for entry in row.counted])
        if value is not None:
            yield row, value


def _board(
    facts: TaskOnBoard, rows: Sequence[tuple[Row, Spread]], chance: float | None
) -> TaskBoard:
    ends = [end for _, value in rows for end in interval_ends(value)]
    axis = nice_axis([min(max(end, 0.0), 1.0) for end in ends], width=_AXIS_WIDTH)
    return TaskBoard(
        facts=facts,
        words=_words(facts),
        axis=axis,
        chance_x=None if chance is None or chance < axis.low else axis.x(chance),
        lines=tuple(
            MethodLine(place, row, value, whisker(value, axis))
            for place, (row, value) in enumerate(rows, 1)
        ),
    )


def _words(facts: TaskOnBoard) -> str:
    if facts.n < LEAST_METHODS:
        return f"What separates methods is said from {LEAST_METHODS} on."
    said = []
    if facts.power is not None and facts.power > 0:
        said.append(f"Beyond noise, their variance is {facts.power:.1f} times that of noise.")
    elif facts.power is not None:
        said.append("They differ by no more than noise makes them.")
    if facts.correlation is not None:
        said.append(f"Correlation with the mean of the other tasks: {facts.correlation:.2f}.")
    return " ".join(said)


def _about(spec: TaskSpec, chance: float | None) -> tuple[tuple[str, str], ...]:
    deciding = () if spec.n_deciding == spec.n else (("Deciding", count(spec.n_deciding)),)
    return (
        ("Metric", spec.main_metric or "–"),
        ("Pictures", count(spec.n)),
        *deciding,
        *((("Classes", count(spec.n_classes)),) if spec.n_classes else ()),
        ("Chance", score(chance)),
        ("Noise floor", f"± {score(noise_floor(spec))}"),
    )


def _cells(suite: Suite, line: TaskLine) -> tuple[Cell, ...]:
    spec, known = line.spec, line.on_board
    return (
        suite.name,
        spec.key,
        spec.name,
        ", ".join(spec.groups),
        spec.scored,
        spec.main_metric,
        spec.n,
        spec.n_deciding,
        line.chance,
        line.noise,
        known.scale if known else None,
        known.n if known else None,
        known.lowest if known else None,
        known.highest if known else None,
        known.power if known else None,
        known.correlation if known else None,
    )


_TASKS = (
    Column("suite", "Suite", "text"),
    Column("task", "Task", "text"),
    Column("name", "Name", "text"),
    Column("groups", "Groups", "text"),
    Column("scored", "Scored", "bool"),
    Column("metric", "Main metric", "text"),
    Column("n", "Pictures", "int"),
    Column("n_deciding", "Pictures that decide", "int"),
    Column("chance", "Chance", "float"),
    Column("noise_floor", "Standard error at 0.3", "float"),
    Column("scale", "Measured at", "text"),
    Column("n_methods", "Methods", "int"),
    Column("lowest", "Lowest", "float"),
    Column("highest", "Highest", "float"),
    Column("power", "Variance of methods over noise", "float"),
    Column("correlation", "Correlation with the rest", "float"),
)
_METHODS = (
    Column("scale", "Scale", "text"),
    Column("place", "Place", "int"),
    Column("team", "Team", "text"),
    Column("method", "Method", "text"),
    Column("value", "Main metric", "float"),
    Column("stderr", "Standard error", "float"),
    Column("id", "Id", "text"),
)
