"""From task results to the average and the groups; pure.

A task that is missing or failed is never averaged away: every mean it belongs to becomes null.
The standard error of a mean of k tasks is sqrt(sum se_i^2) / k, which takes the tasks as
independent; tasks that share pictures are a little less than that.
"""

import math
from collections.abc import Mapping, Sequence

from datacomp.reports.schema import Aggregates, Average, GroupMean, Metric, TaskResult
from datacomp.reports.suite import Suite, TaskSpec


def aggregate(suite: Suite, tasks: Mapping[str, TaskResult]) -> Aggregates:
    """Average over all scored tasks, and the mean of each group's scored tasks."""
    value, stderr, n_tasks = _mean(suite.scored, tasks)
    groups = {}
    for group in suite.groups:
        members = [task for task in suite.scored if group in task.groups]
        group_value, group_stderr, group_n = _mean(members, tasks)
        groups[group] = GroupMean(value=group_value, stderr=group_stderr, n_tasks=group_n)
    return Aggregates(
        average=Average(value=value, stderr=stderr, chance=_chance(suite), n_tasks=n_tasks),
        groups=groups,
        complete=n_tasks == len(suite.scored),
    )


def _mean(
    specs: Sequence[TaskSpec], tasks: Mapping[str, TaskResult]
) -> tuple[float | None, float | None, int]:
    found = [main_metric(spec, tasks.get(spec.key)) for spec in specs]
    metrics = [metric for metric in found if metric is not None]
    if not metrics or len(metrics) < len(specs):
        return None, None, len(metrics)
    k = len(metrics)
    value = math.fsum(metric.value or 0.0 for metric in metrics) / k
    errors = [metric.stderr for metric in metrics if metric.stderr is not None]
    stderr = math.sqrt(math.fsum(se * se for se in errors)) / k if len(errors) == k else None
    return value, stderr, k


def main_metric(spec: TaskSpec, result: TaskResult | None) -> Metric | None:
    """The main metric of a task if it has a value, None if not.

    Which metric counts is the suite's word, never the report's.
    """
    if result is None or result.status != "ok" or spec.main_metric is None:
        return None
    metric = result.metrics.get(spec.main_metric)
    return metric if metric is not None and metric.value is not None else None


def _chance(suite: Suite) -> float | None:
    levels = [task.chance.get(task.main_metric or "") for task in suite.scored]
    known = [level for level in levels if level is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(levels) else None
