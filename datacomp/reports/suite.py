"""Suites as data: which tasks there are, which count, what they score, what chance scores.

A suite is one YAML file, read strictly: an unknown key, a task twice, a metric that the task's
kind cannot produce, or a group that nobody declared is an error naming file, line and entry.
How a task is evaluated is `datacomp.evaluation`'s business, which looks only at `kind`.
"""

from collections.abc import Hashable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from datacomp.errors import ReportError, UnknownNameError
from datacomp.files import sha256_json

Kind = Literal["classification", "grouped", "macro_f1", "retrieval", "association", "faces"]

CLASSIFICATION = ("acc1", "acc5", "mean_per_class_recall")
RETRIEVAL = tuple(f"{way}_retrieval_recall@{k}" for k in (1, 5, 10) for way in ("image", "text"))
ASSOCIATION_SIZES = ("5", "6", "10", "12", "5-6", "10-12")
UNCLASSED = ("retrieval", "association", "faces")
"""Kinds whose tasks have no one list of classes."""


FACE_FIELDS = ("age", "gender", "race", "race_binary")


def face_metrics(n_races: int) -> tuple[str, ...]:
    """What a set of faces reports, in DataComp's names: accuracies by race and gender, mistakes."""
    names = []
    for what in ("race", "gender", "age"):
        names += [f"acc_{what}_avg", *(f"acc_{what}_race_binary:{i}" for i in (0, 1))]
        names.append(f"acc_{what}_wg")
    both = ((race, gender) for race in range(n_races) for gender in (0, 1))
    names += ["acc_gender_x_avg", *(f"acc_gender_x_race:{r}_gender:{g}" for r, g in both)]
    names.append("acc_gender_x_wg")
    for what in ("crime", "nonhuman"):
        races = (f"toxicity_{what}_race:{race}" for race in range(n_races))
        names += [f"toxicity_{what}_avg", *races, f"toxicity_{what}_wg"]
    return tuple(names)


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Grouping(_Data):
    """A metadata column whose values 0..n_groups-1 split the pictures; `worst` names the minimum.

    `top` is 1 or 5: the accuracy that is split. `worst_of_first` names minima over the first groups
    alone, for a last group that is none ("Other"). `n_smallest` counts the pictures of the smallest
    group where it has much less than an even share.
    """

    field: str
    n_groups: int = Field(ge=1)
    n_smallest: int | None = Field(None, ge=1)
    top: Literal[1, 5] = 1
    worst: str
    worst_of_first: dict[str, int] = {}

    @property
    def prefix(self) -> str:
        """`acc` or `acc_top5`, DataComp's names."""
        return "acc" if self.top == 1 else f"acc_top{self.top}"

    @property
    def mean(self) -> str:
        """Name of the overall accuracy."""
        return f"{self.prefix}_avg"

    @property
    def each(self) -> tuple[str, ...]:
        """Names of the groups' accuracies."""
        return tuple(f"{self.prefix}_{self.field}:{i}" for i in range(self.n_groups))

    @property
    def minima(self) -> dict[str, int]:
        """Names of the minima, and over how many of the groups each is."""
        return {self.worst: self.n_groups, **self.worst_of_first}

    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that this grouping adds."""
        return (self.mean, *self.each, *self.minima)


class TaskSpec(_Data):
    """One task. A higher `version` says that the same model would score differently.

    `n` counts what the main metric averages over: pictures, or instances of an association task.
    `chance` maps a metric to its expected value under uniform guessing. `noise` is one standard
    deviation of the main metric at chance, that is, from the finite number of pictures alone.
    """

    key: str
    name: str
    kind: Kind
    dataset: str
    n: int = Field(ge=1)
    n_classes: int | None = Field(None, ge=2)
    metadata: tuple[str, ...] = ()
    groupings: tuple[Grouping, ...] = ()
    n_races: int | None = Field(None, ge=2)
    main_metric: str | None
    scored: bool
    groups: tuple[str, ...] = ()
    chance: dict[str, float] = {}
    noise: float | None = Field(None, gt=0)
    version: int = Field(ge=1)
    measures: str
    source: str
    licence: str

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that this task reports, in order."""
        if self.kind == "retrieval":
            return (*RETRIEVAL, "mean_recall@1")
        if self.kind == "association":
            return ("avg_jaccard_score", *(f"jaccard_score_{s}" for s in ASSOCIATION_SIZES))
        if self.kind == "faces":
            return face_metrics(self.n_races or 0)
        extra = tuple(name for grouping in self.groupings for name in grouping.metrics())
        if self.kind == "macro_f1":
            extra = ("acc_avg", "recall-macro_all", "F1-macro_all")
        return (*CLASSIFICATION, *dict.fromkeys(extra))

    @property
    def n_deciding(self) -> int:
        """How many pictures decide the main metric: the smallest group's, of a worst group."""
        for grouping in self.groupings:
            if self.main_metric == grouping.worst:
                return grouping.n_smallest or self.n // grouping.n_groups
        return self.n

    def identity(self) -> dict[str, Any]:
        """All that numbers depend on, as JSON values; descriptions left out."""
        words = dict.fromkeys(("name", "measures", "source", "licence"), True)
        left_out = words | {"groupings": {"__all__": {"n_smallest"}}}
        return self.model_dump(mode="json", exclude=left_out)

    @model_validator(mode="after")
    def _consistent(self) -> "TaskSpec":
        problems = [
            f"metric {name!r} is not one that kind {self.kind!r} reports"
            for name in dict.fromkeys((self.main_metric, *self.chance))
            if name is not None and name not in self.metrics
        ]
        if self.scored and self.main_metric is None:
            problems.append("a scored task needs a main_metric")
        if (self.n_classes is None) != (self.kind in UNCLASSED):
            problems.append("n_classes belongs to the kinds that classify, and to no other")
        if bool(self.groupings) != (self.kind == "grouped"):
            problems.append("groupings belong to the kind 'grouped', which needs at least one")
        problems += [
            f"{name} is over the first {first} groups, expected 1 to {g.n_groups}"
            for g in self.groupings
            for name, first in g.worst_of_first.items()
            if not 1 <= first <= g.n_groups
        ]
        if (self.n_races is None) == (self.kind == "faces"):
            problems.append("n_races belongs to the kind 'faces', which needs it")
        if self.kind == "faces" and self.metadata != FACE_FIELDS:
            problems.append(f"the kind 'faces' has the metadata {', '.join(FACE_FIELDS)}")
        problems += [
            f"grouping field {g.field!r} is not in metadata"
            for g in self.groupings
            if g.field not in self.metadata
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Suite(_Data):
    """A named set of tasks; `groups` in the order in which people read them."""

    name: str
    title: str
    groups: tuple[str, ...]
    tasks: tuple[TaskSpec, ...]

    def __getitem__(self, key: str) -> TaskSpec:
        """The task of that key; `UnknownNameError` if there is none."""
        for task in self.tasks:
            if task.key == key:
                return task
        raise UnknownNameError("task", key, (task.key for task in self.tasks))

    @property
    def scored(self) -> tuple[TaskSpec, ...]:
        """The tasks that count in the average."""
        return tuple(task for task in self.tasks if task.scored)

    @property
    def sha256(self) -> str:
        """Identity: changes when a number could change, not when a description does."""
        tasks = [task.identity() for task in self.tasks]
        return sha256_json({"name": self.name, "groups": list(self.groups), "tasks": tasks})


def suites() -> tuple[str, ...]:
    """Names of the suites that come with this distribution."""
    files = resources.files("datacomp.reports").joinpath("suites").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


@cache
def load_suite(name: str) -> Suite:
    """The suite of that name; `UnknownNameError` if this distribution has none."""
    if name not in suites():
        raise UnknownNameError("suite", name, suites())
    return read_suite(Path(str(resources.files("datacomp.reports") / "suites" / f"{name}.yaml")))


def read_suite(path: Path) -> Suite:
    """Read a suite file; `ReportError` with file, line and entry of the first wrong entry."""
    try:
        with path.open("rb") as file:
            raw = yaml.load(file, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ReportError(f"{path} is not a suite: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("tasks"), list):
        raise ReportError(f"{path} is not a suite: expected a mapping with a list 'tasks'")
    seen: dict[object, int] = {}
    tasks = []
    for i, entry in enumerate(raw["tasks"]):
        task = _task(path, i, entry, raw.get("groups") or ())
        if task.key in seen:
            raise ReportError(f"{path}: task {task.key!r} is there twice, as {seen[task.key]}, {i}")
        seen[task.key] = i
        tasks.append(task)
    try:
        return Suite(**{**raw, "tasks": tuple(tasks)})
    except ValidationError as error:
        raise ReportError(f"{path}: {_first(error)}") from error


def _task(path: Path, i: int, entry: Any, groups: tuple[str, ...]) -> TaskSpec:
    line = entry.pop(_LINE, "?") if isinstance(entry, dict) else "?"
    where = f"{path}:{line}: task {entry.get('key', i) if isinstance(entry, dict) else i!r}"
    try:
        task = TaskSpec.model_validate(entry)
    except ValidationError as error:
        raise ReportError(f"{where}: {_first(error)}") from error
    unknown = [group for group in task.groups if group not in groups]
    if unknown:
        raise ReportError(f"{where}: group {unknown[0]!r} is not declared in the suite's groups")
    return task


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'entry'}: {first['msg']}"


_LINE = "__line__"


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that occurs twice, and notes the line of each task."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice!r} occurs twice", node.start_mark
            )
        mapping = super().construct_mapping(node, deep=deep)
        if "kind" in mapping:
            mapping[_LINE] = node.start_mark.line + 1
        return mapping
