"""Specs: all that a filter or step declares, as JSON, and the key of what a step produces."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
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
    """A fit as data. `assets` maps names to sha256, `inputs` and `fits` to keys."""

    name: str
    version: int
    implementation: str
    params: dict[str, Any]
    columns: tuple[str, ...]
    features: tuple[str, ...]
    inputs: dict[str, str]
    fits: dict[str, str]
    images: bool
    assets: dict[str, str]

    @property
    def key(self) -> str:
        """Hex sha256 of all that its arrays depend on, besides the rows and their pictures."""
        facts = asdict(self)
        del facts["images"]
        return sha256_json(facts)

    @property
    def reads_pool(self) -> bool:
        """Whether its arrays depend on a pool's rows by themselves."""
        return bool(self.columns or self.features or self.inputs or self.images)


@dataclass(frozen=True)
class StepSpec:
    """A step as data.

    `assets` maps names to sha256, `outputs` names to Arrow types, `inputs` and `fits` to keys.
    """

    name: str
    version: int
    implementation: str
    params: dict[str, Any]
    columns: tuple[str, ...]
    features: tuple[str, ...]
    inputs: dict[str, str]
    fits: dict[str, str]
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

    `steps` and `fits` are all that it builds on, in an order in which they can be computed;
    `outputs` are the columns that it selects by. `images` says whether a step or fit sees pictures;
    `seed` is None for a filter that draws nothing.
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


@dataclass
class Specs:
    """Describes producers, each once: assets may be large, and describing hashes them."""

    _known: dict[str, Any] = field(default_factory=dict)

    def step(self, step: Step) -> StepSpec:
        """Describe a step."""
        key = identity(step)
        if key not in self._known:
            self._known[key] = StepSpec(
                **self._facts(step),
                images=isinstance(step, ImageStep),
                outputs={field.name: str(field.type) for field in step.outputs()},
                device=step.device,
            )
        found: StepSpec = self._known[key]
        return found

    def fit(self, fit: Fit) -> FitSpec:
        """Describe a fit."""
        key = identity(fit)
        if key not in self._known:
            self._known[key] = FitSpec(**self._facts(fit), images=fit.images)
        found: FitSpec = self._known[key]
        return found

    def _facts(self, producer: Step | Fit) -> dict[str, Any]:
        inputs, fits = distinct(producer.inputs()), distinct(producer.fits())
        return {
            "name": producer.name,
            "version": producer.version,
            "implementation": implementation(producer),
            "params": parameters(producer, runtime=False),
            "columns": producer.columns(),
            "features": producer.features,
            "inputs": {f"{i} {step.name}": self.step(step).key for i, step in enumerate(inputs)},
            "fits": {f"{i} {fit.name}": self.fit(fit).key for i, fit in enumerate(fits)},
            "assets": _asset_hashes(producer),
        }


def filter_spec(chosen: Filter) -> FilterSpec:
    """Describe a filter with all that it builds on; hashes their assets.

    `FilterError` if two columns that it reads have the same name.
    """
    specs, made = Specs(), producers(chosen)
    steps = tuple(specs.step(step) for step in made.steps)
    fits = tuple(specs.fit(fit) for fit in made.fits)
    for leaf in leaves(chosen):
        if leaf._finds_by_name:
            _demand_distinct_names(f"filter {leaf.name!r}", leaf.columns(), leaf.steps())
    for one in made.order:
        if one._finds_by_name:
            _demand_distinct_names(f"{one.name!r}", (*one.columns(), *one.features), one.inputs())
    described: tuple[StepSpec | FitSpec, ...] = (*steps, *fits)
    columns = [*chosen.columns(), *(column for one in described for column in one.columns)]
    direct = {identity(step) for step in chosen.steps()}
    selected = [specs.step(step) for step in made.steps if identity(step) in direct]
    params = _json_values(chosen, chosen.params())
    return FilterSpec(
        name=chosen.name,
        version=chosen.version,
        summary=chosen.summary,
        params=params,
        columns=tuple(dict.fromkeys(columns)),
        features=tuple(dict.fromkeys(key for one in described for key in one.features)),
        images=any(one.images for one in described),
        outputs={name: kind for step in selected for name, kind in step.outputs.items()},
        seed=params.get("seed") if isinstance(params, dict) else None,
        device="gpu" if any(step.device == "gpu" for step in steps) else "cpu",
        assets=_all_assets(described),
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


@dataclass(frozen=True)
class Producers:
    """All that a filter builds on; a step or fit stands after those that it builds on itself."""

    order: tuple[Step | Fit, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps among them, in order."""
        return tuple(one for one in self.order if not isinstance(one, Fit))

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The fits among them, in order."""
        return tuple(one for one in self.order if isinstance(one, Fit))


def producers(chosen: Filter) -> Producers:
    """What a filter builds on; the same in every process that builds the same filter."""
    found: dict[str, Step | Fit] = {}

    def visit(producer: Step | Fit, above: tuple[str, ...]) -> None:
        key = identity(producer)
        if key in above:
            raise FilterError(f"{implementation(producer)} builds on itself")
        if key not in found:
            for one in (*producer.fits(), *producer.inputs()):
                visit(one, (*above, key))
            found[key] = producer

    for producer in (*chosen.fits(), *chosen.steps()):
        visit(producer, ())
    return Producers(tuple(found.values()))


def distinct(some: tuple[P, ...]) -> tuple[P, ...]:
    """Each producer once, in order."""
    return tuple({identity(producer): producer for producer in some}.values())


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
    assets = producer.assets()
    names = Counter(asset.name for asset in assets)
    if doubled := [name for name, times in names.items() if times > 1]:
        raise FilterError(f"{producer.name!r} has two assets named {doubled[0]!r}")
    hashes = {asset.name: asset.sha256() for asset in assets}
    if (plugin := plugin_file(type(producer))) is not None:
        hashes["plugin file"] = sha256_file(plugin)
    return hashes


def _all_assets(described: tuple[StepSpec | FitSpec, ...]) -> dict[str, str]:
    """Those of all, with a number where a name is another file's already."""
    found: dict[str, str] = {}
    for name, digest in (asset for one in described for asset in one.assets.items()):
        labels = (f"{name} {number}" if number > 1 else name for number in count(1))
        next(label for label in labels if found.setdefault(label, digest) == digest)
    return found


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


def _demand_distinct_names(who: str, own: tuple[str, ...], steps: tuple[Step, ...]) -> None:
    produced = (name for step in distinct(steps) for name in step.outputs().names)
    names = Counter([*own, *produced])
    if doubled := [name for name, times in names.items() if times > 1]:
        raise FilterError(f"{who} has two columns named {doubled[0]!r}")
