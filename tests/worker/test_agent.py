"""The agent against a service and an executor made here: what it does at each turn of a job.

No process is started and no clock waited for: a task is a thread that a test tells how to end.
"""

import hashlib
import os
import threading
from dataclasses import replace

import pytest

from datacomp.client.errors import RefusedError, UnauthorisedError
from datacomp.client.worker import Advert, Idle, Lease, LeaseLostError
from datacomp.errors import ServiceError
from datacomp.submission.attestation import Attestation, is_signed, result_statement
from datacomp.worker import agent as agents
from datacomp.worker import attempt as attempts
from datacomp.worker.agent import Agent, line
from datacomp.worker.attempt import Site
from datacomp.worker.cache import Cache
from datacomp.worker.machine import Machine
from datacomp.worker.orders import LOG, Output, Result, read_order, write_result
from datacomp.worker.signing import Signer
from datacomp.worker.state import State, work_of

SUBSET = b"the subset"
KEY_ID = "0" * 26
BOUND_SECONDS = 30


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def lease(**values):
    facts = {
        "lease_id": "L" * 26,
        "lease_seconds": 300,
        "beat_seconds": 60,
        "max_log_bytes": 1000,
        "job_id": "J" * 26,
        "kind": "train",
        "resource": "tiny",
        "pool_id": "p",
        "submission_id": None,
        "attempt": 1,
        "max_attempts": 3,
        "params": {"seed": 5},
        "inputs": {"subset": {"sha256": sha256(SUBSET), "size": len(SUBSET)}},
    }
    return Lease(**facts | values)


class Service:
    """Gives the `leases` one by one; `away` is how many calls fail before it answers again."""

    def __init__(self, *leases):
        self.leases, self.finished, self.uploaded, self.logged = list(leases), [], {}, b""
        self.away, self.cancelled, self.lost, self.status = 0, False, False, "succeeded"
        self.public_key, self.ended = None, threading.Event()

    def weather(self):
        if self.away:
            self.away -= 1
            raise ServiceError("no service answers")

    def live(self):
        self.weather()
        if self.lost:
            raise LeaseLostError("taken over by another")

    def claim(self, advert):
        self.weather()
        return self.leases.pop(0) if self.leases else Idle(0)

    def beat(self, lease_id, progress):
        self.live()
        return self.cancelled

    def log(self, lease_id, offset, data):
        self.live()
        assert offset <= len(self.logged)
        self.logged += data[len(self.logged) - offset :]
        return len(self.logged)

    def fetch(self, lease_id, role, path):
        self.live()
        path.write_bytes(SUBSET)

    def upload(self, lease_id, path, sha, pause):
        self.live()
        self.uploaded[sha] = path.read_bytes()

    def register_key(self, worker, public_key, proof):
        self.public_key = public_key
        return KEY_ID

    def finish(self, lease_id, finish):
        self.live()
        self.finished.append(finish)
        self.ended.set()
        return self.status


class Executor:
    """Runs `task(folder)` at the start of each order and leaves what it returns as the result.

    With a task that returns None the order goes on running until it is stopped.
    """

    def __init__(self, task):
        self.task, self.starts, self.running, self.stops = task, 0, set(), 0
        self.started = threading.Event()
        self.look_seconds = 0.001

    def start(self, folder, slot):
        self.starts += 1
        work_of(folder).mkdir(exist_ok=True)
        result = self.task(folder)
        if result is None:
            self.running.add(folder)
        elif result != "killed":
            write_result(folder, result)
        self.started.set()
        return "here"

    def is_running(self, folder):
        return folder in self.running

    def stop(self, folder):
        self.stops += 1
        if folder in self.running:
            write_result(folder, Result("stopped"))
            self.running.discard(folder)

    def kill(self, folder):
        self.running.discard(folder)


def weights(folder):
    """A task that makes one file."""
    path = work_of(folder) / "weights"
    path.write_bytes(b"weights")
    made = Output("checkpoint", str(path), sha256(b"weights"), 7, {"seed": 5})
    return Result("succeeded", outputs=(made,))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(agents, "FIRST_REST_SECONDS", 0.001)


