"""Two evaluations on the same pictures: what differs, and how surely.

With outcomes of both, each task's difference has the paired bootstrap's standard error, interval
and p-value; without, the root of both standard errors' squares and a normal interval, which is
wider: it does not know that both saw the same pictures. A mean's difference takes its tasks as
independent. All of it is about the pictures: another training seed moves numbers, too.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from datacomp.errors import EvaluationError
from datacomp.evaluation.outcomes import Outcomes
from datacomp.evaluation.paired import (
    LEVEL,
    FloatArray,
    Spread,
    differences,
    seed_of,
    spread,
    units_of,
)
from datacomp.evaluation.results import Results
from datacomp.reports import TaskResult, TaskSpec

# Outcomes that are facts of the pictures, the same whatever the model.
_FACTS = ("targets", "metadata", "image_of_text", "candidates", "picks")


@dataclass(frozen=True)
class Difference:
    """`b - a` of one number, with its uncertainty where that is known.

    `paired` says that it comes from the paired bootstrap; of a mean, that all its tasks do.
    """

    name: str
    a: float
    b: float
    spread: Spread | None
    paired: bool
    drawn: FloatArray | None = None

    @property
    def value(self) -> float:
        """How much higher `b` is."""
        return self.b - self.a

    @property
    def verdict(self) -> str | None:
        """`higher` or `lower` if the interval excludes zero, `unclear` if not; None if unknown."""
        if self.spread is None:
            return None
        if self.spread.p >= 1 - LEVEL:
            return "unclear"
        return "higher" if self.value > 0 else "lower"


@dataclass(frozen=True)
class Comparison:
    """All differences by task key, group and over all; None where a task is not in both.

    `left_out` says for each scored task without a difference why it has none.
    """

    a: Results
    b: Results
    tasks: dict[str, Difference]
    left_out: dict[str, str]
    groups: dict[str, Difference | None]
    average: Difference | None


def compare(a: Results, b: Results) -> Comparison:
    """How `b` differs from `a`; `EvaluationError` if suite or pictures are not the same."""
    _same_suite(a, b)
    _same_pictures(a, b)
    tasks, left_out = {}, {}
    for spec in a.suite.scored:
        missing = [side.path for side in (a, b) if _value(spec, side) is None]
        if missing:
            left_out[spec.key] = f"no {spec.main_metric} in {' nor in '.join(map(str, missing))}"
        else:
            tasks[spec.key] = _task(spec, a, b)
    groups = {
        group: _mean(group, [tasks.get(t.key) for t in a.suite.scored if group in t.groups])
        for group in a.suite.groups
    }
    average = _mean("Average", [tasks.get(spec.key) for spec in a.suite.scored])
    light = {key: replace(one, drawn=None) for key, one in tasks.items()}
    return Comparison(a, b, light, left_out, groups, average)


def _task(spec: TaskSpec, a: Results, b: Results) -> Difference:
    before, after = (_value(spec, side) or 0.0 for side in (a, b))
    found = [side.outcomes(spec) for side in (a, b)]
    if found[0] is not None and found[1] is not None:
        _same_facts(spec, a, b, found[0], found[1])
        left, right = units_of(spec, found[0]), units_of(spec, found[1])
        if left and right:
            drawn = differences(right, left, seed_of(spec.key))
            return Difference(spec.name, before, after, spread(drawn), True, drawn)
    errors = [side.tasks[spec.key].metrics[spec.main_metric or ""].stderr for side in (a, b)]
    return Difference(spec.name, before, after, _unpaired(after - before, errors), False)


def _mean(name: str, tasks: Sequence[Difference | None]) -> Difference | None:
    """The difference of a mean of tasks; None unless all are there."""
    members = [task for task in tasks if task is not None]
    if not members or len(members) < len(tasks):
        return None
    k = len(members)
    before = math.fsum(task.a for task in members) / k
    after = math.fsum(task.b for task in members) / k
    vectors = [task.drawn for task in members if task.drawn is not None]
    if len(vectors) == k:
        return Difference(name, before, after, spread(np.mean(vectors, axis=0)), True)
    errors = [task.spread.stderr / k if task.spread else None for task in members]
    return Difference(name, before, after, _unpaired(after - before, errors), False)


def _unpaired(value: float, errors: Iterable[float | None]) -> Spread | None:
    """Normal spread of a sum of independent parts; None if one of them has no standard error."""
    known = list(errors)
    if None in known:
        return None
    stderr = math.sqrt(math.fsum(se * se for se in known if se is not None))
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * stderr
    p = math.erfc(abs(value) / stderr / math.sqrt(2)) if stderr else float(value == 0)
    return Spread(stderr, (value - half, value + half), p)


def _value(spec: TaskSpec, side: Results) -> float | None:
    result = side.tasks.get(spec.key)
    metric = result.metrics.get(spec.main_metric or "") if result else None
    return metric.value if metric and result and result.status == "ok" else None


def _same_suite(a: Results, b: Results) -> None:
    if a.suite.name != b.suite.name:
        raise EvaluationError(
            f"{a.path} is of suite {a.suite.name!r}, {b.path} of {b.suite.name!r}; numbers of "
            "different suites cannot be compared"
        )
    for side in (a, b):
        if side.report and side.report.suite.sha256 != side.suite.sha256:
            changed = [t.key for t in side.suite.tasks if _other_task(t, side.tasks.get(t.key))]
            tasks = f" (changed: {', '.join(changed)})" if changed else ""
            raise EvaluationError(
                f"{side.path} is of another version of suite {side.suite.name!r}{tasks}: "
                f"{side.report.suite.sha256[:12]}, expected {side.suite.sha256[:12]}. "
                "Evaluate the run again"
            )


def _other_task(spec: TaskSpec, result: TaskResult | None) -> bool:
    return result is not None and (result.version, result.n) != (spec.version, spec.n)


def _same_pictures(a: Results, b: Results) -> None:
    other = []
    for spec in a.suite.tasks:
        sides = [side.tasks.get(spec.key) for side in (a, b)]
        hashes = {side.dataset_sha256 for side in sides if side and side.dataset_sha256}
        if len(hashes) > 1:
            other.append(spec.key)
    if other:
        raise EvaluationError(
            f"{a.path} and {b.path} were evaluated on different data in {', '.join(other)}; "
            "evaluate both with the same --data-dir"
        )


def _same_facts(spec: TaskSpec, a: Results, b: Results, one: Outcomes, other: Outcomes) -> None:
    for name in _FACTS:
        if name in one and not np.array_equal(one[name], other.get(name, np.zeros(0))):
            raise EvaluationError(
                f"the outcomes of {spec.key!r} beside {a.path} and {b.path} have different {name}: "
                "they are not of the same pictures. Evaluate both again"
            )
