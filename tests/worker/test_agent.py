"""The agent: which jobs it asks for, when it rests, what it says; one job is test_attempt.py."""

import threading
from dataclasses import replace

import pytest

from datacomp.client.errors import UnauthorisedError
from datacomp.client.worker import LeaseLostError
from datacomp.worker import agent as agents
from datacomp.worker.agent import line
from datacomp.worker.cache import Cache
from datacomp.worker.orders import Result
from support.processes import BOUND_SECONDS
from support.workers import Service, lease, weights


def test_a_machine_that_fails_rests_longer_each_time(make_agent, monkeypatch):
    monkeypatch.setattr(agents, "FIRST_REST_SECONDS", 0.001)
    service = Service(*(lease(lease_id=c * 26, job_id=c * 26) for c in "ABC"))
    agent = make_agent(service, lambda _: Result("failed", "infrastructure", "disk full"))
    waits = []
    monkeypatch.setattr(agents, "LONGEST_REST_SECONDS", 0.003)
    monkeypatch.setattr(agents, "line", lambda subject, text: waits.append(subject) or text)
    agent.run()

    assert waits.count("resting") == 3
    assert agent.ended == {"infrastructure": 3}


def test_a_token_that_is_not_good_ends_the_agent(make_agent):
    service = Service()

    def claim(advert):
        raise UnauthorisedError("the token is revoked")

    service.claim = claim
    with pytest.raises(UnauthorisedError):
        make_agent(service, weights).run()


def test_two_jobs_at_a_time(make_agent):
    both = threading.Barrier(2, timeout=BOUND_SECONDS)

    def task(folder):
        both.wait()
        return weights(folder)

    service = Service(lease(), replace(lease(), lease_id="M" * 26, job_id="K" * 26))
    make_agent(service, task, jobs=2).run()

    assert len(service.finished) == 2


def test_a_job_gives_its_place_back_even_if_nothing_can_be_cleaned(
    make_agent, in_thread, monkeypatch
):
    def prune(cache):
        raise OSError("the disk is read-only")

    monkeypatch.setattr(Cache, "prune", prune)
    agent = make_agent(Service(lease()), weights)
    thread = in_thread(agent)
    thread.join(BOUND_SECONDS)

    assert not thread.is_alive()
    assert agent.ended == {"succeeded": 1}


def test_lines_fit_into_80_columns():
    told = line("evaluate 0123ABCD", "a sentence that is long " * 9)

    assert all(len(one) <= 80 for one in told.splitlines())
    assert len(told.splitlines()) > 3


def test_two_leases_of_a_job_are_never_worked_on_at_once(make_agent):
    service = Service(lease(beat_seconds=0), lease(lease_id="M" * 26, attempt=2))
    at_once, beats = [], []

    def task(folder):
        at_once.append(len(agent.executor.running))
        return weights(folder) if folder.name.startswith("M") else None

    def beat(lease_id, progress):
        beats.append(lease_id)
        # while the first one's task runs, and the second one has had time to do wrong
        if at_once and lease_id.startswith("L") and beats.count("M" * 26) and len(beats) > 500:
            raise LeaseLostError("taken over")
        return False

    service.beat = beat
    agent = make_agent(service, task, jobs=2)
    agent.run()

    assert at_once == [0, 0]
    assert agent.ended == {"lost": 1, "succeeded": 1}