@pytest.fixture
def make_agent(tmp_path):
    """`make_agent(service, task)`: an agent that ends when there is no job; `said` has its lines.

    A second one on the same folder is the first one started again.
    """

    def make(service, task, **values):
        state = State(tmp_path / "worker")
        state.root.mkdir(exist_ok=True)
        executor = task if isinstance(task, Executor) else Executor(task)
        site = Site(
            client=service,
            state=state,
            cache=Cache(state.cache, 10**9),
            executor=executor,
            machine=Machine(("tiny",), {"p": "/pools/p"}, "cpu"),
            signer=Signer(service, "w", state.key()),
            stopping=threading.Event(),
        )
        said = []
        advert = Advert("w", ("tiny",), ("p",), {})
        made = Agent(site, advert, said.append, **{"once": True} | values)
        made.said, made.executor = said, executor
        return made

    return make


@pytest.fixture
def in_thread():
    """`in_thread(agent)` runs it beside the test, which ends it."""
    started = []

    def start(agent):
        thread = threading.Thread(target=agent.run)
        thread.start()
        started.append((agent, thread))
        return thread

    yield start
    for agent, thread in started:
        agent.stop()
        thread.join(BOUND_SECONDS)
        assert not thread.is_alive()


def test_a_job_is_done_signed_and_handed_in(make_agent):
    service = Service(lease())
    orders = []

    def task(folder):
        order = read_order(folder)
        orders.append((order.params, order.pool, order.input("subset").read_bytes()))
        return weights(folder)

    agent = make_agent(service, task)
    agent.run()

    assert orders == [({"seed": 5}, "/pools/p", SUBSET)]
    (finish,) = service.finished
    (output,) = finish.outputs
    assert finish.outcome == "succeeded"
    assert (output["role"], output["facts"]["seed"]) == ("checkpoint", 5)
    assert service.uploaded == {output["sha256"]: b"weights"}
    signed = Attestation.model_validate(output["facts"]["attestation"])
    files = {"checkpoint": sha256(b"weights")}
    statement = result_statement(key_id=KEY_ID, lease_id="L" * 26, files=files)
    assert is_signed(statement, signed.signature, service.public_key)
    assert agent.ended == {"succeeded": 1}
    assert not list(agent.site.state.root.glob("jobs/*"))


def test_what_is_in_the_cache_is_not_fetched(make_agent):
    service = Service(lease(), lease(lease_id="M" * 26, job_id="K" * 26))
    fetched = []
    service.fetch = lambda lease_id, role, path: fetched.append(path.write_bytes(SUBSET))
    make_agent(service, weights).run()

    assert len(fetched) == 1
    assert len(service.finished) == 2


def test_another_content_than_was_asked_for_is_no_input(make_agent):
    service = Service(lease())
    service.fetch = lambda lease_id, role, path: path.write_bytes(b"other")
    agent = make_agent(service, weights)
    agent.run()

    assert agent.executor.starts == 0
    assert service.finished[0].fault == "infrastructure"


def test_a_fault_of_the_submission_is_told_as_one(make_agent):
    service = Service(lease())
    service.status = "failed"
    make_agent(service, lambda _: Result("failed", "user", "subset_not_in_pool: 3 uids")).run()

    (finish,) = service.finished
    assert (finish.outcome, finish.fault) == ("failed", "user")
    assert finish.detail.startswith("subset_not_in_pool")


def test_a_killed_task_is_this_machines_fault_with_its_last_words(make_agent):
    def task(folder):
        (folder / LOG).write_text("step 7\nKilled\n")
        return "killed"

    service = Service(lease())
    service.status = "queued"
    agent = make_agent(service, task)
    agent.run()

    (finish,) = service.finished
    assert finish.fault == "infrastructure"
    assert "Killed" in finish.detail
    assert service.logged == b"step 7\nKilled\n"
    assert agent.ended == {"infrastructure": 1}
    assert [path.name for path in agent.site.state.root.glob("jobs/*/*")] == ["work"]


def test_a_service_that_is_away_is_asked_again(make_agent):
    service = Service(lease())

    def task(folder):
        service.away = 5
        return weights(folder)

    make_agent(service, task).run()

    assert [one.outcome for one in service.finished] == ["succeeded"]


def test_a_lost_lease_ends_the_task_and_keeps_its_work(make_agent):
    service = Service(lease(beat_seconds=0))
    agent = make_agent(service, lambda _: setattr(service, "lost", True))
    agent.run()

    assert agent.executor.stops == 1
    assert service.finished == []
    assert agent.ended == {"lost": 1}
    assert [path.name for path in agent.site.state.root.glob("jobs/*/*")] == ["work"]


