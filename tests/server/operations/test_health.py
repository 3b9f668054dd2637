"""/healthz: well when all can be worked with, 503 with the part that cannot."""

import threading
from datetime import timedelta

import pytest

from datacomp_server.kit.clock import now
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


def test_many_who_ask_cost_one_look_a_second(make_service, monkeypatch):
    moments, looks = [now()], []
    service = make_service(clock=lambda: moments[-1])
    monkeypatch.setattr(health, "problems", lambda context: looks.append(1) or {})

    assert [service.http.get("/healthz").status_code for _ in range(5)] == [200] * 5
    assert len(looks) == 1
    moments.append(moments[-1] + timedelta(seconds=1))
    service.http.get("/healthz")
    assert len(looks) == 2


def test_nobody_waits_for_a_store_that_hangs(service, monkeypatch):
    found = health.Health(service.context)
    inside, go_on = threading.Event(), threading.Event()

    def hang(context):
        inside.set()
        assert go_on.wait(60)
        return {}

    monkeypatch.setattr(health, "problems", hang)
    first = threading.Thread(target=found.problems)
    first.start()
    assert inside.wait(60)
    assert "service" in found.problems()  # while the first one looks
    go_on.set()
    first.join()
    assert found.problems() == {}
