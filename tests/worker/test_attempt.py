"""One job in the agent's hands, from its claim to its end: what it does at each turn.

No process is started and no clock waited for: a task is a function of the test's.
"""

from datacomp.client.errors import RefusedError
from datacomp.submission.attestation import Attestation, is_signed, result_statement
from datacomp.worker import attempt as attempts
from datacomp.worker.orders import LOG, Result, read_order, write_result
from support.workers import KEY_ID, SUBSET, Service, lease, sha256, weights


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


def test_another_content_than_was_asked_for_is_no_input(make_agent):
    service = Service(lease())
    service.fetch = lambda lease_id, role, path, size: path.write_bytes(b"other")
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


def test_a_task_that_its_machine_stopped_goes_on_under_the_same_lease(make_agent):
    results = [Result("stopped"), Result("stopped"), None]

    def task(folder):
        return results.pop(0) or weights(folder)

    service = Service(lease())
    agent = make_agent(service, task)
    agent.run()

    assert agent.executor.starts == 3
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


def test_a_log_that_is_refused_ends_the_task_too(make_agent):
    service = Service(lease())

    def refuse(*_):
        raise RefusedError("too long", (), status=422, code="bad_log", headers={})

    service.log = refuse
    agent = make_agent(service, lambda _: None)
    agent.run()

    assert agent.executor.stops == 1
    assert [one.fault for one in service.finished] == ["infrastructure"]


def test_a_pool_that_is_not_here_is_this_machines_fault(make_agent):
    service = Service(lease(pool_id="other"))
    agent = make_agent(service, weights)
    agent.run()

    assert agent.executor.starts == 0
    assert "this worker has: p" in service.finished[0].detail


def test_a_log_that_is_not_taken_holds_nothing_up(make_agent):
    service = Service(lease())
    service.log = lambda lease_id, offset, data: 0

    def task(folder):
        (folder / LOG).write_bytes(b"0123456789")
        return weights(folder)

    make_agent(service, task).run()

    assert [one.outcome for one in service.finished] == ["succeeded"]


def test_a_log_that_the_service_has_less_of_is_sent_again(make_agent):
    service = Service(lease())
    log, refusals = service.log, [True]

    def forgets(lease_id, offset, data):
        if offset == 4 and refusals:
            refusals.pop()
            service.logged = b"01"
            raise RefusedError("goes on at 2", (), status=409, code="wrong_offset", headers={})
        return log(lease_id, offset, data)

    service.log, service.logged = forgets, b"0123"

    def task(folder):
        (folder / LOG).write_bytes(b"0123456789")
        agent.executor.running.add(folder)
        return "killed"

    agent = make_agent(service, task)
    looks = []

    def is_running(folder):
        looks.append(folder)
        if len(looks) == 5:
            write_result(folder, weights(folder))
            agent.executor.running.discard(folder)
        return folder in agent.executor.running

    agent.executor.is_running = is_running
    agent.run()

    assert service.logged == b"0123456789"
    assert [one.outcome for one in service.finished] == ["succeeded"]
