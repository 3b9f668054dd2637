"""An agent that is started again on the folder of one that was killed, or told to stop."""

from datacomp.worker.orders import LOG, write_result
from datacomp.worker.state import work_of
from support.processes import BOUND_SECONDS
from support.workers import Executor, Service, lease, weights


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


def test_the_log_goes_on_where_an_earlier_agent_was(make_agent):
    def task(folder):
        (folder / LOG).write_bytes(b"0123456789")
        return weights(folder)

    service = Service(lease())
    service.logged = b"0123"
    make_agent(service, task).run()

    assert service.logged == b"0123456789"


def test_a_task_that_ends_while_its_agent_starts_is_not_done_twice(make_agent):
    class Ending(Executor):
        def is_running(self, folder):
            write_result(folder, weights(folder))
            return False

    service = Service()
    agent = make_agent(service, Ending(weights))
    folder = agent.site.state.begin(lease())
    work_of(folder).mkdir()
    agent.run()

    assert agent.executor.starts == 0
    assert [one.outcome for one in service.finished] == ["succeeded"]
