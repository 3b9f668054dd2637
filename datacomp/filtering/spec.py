"""Specs: all that a filter or step declares, as JSON, and the key of what a step produces."""

import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import FilterError
from datacomp.files import sha256_file, sha256_json
from datacomp.filtering.contract import Filter, RowStep, parameters

PLUGIN_PREFIX = "datacomp_plugin_"
"""Modules loaded from a plugin file are named with this prefix; see registry.py."""


@dataclass(frozen=True)
class StepSpec:
    """A step as data. `assets` maps names to sha256, `outputs` names to Arrow types."""

    name: str
    version: int
    implementation: str
    params: dict[str, Any]
    columns: tuple[str, ...]
    features: tuple[str, ...]
    outputs: dict[str, str]
    assets: dict[str, str]
    device: str

    @property
    def key(self) -> str:
        """Hex sha256 of all that its results depend on, besides the rows; devices do not count."""
        facts = asdict(self)
        del facts["device"]
        return sha256_json(facts)


@dataclass(frozen=True)
class FilterSpec:
    """A filter as data; `columns` and `features` are all that it reads of a pool, steps included.

    `images` says whether a step decodes images; `seed` is None for a filter that draws nothing.
    """

    name: str
    version: int
    summary: str
    params: dict[str, Any]
    columns: tuple[str, ...]
    features: tuple[str, ...]
    images: bool
    outputs: dict[str, str]
    seed: int | None
    device: str
    assets: dict[str, str]
    uses_eval_related_data: str
    steps: tuple[StepSpec, ...]

    def to_json(self) -> dict[str, Any]:
        """As nested dicts and lists, ready for json.dumps."""
        facts = asdict(self)
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()
        }


def step_spec(step: RowStep) -> StepSpec:
    """Describe a step; hashes its assets.

    A step from a plugin file depends on that file's content: who edits it need not think of
    `version`.
    """
    assets = {asset.name: asset.sha256() for asset in step.assets()}
    if (plugin := plugin_file(type(step))) is not None:
        assets["plugin file"] = sha256_file(plugin)
    return StepSpec(
        name=step.name,
        version=step.version,
        implementation=f"{type(step).__module__}:{type(step).__qualname__}",
        params=parameters(step, runtime=False),
        columns=step.columns(),
        features=step.features,
        outputs={field.name: str(field.type) for field in step.outputs()},
        assets=assets,
        device=step.device,
    )


def filter_spec(chosen: Filter) -> FilterSpec:
    """Describe a filter with its steps; hashes their assets.

    `FilterError` if two of its columns have the same name.
    """
    steps = tuple(step_spec(step) for step in chosen.steps())
    names = Counter([*chosen.columns(), *(name for step in steps for name in step.outputs)])
    if doubled := [name for name, times in names.items() if times > 1]:
        raise FilterError(f"filter {chosen.name!r} has two columns named {doubled[0]!r}")
    columns = [*chosen.columns(), *(column for step in steps for column in step.columns)]
    params = parameters(chosen)
    return FilterSpec(
        name=chosen.name,
        version=chosen.version,
        summary=chosen.summary,
        params=params,
        columns=tuple(dict.fromkeys(columns)),
        features=tuple(dict.fromkeys(key for step in steps for key in step.features)),
        images=False,
        outputs={name: kind for step in steps for name, kind in step.outputs.items()},
        seed=params.get("seed"),
        device="gpu" if any(step.device == "gpu" for step in steps) else "cpu",
        assets={name: digest for step in steps for name, digest in step.assets.items()},
        uses_eval_related_data=chosen.uses_eval_related_data,
        steps=steps,
    )


def plugin_file(kind: type) -> Path | None:
    """The plugin file that defines a class, or None for a class of an importable module."""
    if not kind.__module__.startswith(PLUGIN_PREFIX):
        return None
    file = sys.modules[kind.__module__].__file__
    return Path(file) if file else None
