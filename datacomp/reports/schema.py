"""The evaluation report `datacomp-report/1`: its shape, and nothing about whether it is true.

Types, lengths and finiteness are refused here; lies (a sum that does not add up, an impossible
accuracy) are found by `datacomp.reports.checks`. Every model is frozen and refuses unknown keys.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from datacomp.errors import ReportError

# The length is for Python, where `$` is also before a last line break.
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Message = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
# Bounds that keep the arithmetic of the checks finite; what is impossible, the checks say.
Count = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]


_RFC3339 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$"
)


def _rfc3339(value: Any) -> Any:
    """A time as the schema has it; pydantic itself would read `"1700000000"` as well."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(_RFC3339, value):
        raise ValueError("expected a time with its zone, as 2026-01-02T03:04:05Z")
    return datetime.fromisoformat(value)


Created = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc3339),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _RFC3339}),
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Metric(_Model):
    """One number of one task.

    `value` is null where the metric is undefined (top-5 of four classes, a group without
    pictures). `stderr` is one standard error of `value`. `n` is the number of yes-or-no outcomes
    that `value` is the mean of; null where it is not such a mean.
    """

    value: Number | None
    stderr: Number | None = None
    chance: Number | None = None
    n: Count | None = None


class TaskResult(_Model):
    """What one task answered; a failed task has an error and no metrics."""

    status: Literal["ok", "failed"]
    error: Message | None = None
    version: Count
    n: Count
    main_metric: Name | None
    metrics: dict[Name, Metric] = Field(max_length=400)
    dataset_sha256: Sha256 | None
    seconds: Annotated[Number, Field(ge=0)]

    @property
    def main(self) -> Metric | None:
        """The main metric, if the task succeeded and has one."""
        if self.status != "ok" or self.main_metric is None:
            return None
        return self.metrics.get(self.main_metric)


class SubsetRef(_Model):
    """The subset that was trained on: `n` entries, of which `n_unique` differ."""

    name: Name
    sha256: Sha256
    n: Count
    n_unique: Count


class RunProvenance(_Model):
    """What was trained, on what, with what; copied from the run."""

    scale: Name
    recipe_id: Name
    pool_id: Name
    pool_size: Count
    subset: SubsetRef
    checkpoint_sha256: Sha256
    seed: Count
    samples_seen: Count
    platform: dict[Name, Name] = Field(max_length=64)


class Preprocessing(_Model):
    """What a model's pictures went through, in open_clip's words; `size` is (height, width)."""

    size: tuple[Count, Count]
    mode: Name
    mean: tuple[Number, ...] = Field(min_length=1, max_length=4)
    std: tuple[Number, ...] = Field(min_length=1, max_length=4)
    interpolation: Name
    resize_mode: Name
    fill_color: Number


class ModelProvenance(_Model):
    """A model that no run here trained: an open_clip architecture, and where its weights are from.

    `pretrained` is open_clip's tag or the file's name, `weights_sha256` the file's, `config_sha256`
    that of the architecture's configuration as canonical JSON.
    """

    model: Name
    pretrained: Name
    weights_sha256: Sha256
    config_sha256: Sha256
    preprocessing: Preprocessing
    platform: dict[Name, Name] = Field(max_length=64)


# Tags of the union. They stand in the places that pydantic names, where `parse_report` drops them.
RUN, MODEL = "(run)", "(model)"


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return MODEL if "weights_sha256" in value else RUN
    return MODEL if isinstance(value, ModelProvenance) else RUN


Provenance = Annotated[
    Annotated[RunProvenance, Tag(RUN)] | Annotated[ModelProvenance, Tag(MODEL)],
    Discriminator(_shape),
]


class SuiteRef(_Model):
    """The suite that was evaluated; `sha256` is `Suite.sha256`."""

    name: Name
    sha256: Sha256


class Average(_Model):
    """Mean of the main metrics of all scored tasks; null unless every one of them is there."""

    value: Number | None
    stderr: Number | None
    chance: Number | None
    n_tasks: Count


class GroupMean(_Model):
    """Mean of the main metrics of a group's scored tasks; null unless all are there."""

    value: Number | None
    stderr: Number | None
    n_tasks: Count


class Aggregates(_Model):
    """What follows from the tasks; `complete` says that every scored task succeeded."""

    average: Average
    groups: dict[Name, GroupMean] = Field(max_length=64)
    complete: bool


class Report(_Model):
    """One model evaluated on one suite."""

    schema_id: Literal["datacomp-report/1"] = Field(alias="schema")
    created: Created
    suite: SuiteRef
    mode: Literal["reference"] = "reference"
    provenance: Provenance
    tasks: dict[Name, TaskResult] = Field(max_length=400)
    aggregates: Aggregates

    @property
    def run(self) -> RunProvenance:
        """The provenance of a run; `ReportError` if the model was not trained by one."""
        if isinstance(self.provenance, RunProvenance):
            return self.provenance
        raise ReportError(
            f"this report is of {self.provenance.model} {self.provenance.pretrained}, not of a "
            "training run: expected scale, subset and seed in its provenance"
        )

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values, keys as in the file."""
        return self.model_dump(mode="json", by_alias=True)
