"""Is a report that follows the schema also possible? Every finding is listed, not just the first.

The codes are stable; docs/evaluation.md lists them. The checks find contradictions inside a
report and between a report and its suite. A well-made lie passes: only re-evaluating the
checkpoint proves a number.

E1xx  which suite          E2xx  which tasks           E3xx  single numbers
E4xx  aggregates           E5xx  provenance            (E0xx  the schema: `parse_report`)
"""

import math
from collections.abc import Iterator

from datacomp.reports.aggregates import aggregate
from datacomp.reports.findings import Finding
from datacomp.reports.schema import Aggregates, Metric, Report, RunProvenance, TaskResult
from datacomp.reports.suite import Grouping, Suite, TaskSpec

# k/n is compared as value * n against the nearest integer; the original's float32 group means
# are off by up to 6e-8 relative.
_COUNT_TOLERANCE = 1e-6
_SUM_TOLERANCE = 1e-9
_STDERR_TOLERANCE = 1e-6
# A value in [0, 1] has a standard deviation of at most one half.
_LARGEST_STDERR = 0.5

# Means of n yes-or-no outcomes, n being the task's: name -> the spread is exactly binomial.
PROPORTIONS = ("acc1", "acc5", "acc_avg", "acc_top5_avg")
_ORDERED = (
    ("acc1", "acc5"),
    ("image_retrieval_recall@1", "image_retrieval_recall@5"),
    ("image_retrieval_recall@5", "image_retrieval_recall@10"),
    ("text_retrieval_recall@1", "text_retrieval_recall@5"),
    ("text_retrieval_recall@5", "text_retrieval_recall@10"),
)


def check_report(report: Report, suite: Suite) -> list[Finding]:
    """Every contradiction in `report`, in a stable order; empty if it could be true."""
    findings = [*_suite(report, suite), *_task_list(report, suite)]
    for spec in suite.tasks:
        result = report.tasks.get(spec.key)
        if result is not None and result.status == "ok":
            findings += _identity(spec, result)
            findings += [*_names(spec, result), *_values(spec, result), *_relations(spec, result)]
    return [*findings, *_aggregates(report, suite), *_provenance(report)]


def check_submittable(report: Report) -> list[Finding]:
    """Why no board can rank `report`, however right it is: E504, no training run is behind it."""
    p = report.provenance
    if isinstance(p, RunProvenance):
        return []
    return [
        Finding(
            "E504",
            None,
            f"the report is of the model {p.model!r} ({p.pretrained!r}), which no run of a scale's "
            "recipe trained on a subset. Boards rank runs: evaluate one with datacomp evaluate RUN",
        )
    ]


def _suite(report: Report, suite: Suite) -> Iterator[Finding]:
    if (report.suite.name, report.suite.sha256) != (suite.name, suite.sha256):
        yield Finding(
            "E101",
            None,
            f"suite is {report.suite.name} {report.suite.sha256[:12]}, expected {suite.name} "
            f"{suite.sha256[:12]}; evaluate again with this version of datacomp",
        )


def _task_list(report: Report, suite: Suite) -> Iterator[Finding]:
    known = {task.key for task in suite.tasks}
    for key in sorted(set(report.tasks) - known):
        yield Finding("E202", key, f"suite {suite.name} has no such task")
    for spec in suite.tasks:
        result = report.tasks.get(spec.key)
        again = f"run: datacomp evaluate RUN --suite {suite.name} --task {spec.key}"
        if result is None:
            yield Finding("E201", spec.key, f"is missing; {again}")
        elif result.status == "failed":
            yield Finding("E203", spec.key, f"failed: {result.error or 'no reason given'}; {again}")


def _identity(spec: TaskSpec, result: TaskResult) -> Iterator[Finding]:
    if result.version != spec.version:
        yield Finding("E204", spec.key, f"version is {result.version}, expected {spec.version}")
    if result.n != spec.n:
        yield Finding("E205", spec.key, f"n is {result.n:,}, expected {spec.n:,}")
    if result.main_metric != spec.main_metric:
        yield Finding(
            "E206", spec.key, f"main metric is {result.main_metric}, expected {spec.main_metric}"
        )
    if result.dataset_sha256 is None:
        yield Finding("E209", spec.key, "dataset_sha256 is missing")


def _names(spec: TaskSpec, result: TaskResult) -> Iterator[Finding]:
    for name in spec.metrics:
        if name not in result.metrics:
            yield Finding("E207", spec.key, f"metric {name} is missing")
    for name in sorted(set(result.metrics) - set(spec.metrics)):
        yield Finding("E208", spec.key, f"metric {name} is not one of this task's")


def _values(spec: TaskSpec, result: TaskResult) -> Iterator[Finding]:
    for name, metric in result.metrics.items():
        if metric.chance != spec.chance.get(name):
            yield Finding(
                "E306",
                spec.key,
                f"{name}: chance is {metric.chance}, the suite says {spec.chance.get(name)}",
            )
        if metric.value is None:
            if name == spec.main_metric:
                yield Finding("E308", spec.key, f"{name} is the main metric and has no value")
        elif not 0 <= metric.value <= 1:
            yield Finding("E301", spec.key, f"{name} is {metric.value}, outside 0 to 1")
        else:
            yield from _counts(spec, name, metric, metric.value)
            yield from _spread(spec, name, metric, metric.value)


