"""Specs: all that a filter or step declares, as JSON, and the key of what a step produces."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from datacomp.errors import FilterError
from datacomp.files import canonical_json, sha256_file, sha256_json
from datacomp.filtering.contract import Filter, Fit, ImageStep, Step, parameters

PLUGIN_PREFIX = "datacomp_plugin_"
"""Modules loaded from a plugin file are named with this prefix; see registry.py."""

P = TypeVar("P", Step, Fit)


@dataclass(frozen=True)
class FitSpec:
    """A fit as data. `assets` maps names to sha256."""

    name: str
    version: int
    implementation: str
    params: dict[str, Any]
    assets: dict[str, str]

    @property
    def key(self) -> str:
        """Hex sha256 of all that its arrays depend on."""
        return sha256_json(asdict(self))


@dataclass(frozen=True)
class StepSpec:
    """A step as data. `assets` maps names to sha256, `outputs` names to Arrow types."""

    name: str
    version: int
    implementation: str
    params: dict[str, Any]
    columns: tuple[str, ...]
    features: tuple[str, ...]
    images: bool
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

    `images` says whether a step sees pictures; `seed` is None for a filter that draws nothing.
    """

    name: str
    version: int
    summary: str
    params: Any
    columns: tuple[str, ...]
    features: tuple[str, ...]
    images: bool
    outputs: dict[str, str]
    seed: int | None
    device: str
    assets: dict[str, str]
    uses_eval_related_data: str
    steps: tuple[StepSpec, ...]
    fits: tuple[FitSpec, ...]

    def to_json(self) -> dict[str, Any]:
        """As nested dicts and lists, ready for json.dumps."""
        facts = asdict(self)
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()
        }


def step_spec(step: Step) -> StepSpec:
    """Describe a step; hashes its assets."""
    return StepSpec(
        name=step.name,
        version=step.version,
        implementation=implementation(step),
        params=parameters(step, runtime=False),
        columns=step.columns(),
        features=step.features,
        images=isinstance(step, ImageStep),
        outputs={field.name: str(field.type) for field in step.outputs()},
        assets=_asset_hashes(step),
        device=step.device,
    )


def fit_spec(fit: Fit) -> FitSpec:
    """Describe a fit; hashes its assets."""
    return FitSpec(
        name=fit.name,
        version=fit.version,
        implementation=implementation(fit),
        params=parameters(fit, runtime=False),
        assets=_asset_hashes(fit),
    )


def filter_spec(chosen: Filter) -> FilterSpec:
    """Describe a filter with its steps and fits; hashes their assets.

    `FilterError` if two columns that it reads have the same name.
    """
    steps = tuple(step_spec(step) for step in distinct(chosen.steps()))
    fits = tuple(fit_spec(fit) for fit in distinct(chosen.fits()))
    for leaf in leaves(chosen):
        if leaf._finds_by_name:
            _demand_distinct_names(leaf)
    columns = [*chosen.columns(), *(column for step in steps for column in step.columns)]
    made = [*(step.assets for step in steps), *(fit.assets for fit in fits)]
    params = _json_values(chosen, chosen.params())
    return FilterSpec(
        name=chosen.name,
        version=chosen.version,
        summary=chosen.summary,
        params=params,
        columns=tuple(dict.fromkeys(columns)),
        features=tuple(dict.fromkeys(key for step in steps for key in step.features)),
        images=any(step.images for step in steps),
        outputs={name: kind for step in steps for name, kind in step.outputs.items()},
        seed=params.get("seed") if isinstance(params, dict) else None,
        device="gpu" if any(step.device == "gpu" for step in steps) else "cpu",
        assets={name: digest for assets in made for name, digest in assets.items()},
        uses_eval_related_data=_eval_related(chosen),
        steps=steps,
        fits=fits,
    )


def leaves(chosen: Filter) -> Iterator[Filter]:
    """The filters that a combination is made of, in order; of any other filter, itself."""
    if not chosen.children():
        yield chosen
    for child in chosen.children():
        yield from leaves(child)


def distinct(producers: tuple[P, ...]) -> tuple[P, ...]:
    """Each producer once, in order; the same in every process that builds the same filter."""
    return tuple({identity(producer): producer for producer in producers}.values())


def identity(producer: Step | Fit) -> str:
    """What tells producers of a filter apart; unlike a key, it hashes no asset."""
    return sha256_json([implementation(producer), _json_values(producer, parameters(producer))])


def implementation(thing: Filter | Step | Fit) -> str:
    """`module:class`."""
    return f"{type(thing).__module__}:{type(thing).__qualname__}"


def plugin_file(kind: type) -> Path | None:
    """The plugin file that defines a class, or None for a class of an importable module."""
    if not kind.__module__.startswith(PLUGIN_PREFIX):
        return None
    file = sys.modules[kind.__module__].__file__
    return Path(file) if file else None


def _asset_hashes(producer: Step | Fit) -> dict[str, str]:
    """The assets' sha256 by name.

    What stands in a plugin file depends on that file's content too: who edits it need not think
    of `version`.
    """
    hashes = {asset.name: asset.sha256() for asset in producer.assets()}
    if (plugin := plugin_file(type(producer))) is not None:
        hashes["plugin file"] = sha256_file(plugin)
    return hashes


def _json_values(thing: Filter | Step | Fit, params: Any) -> Any:
    """The parameters, as they are; `FilterError` naming the class if JSON cannot hold them."""
    try:
        canonical_json(params)
    except (TypeError, ValueError) as error:
        raise FilterError(
            f"the fields of {implementation(thing)} are not all JSON values: {error}"
        ) from error
    return params


def _eval_related(chosen: Filter) -> str:
    used = {leaf.uses_eval_related_data for leaf in leaves(chosen)}
    return "train" if "train" in used else "none"


def _demand_distinct_names(chosen: Filter) -> None:
    produced = (name for step in distinct(chosen.steps()) for name in step.outputs().names)
    names = Counter([*chosen.columns(), *produced])
    if doubled := [name for name, times in names.items() if times > 1]:
        raise FilterError(f"filter {chosen.name!r} has two columns named {doubled[0]!r}")
