"""Boards by the dozen for property tests: entries and rows in which ties and holes are common."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from datacomp.reports import Suite, load_suite
from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Entry, Estimate, TaskValues
from datacomp_leaderboard.rules import OFFICIAL, average_of

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SUITE = load_suite("tiny")
KEYS = tuple(task.key for task in SUITE.scored)


def task_values(values: Sequence[float | None], stderr: float | None = 0.01) -> TaskValues:
    """The tiny suite's tasks in order; the last value stands for all that follow."""
    filled = [*values, *[values[-1]] * (len(KEYS) - len(values))]
    by_task = dict(zip(KEYS, filled, strict=True))
    return TaskValues(by_task, {k: None if v is None else stderr for k, v in by_task.items()})


def entry(number: int, tasks: TaskValues, suite: Suite = SUITE, **fields: object) -> Entry:
    """A verified entry whose average is that of its tasks; each a minute after the one before."""
    facts: dict[str, object] = {
        "id": f"S{number:05}",
        "team": "Alpha",
        "method": f"method {number}",
        "scale": "tiny",
        "recipe_id": "r",
        "pool_id": "p",
        "pool_size": 1000,
        "seed": 0,
        "average": average_of(tasks, OFFICIAL.weights(suite)),
        "groups": {"Naming": Estimate(0.2, 0.01)},
        "tasks": tasks,
        "subset_size": 300,
        "subset_unique": 250,
        "oracle": False,
        "level": Level.RE_EVALUATED,
        "submitted_at": EPOCH + timedelta(minutes=number),
    }
    return Entry(**(facts | fields))  # type: ignore[arg-type]


@st.composite
def boards(draw: st.DrawFn, max_size: int = 12) -> list[Entry]:
    """Entries with few distinct values, methods and seeds."""
    value = st.sampled_from([0.1, 0.2, 0.21, 0.5])
    made = []
    for number in range(draw(st.integers(0, max_size))):
        values: list[float | None] = list(draw(st.lists(value, min_size=2, max_size=3)))
        if draw(st.integers(0, 9)) == 0:
            values[0] = None
        stderr = draw(st.sampled_from([0.0, 0.01, 0.05]))
        made.append(
            entry(
                number,
                task_values(values, stderr if draw(st.integers(0, 9)) else None),
                method=f"method {draw(st.integers(0, max_size // 2))}",
                seed=draw(st.integers(0, 2)),
                oracle=draw(st.integers(0, 9)) == 0,
                baseline=draw(st.integers(0, 9)) == 0,
                withdrawn=draw(st.integers(0, 9)) == 0,
                level=draw(st.sampled_from(Level)),
            )
        )
    return made