def _counts(spec: TaskSpec, name: str, metric: Metric, value: float) -> Iterator[Finding]:
    expected = spec.n if name in PROPORTIONS else metric.n
    if metric.n != expected or (metric.n is not None and metric.n < 1):
        yield Finding("E302", spec.key, f"{name}: n is {metric.n}, expected {expected}")
    elif expected is not None:
        hits = value * expected
        if abs(hits - round(hits)) > _COUNT_TOLERANCE * max(expected, 1):
            yield Finding(
                "E302",
                spec.key,
                f"{name} is {value!r}, which is no whole number of {expected:,}: nearest is "
                f"{round(hits)}/{expected:,} = {round(hits) / expected!r}",
            )


def _spread(spec: TaskSpec, name: str, metric: Metric, value: float) -> Iterator[Finding]:
    se = metric.stderr
    if se is None:
        if name == spec.main_metric:
            yield Finding("E305", spec.key, f"{name} is the main metric and has no stderr")
    elif not 0 <= se <= _LARGEST_STDERR:
        yield Finding("E305", spec.key, f"{name}: stderr is {se}, possible are 0 to 0.5")
    elif name in PROPORTIONS:
        binomial = math.sqrt(value * (1 - value) / spec.n)
        if abs(se - binomial) > _STDERR_TOLERANCE:
            yield Finding(
                "E305",
                spec.key,
                f"{name}: stderr is {se:.6f}; {value} of {spec.n:,} pictures has {binomial:.6f}",
            )


def _relations(spec: TaskSpec, result: TaskResult) -> Iterator[Finding]:
    values = {k: m.value for k, m in result.metrics.items() if m.value is not None}
    for low, high in _ORDERED:
        if low in values and high in values and values[high] < values[low] - _SUM_TOLERANCE:
            yield Finding("E303", spec.key, f"{high} {values[high]} is below {low} {values[low]}")
    for grouping in spec.groupings:
        yield from _groups(spec, grouping, result)
    ways = [values.get(f"{way}_retrieval_recall@1") for way in ("image", "text")]
    both = values.get("mean_recall@1")
    if both is not None and ways[0] is not None and ways[1] is not None:
        mean_value = (ways[0] + ways[1]) / 2
        if abs(both - mean_value) > _SUM_TOLERANCE:
            yield Finding(
                "E307", spec.key, f"mean_recall@1 is {both}, the two recalls give {mean_value}"
            )


def _groups(spec: TaskSpec, grouping: Grouping, result: TaskResult) -> Iterator[Finding]:
    names, mean = grouping.each, grouping.mean
    groups = [result.metrics[name] for name in names if name in result.metrics]
    for worst, first in grouping.minima.items():
        values = [m.value for m in groups[:first] if m.value is not None]
        stated = result.metrics[worst].value if worst in result.metrics else None
        if stated is not None and values and abs(stated - min(values)) > _COUNT_TOLERANCE:
            found = f"{worst} is {stated}, the worst group has {min(values)}"
            yield Finding("E304", spec.key, found)
    n = sum(metric.n or 0 for metric in groups)
    if len(groups) == len(names) and n != spec.n:
        yield Finding("E309", spec.key, f"the {grouping.field} groups hold {n:,} of {spec.n:,}")
    elif len(groups) == len(names) and mean in result.metrics:
        hits = sum((metric.value or 0.0) * (metric.n or 0) for metric in groups)
        overall = result.metrics[mean].value
        if overall is not None and abs(hits / spec.n - overall) > _COUNT_TOLERANCE:
            yield Finding("E309", spec.key, f"{mean} is {overall}, its groups give {hits / spec.n}")


def _aggregates(report: Report, suite: Suite) -> Iterator[Finding]:
    stated, computed = _flat(report.aggregates), _flat(aggregate(suite, report.tasks))
    for name in [*computed, *(name for name in stated if name not in computed)]:
        code = "E401" if name.startswith("average") else "E402"
        if name == "complete":
            code = "E403"
        if name not in stated or name not in computed or _differ(stated[name], computed[name]):
            yield Finding(
                code,
                None,
                f"{name} is {stated.get(name, 'missing')}, the tasks give "
                f"{computed.get(name, 'no such group')}",
            )


def _flat(aggregates: Aggregates) -> dict[str, float | None]:
    flat: dict[str, float | None] = {
        f"average {key}": value for key, value in aggregates.average.model_dump().items()
    }
    for group, mean in aggregates.groups.items():
        flat |= {f"group {group} {key}": value for key, value in mean.model_dump().items()}
    return {**flat, "complete": aggregates.complete}


def _differ(a: float | None, b: float | None) -> bool:
    return (a is None) != (b is None) or abs((a or 0) - (b or 0)) > _SUM_TOLERANCE


def _provenance(report: Report) -> Iterator[Finding]:
    p = report.provenance
    if not isinstance(p, RunProvenance):
        return
    for name, value in (
        ("pool_size", p.pool_size),
        ("subset.n", p.subset.n),
        ("subset.n_unique", p.subset.n_unique),
        ("samples_seen", p.samples_seen),
    ):
        if value < 1:
            yield Finding("E501", None, f"{name} is {value}, expected at least 1")
    if p.subset.n_unique > p.subset.n:
        yield Finding(
            "E502",
            None,
            f"subset has {p.subset.n_unique:,} unique uids among {p.subset.n:,} entries",
        )
    if p.subset.n_unique > p.pool_size:
        yield Finding(
            "E503",
            None,
            f"subset has {p.subset.n_unique:,} unique uids, the pool only {p.pool_size:,} rows",
        )
