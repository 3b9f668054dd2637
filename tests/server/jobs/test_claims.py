"""Many claim at once, from threads and from processes: no job is given to two."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

JOBS, THREADS, PROCESSES = 24, 4, 2

CLAIM_ALL = """
import sys
from pathlib import Path
from datacomp_server import Settings
from datacomp_server.context import open_context
from datacomp_server.jobs import lease
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.policy import Policy

name, folder, url = sys.argv[1:]
settings = Settings(data_dir=Path(folder), database_url=url)
context = open_context(settings)
print("ready", flush=True)
sys.stdin.readline()
while True:
    with context.database.writing() as session:
        found = lease.claim(
            session, Policy.of(settings), Asker(name, ("tiny",), ()), moment=context.clock()
        )
    if found is None:
        break
    print(found.job.id, flush=True)
context.database.close()
"""


def claimed_by(queue, worker):
    found = []
    while lease := queue.claim(worker):
        found.append(lease.job.id)
    return found


def test_threads(queue):
    jobs = [queue.add() for _ in range(JOBS)]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda n: claimed_by(queue, f"w{n}"), range(THREADS)))

    assert sorted(chain.from_iterable(found)) == sorted(jobs)
    assert [len(queue.attempts(job)) for job in jobs] == [1] * JOBS


def test_processes(queue):
    jobs = [queue.add() for _ in range(JOBS)]
    settings = queue.context.settings
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM_ALL, f"w{n}", settings.data_dir, settings.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        found = [worker.communicate(timeout=60)[0].split() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    assert sorted(chain.from_iterable(found)) == sorted(jobs)
    assert [worker.returncode for worker in workers] == [0] * PROCESSES


def test_a_teams_limit_holds_however_many_ask(queue, team):
    alpha = team("Alpha")
    for _ in range(JOBS):
        queue.add(team_id=alpha)

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda n: claimed_by(queue, f"w{n}"), range(THREADS)))

    assert len([*chain.from_iterable(found)]) == queue.policy.team_running_jobs
