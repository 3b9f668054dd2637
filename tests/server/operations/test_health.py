"""/healthz: well when all can be worked with, 503 with the part that cannot."""

import pytest

from datacomp_server.operations import health


def test_all_is_well(service):
    answer = service.http.get("/healthz")

    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert answer.json()["problems"] == {}


def problem(service):
    answer = service.http.get("/healthz")
    assert answer.status_code == 503
    return answer.json()["problems"]


def test_a_schema_of_another_version(service, monkeypatch):
    monkeypatch.setattr(health, "newest_revision", lambda: "of another version")

    assert "of another version" in problem(service)["database"]


@pytest.mark.parametrize(
    ("part", "place"),
    [("database", "database.reading"), ("artifacts", "artifacts.size")],
)
def test_a_part_that_does_not_answer(service, monkeypatch, part, place):
    def fail(*_):
        raise OSError("/secret/place")

    owner, name = place.split(".")
    monkeypatch.setattr(type(getattr(service.context, owner)), name, fail)

    assert problem(service) == {
        part: {"database": "does not answer", "artifacts": "do not answer"}[part] + " (OSError)"
    }


def test_a_full_disk(service, monkeypatch):
    monkeypatch.setattr(health, "LEAST_FREE_BYTES", 2**80)

    assert "MiB free" in problem(service)["disk"]
