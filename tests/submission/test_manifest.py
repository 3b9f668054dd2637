"""Manifests: their identity, and what does not fit together in one."""

import json

import pytest
from pydantic import ValidationError

from datacomp.submission.manifest import DeclaredFile, Manifest
from datacomp.submission.rules import check_manifest


def declared(role, digit="1", size=10):
    return DeclaredFile(role=role, sha256=digit * 64, size=size)


def codes(manifest, report=None):
    return [finding.code for finding in check_manifest(manifest, report)]


@pytest.fixture
def report(make_report):
    return make_report(seed=3)


@pytest.fixture
def of_report(report):
    return lambda **fields: Manifest(method="m", report=report.as_json(), **fields)


def of_subset(**fields):
    values = {"scale": "tiny", "pool_id": "b" * 64, "files": (declared("subset"),)}
    return Manifest(**{"method": "m", "kind": "subset", **values, **fields})


def test_the_old_body_is_a_manifest(report):
    body = {"method": "m", "report": report.as_json()}

    made = Manifest.model_validate(body)

    assert (made.track, made.kind, made.files) == ("filtering", "report", ())
    assert check_manifest(made, report) == []


def test_identity_is_of_what_is_said_not_of_how(of_report):
    made = of_report(files=(declared("subset"),))
    again = Manifest.model_validate_json(json.dumps(made.as_json(), indent=3))

    assert again.sha256 == made.sha256
    assert of_report(files=(declared("subset", "2"),)).sha256 != made.sha256


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "datacomp-submission/9"},
        {"track": "cooking"},
        {"files": [{"role": "weights", "sha256": "1" * 64, "size": 1}]},
        {"files": [{"role": "subset", "sha256": "1" * 63 + "\n", "size": 1}]},
        {"files": [{"role": "subset", "sha256": "1" * 64, "size": 0}]},
        {"files": [{"role": "subset", "sha256": "1" * 64, "size": True}]},
        {"files": [{"role": "subset", "sha256": "1" * 64, "size": 2**60}]},
        {"seed": -1},
        {"rank": 1},
    ],
)
def test_shapes_that_are_none(wrong):
    with pytest.raises(ValidationError):
        Manifest.model_validate({"method": "m", **wrong})


def test_a_subset_to_be_trained_on():
    assert codes(of_subset()) == []


def test_a_plugin_to_be_run():
    files = (declared("plugin"), declared("selection", "2"))

    assert codes(of_subset(kind="plugin", files=files)) == []


def test_what_is_missing_is_named():
    assert codes(Manifest(method="m")) == ["S301"]
    assert codes(of_subset(files=(), scale=None, pool_id=None)) == ["S301"] * 3
    assert codes(of_subset(kind="plugin")) == ["S301", "S301", "S302"]


def test_byod_needs_its_data_and_a_report(of_report, report):
    data = declared("byod")

    assert codes(of_report(track="byod"), report) == ["S301"]
    assert codes(of_report(track="byod", files=(data,)), report) == []
    assert "S302" in codes(of_report(files=(data,)), report)
    assert "S302" in codes(of_subset(track="byod", files=(declared("subset"), data)))


def test_own_data_to_be_trained_on():
    data = (declared("byod"),)

    assert codes(of_subset(kind="byod", track="byod", files=data)) == []
    assert codes(of_subset(kind="byod", track="byod", files=data, pool_id=None)) == ["S301"]
    assert codes(of_subset(kind="byod", files=data)) == ["S302"]  # the track filtering
    assert "S301" in codes(of_subset(kind="byod", track="byod"))


def test_a_role_twice(of_report, report):
    twice = (declared("subset"), declared("subset", "2"))

    assert codes(of_report(files=twice), report) == ["S303"]


def test_weights_that_were_not_evaluated(of_report, report):
    assert codes(of_report(files=(declared("checkpoint", "c"),)), report) == []
    assert codes(of_report(files=(declared("checkpoint", "d"),)), report) == ["S304"]


def test_what_contradicts_the_report(of_report, report):
    assert codes(of_report(scale="tiny", seed=3), report) == []
    assert codes(of_report(scale="small", seed=4, pool_id="e"), report) == ["S305"] * 3


def test_locks(of_report, report):
    subset = report.run.subset
    good = {"sha256": subset.sha256, "n": subset.n, "n_unique": subset.n_unique}

    assert codes(of_report(lock=good), report) == []
    assert codes(of_report(lock=good | {"n": 1}), report) == ["S201"]
    assert codes(of_report(lock=good | {"uses_truth": "yes"}), report) == ["S202"]
    assert codes(of_report(lock=good | {"x": float("nan")}), report) == ["S202"]