def test_a_cancelled_job_is_stopped_and_finished(make_agent):
    service = Service(lease(beat_seconds=0))
    service.status = "cancelled"
    agent = make_agent(service, lambda _: setattr(service, "cancelled", True))
    agent.run()

    assert agent.executor.stops == 1
    assert agent.ended == {"cancelled": 1}
    assert service.finished[0].outcome == "failed"


def test_a_worker_that_is_told_to_stop_gives_its_job_back(make_agent, in_thread):
    service = Service(lease())
    service.status = "queued"
    agent = make_agent(service, lambda _: None)
    thread = in_thread(agent)
    assert agent.executor.started.wait(BOUND_SECONDS)
    agent.stop()
    thread.join(BOUND_SECONDS)

    assert [one.outcome for one in service.finished] == ["released"]
    assert agent.ended == {"released": 1}


def test_a_task_that_its_machine_stopped_goes_on_under_the_same_lease(make_agent):
    results = [Result("stopped"), Result("stopped"), None]

    def task(folder):
        return results.pop(0) or weights(folder)

    service = Service(lease())
    agent = make_agent(service, task)
    agent.run()

    assert agent.executor.starts == 3
    assert [one.outcome for one in service.finished] == ["succeeded"]


def test_a_restarted_agent_watches_the_task_that_runs(make_agent, in_thread):
    service = Service()
    executor = Executor(lambda _: None)
    agent = make_agent(service, executor, once=False)
    folder = agent.site.state.begin(lease())
    executor.start(folder, 0)
    executor.started.clear()
    in_thread(agent)
    write_result(folder, weights(folder))
    executor.running.clear()
    agent.once = True
    assert service.ended.wait(BOUND_SECONDS)

    assert executor.starts == 1
    assert service.finished[0].outcome == "succeeded"


def test_a_restarted_agent_hands_in_what_had_ended(make_agent):
    service = Service()
    agent = make_agent(service, weights)
    folder = agent.site.state.begin(lease())
    work_of(folder).mkdir()
    write_result(folder, weights(folder))
    agent.run()

    assert agent.executor.starts == 0
    assert [one.outcome for one in service.finished] == ["succeeded"]


def test_a_restarted_agent_starts_what_was_never_started(make_agent):
    service = Service()
    agent = make_agent(service, weights)
    agent.site.state.begin(lease())
    agent.run()

    assert agent.executor.starts == 1
    assert [one.outcome for one in service.finished] == ["succeeded"]


def test_a_task_that_never_ends_by_itself_is_not_started_for_ever(make_agent):
    def task(folder):
        (folder / "submitit").mkdir(exist_ok=True)
        (folder / "submitit" / f"{agent.executor.starts}_submitted.pkl").touch()
        return Result("stopped")

    service = Service(lease())
    agent = make_agent(service, task)
    agent.run()

    assert agent.executor.starts == attempts.MAX_STARTS
    assert service.finished[0].fault == "infrastructure"


def test_the_log_goes_on_where_an_earlier_agent_was(make_agent):
    def task(folder):
        (folder / LOG).write_bytes(b"0123456789")
        return weights(folder)

    service = Service(lease())
    service.logged = b"0123"
    make_agent(service, task).run()

    assert service.logged == b"0123456789"


def test_a_log_that_is_refused_ends_the_task_too(make_agent):
    service = Service(lease())

    def refuse(*_):
        raise RefusedError("too long", (), status=422, code="bad_log", headers={})

    service.log = refuse
    agent = make_agent(service, lambda _: None)
    agent.run()

    assert agent.executor.stops == 1
    assert [one.fault for one in service.finished] == ["infrastructure"]


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


def test_the_key_is_the_owners_alone(tmp_path):
    state = State(tmp_path)
    first = state.key()

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert state.key() == first


def test_the_cache_keeps_what_was_used_last(tmp_path):
    cache = Cache(tmp_path / "cache", 10)
    for n, data in enumerate((b"aaaaa", b"bbbbb", b"ccccc")):
        path = cache.get(sha256(data), lambda part, data=data: part.write_bytes(data))
        os.utime(path, (n, n))
    cache.prune()

    assert {path.read_bytes() for path in cache.folder.iterdir()} == {b"bbbbb", b"ccccc"}


def test_a_file_that_goes_while_the_cache_is_cleaned_is_no_news(tmp_path):
    (tmp_path / "a.part").symlink_to(tmp_path / "gone")

    Cache(tmp_path, 0).prune()
