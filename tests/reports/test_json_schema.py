"""The published JSON Schema: it is the model's, and judges documents as the reader does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from datacomp.reports import InvalidReportError, Report, json_schema, parse_report

PUBLISHED = Path(__file__).parents[2] / "docs" / "report.schema.json"
VALIDATOR = Draft202012Validator(json_schema())


def test_the_published_schema_is_the_models() -> None:
    """After a change of the model: datacomp report schema > docs/report.schema.json."""
    assert PUBLISHED.read_text() == json.dumps(json_schema(), indent=2) + "\n"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("options", [{}, {"suite": "datacomp38"}, {"model": {}}])
def test_a_good_report_passes(make_report: Callable[..., Report], options: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors(make_report(**options).as_json())) == []


def drop(*path: str) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        del value[path[-1]]

    return change


def put(new: Any, *path: str) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = new

    return change


@pytest.mark.parametrize(
    "change",
    [
        drop("suite"),
        drop("schema"),
        put("datacomp-report/1", "schema_id"),
        lambda value: value.update(schema_id=value.pop("schema")),
        put("1700000000", "created"),
        put("2026-01-02T03:04:05", "created"),
        put("2026-01-02 03:04:05Z", "created"),
        put("c" * 64 + "\n", "provenance", "checkpoint_sha256"),
        drop("provenance", "subset", "n"),
        drop("aggregates", "average", "chance"),
        put("datacomp-report/9", "schema"),
        put("red", "colour"),
        put("red", "provenance", "colour"),
        put(-1, "provenance", "seed"),
        put("0", "provenance", "seed"),
        put("ABC", "provenance", "checkpoint_sha256"),
        put("maybe", "tasks", "names", "status"),
        put(1e7, "tasks", "names", "metrics", "acc1", "value"),
        put({}, "tasks", "names", "metrics", "acc1"),
        put("x" * 201, "provenance", "scale"),
        put({"": "1"}, "provenance", "platform"),
        put({str(i): "1" for i in range(65)}, "provenance", "platform"),
        put(1, "aggregates", "complete"),
    ],
)
def test_a_broken_one_fails_in_both(make_report: Callable[..., Report], change: Any) -> None:
    value = make_report().as_json()
    change(value)
    assert list(VALIDATOR.iter_errors(value))
    with pytest.raises(InvalidReportError):
        parse_report(json.dumps(value))
