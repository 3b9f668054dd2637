"""Checks of what a filter says of itself, before anything is computed."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import SkipTest

from datacomp.errors import DatacompError
from datacomp.filtering.assets import VARIABLE, folders
from datacomp.filtering.conformance.kit import Broken
from datacomp.filtering.conformance.subject import Subject
from datacomp.filtering.contract import Filter, Fit, Step, fields, parameters
from datacomp.filtering.params import filter_from_params, filter_from_words
from datacomp.filtering.spec import filter_spec, producers
from datacomp.filtering.tree import from_tree, to_tree
from datacomp.filtering.work import told
from datacomp.pool.schema import FEATURE_KEYS, SCHEMA

_NOWHERE = "/nowhere/asset.bin"
Thing = Filter | Step | Fit


def check_declaration(subject: Subject) -> None:
    """Names, versions, rules and types make sense."""
    chosen = subject.chosen
    for thing in _things(subject):
        _demand(thing, "name", _is_name(thing.name), "a name of letters, digits, _, -, . and /")
        _demand(thing, "version", _is_version(thing.version), "an integer from 1")
    _demand(chosen, "summary", _is_sentence(chosen.summary), "one sentence, ended by a full stop")
    rules = chosen.rules()
    _demand(chosen, "rules()", all(map(_is_sentence, rules)) and rules, "one sentence or more")
    told_of = chosen.uses_eval_related_data in ("none", "train")
    _demand(chosen, "uses_eval_related_data", told_of, "none or train")
    for step in subject.steps:
        _demand_step(step)
    names = [(step.name, *step.outputs().names) for step in subject.steps]
    _demand(chosen, "steps()", len(set(names)) == len(names), "names or columns of their own each")


def check_frozen(subject: Subject) -> None:
    """It cannot be changed once it is made."""
    for thing in _things(subject):
        mend = "Write @dataclass(frozen=True, kw_only=True), tuples for lists."
        where = f"{type(thing).__name__} of {thing.name!r}"
        fields(type(thing))
        if not type(thing).__dataclass_params__.frozen:  # type: ignore[union-attr]
            raise Broken(f"{where} to be a frozen dataclass", "one that can be changed", mend)
        try:
            hash(thing)
        except TypeError as error:
            raise Broken(f"{where} to hold values that cannot change", str(error), mend) from error


def check_clone(subject: Subject) -> None:
    """Its JSON makes the same filter again."""
    chosen = subject.chosen
    mend = "Let parameters be numbers, strings, None or tuples of them, and __init__ only store."
    try:
        described = {"spec": filter_spec(chosen).to_json(), "tree": to_tree(chosen)}
        text = json.dumps(described, allow_nan=False)
    except DatacompError as error:
        raise SkipTest("it cannot be described: see runs") from error
    except (TypeError, ValueError) as error:
        raise Broken("parameters that are JSON", told(error), mend) from error
    params = json.loads(text)["spec"]["params"]
    for built in (filter_from_params(type(chosen), params), from_tree(json.loads(text)["tree"])):
        if built != chosen or producers(built).steps != subject.steps:
            raise Broken(f"{chosen} from its own parameters", f"{built}", mend)
    if params != json.loads(json.dumps(parameters(chosen))):
        raise Broken(f"parameters {parameters(chosen)}", f"{params}", mend)


def check_example(subject: Subject) -> None:
    """Its example, or its defaults, make a filter."""
    kind = type(subject.chosen)
    try:
        filter_from_words(kind, kind.example.split())
    except DatacompError as error:
        raise Broken(
            f"a filter from example = {kind.example!r}",
            str(error),
            'Give typical parameters: example = "fraction=0.3".',
        ) from error


def check_missing_asset(subject: Subject) -> None:
    """An asset that is not there is named."""
    chosen = subject.chosen
    try:
        paths = [asset.path for thing in _producers(chosen) for asset in thing.assets()]
    except DatacompError:
        return  # It says what is missing: the very thing that is to be shown.
    if not paths:
        raise SkipTest("it computes with no assets")
    for name, value in parameters(chosen).items():
        if isinstance(value, str) and value and _leads_to(Path(value), paths):
            _demand_refusal(subject, {name: _NOWHERE}, _NOWHERE)
    if released := [path for path in paths if any(path.is_relative_to(f) for f in folders())]:
        with _no_assets(subject.fresh("assets")):
            _demand_refusal(subject, {}, released[0].name)


def _leads_to(given: Path, paths: Sequence[Path]) -> bool:
    """Whether an asset lies at a path, or in the folder that it names."""
    place = given.expanduser().resolve()
    return any(path.resolve().is_relative_to(place) for path in paths)


def _producers(chosen: Filter) -> tuple[Step | Fit, ...]:
    return producers(chosen).order


def _demand_refusal(subject: Subject, params: Mapping[str, str], named: str) -> None:
    mend = "Declare the file in assets(), and open it in open() or fit(), nowhere before."
    expected = f"an error of datacomp's that names {named}, which is not there"
    try:
        filter_spec(subject.changed(**params))
    except DatacompError as error:
        if named in str(error):
            return
        raise Broken(expected, str(error), mend) from error
    except Exception as error:
        raise Broken(expected, told(error), mend) from error
    raise Broken(expected, "none", mend)


@contextmanager
def _no_assets(folder: Path) -> Iterator[None]:
    """As if nothing had been fetched."""
    before = {name: os.environ.get(name) for name in (VARIABLE, "DATACOMP_CACHE")}
    os.environ.update(dict.fromkeys(before, str(folder)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _things(subject: Subject) -> Iterator[Thing]:
    yield subject.chosen
    yield from subject.steps
    yield from subject.fits


def _demand(thing: Any, what: str, holds: object, expected: str) -> None:
    if not holds:
        value = getattr(thing, what.removesuffix("()"), None)
        came = value() if callable(value) else value
        where = f"{what} of {type(thing).__name__}"
        raise Broken(f"{where} to be {expected}", repr(came), f"Mend {where}.")


def _demand_step(step: Step) -> None:
    taken = {*SCHEMA.names, *FEATURE_KEYS}
    names = step.outputs().names
    _demand(step, "device", step.device in ("cpu", "gpu", "either"), "cpu, gpu or either")
    _demand(step, "rows_per_second", step.rows_per_second > 0, "a number above 0")
    _demand(step, "columns()", isinstance(step.columns(), tuple), "a tuple of names")
    _demand(step, "features", isinstance(step.features, tuple), "a tuple of names")
    _demand(step, "outputs()", names and not taken & set(names), "columns that no pool has")


def _is_name(name: object) -> bool:
    allowed = "-_./"
    return isinstance(name, str) and bool(name) and all(c.isalnum() or c in allowed for c in name)


def _is_version(version: object) -> bool:
    return type(version) is int and version > 0


def _is_sentence(text: object) -> bool:
    return isinstance(text, str) and text.strip().endswith(".") and "\n" not in text
