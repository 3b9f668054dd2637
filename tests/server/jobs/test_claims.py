"""Many claim at once, from threads and from processes: no job is given to two."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from support.processes import BOUND_SECONDS

JOBS, THREADS = 24, 4

CLAIM_ALL = """
import sys
from datetime import datetime
from pathlib import Path
from datacomp_server import Settings
from datacomp_server.context import open_context
from datacomp_server.jobs import lease
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.policy import Policy

name, folder, url, now = sys.argv[1:]
moment = datetime.fromisoformat(now)  # of the test's clock: by another one leases have run out
settings = Settings(data_dir=Path(folder), database_url=url)
context = open_context(settings)
print("ready", flush=True)
sys.stdin.readline()
while True:
    with context.database.writing() as session:
        found = lease.claim(
            session, Policy.of(settings), Asker(name, ("tiny",), ()), moment=moment
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
    now = queue.clock().isoformat()
    other = subprocess.Popen(
        [sys.executable, "-c", CLAIM_ALL, "w1", settings.data_dir, settings.url, now],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        first = other.stdout.readline().strip()  # from here on both claim
        found = claimed_by(queue, "w2")
        found += [first, *other.communicate(timeout=BOUND_SECONDS)[0].split()]
    finally:
        other.kill()
        other.wait()

    assert sorted(found) == sorted(jobs)
    assert other.returncode == 0


def test_a_teams_limit_holds_however_many_ask(queue, team):
    alpha = team("Alpha")
    for _ in range(JOBS):
        queue.add(team_id=alpha)

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda n: claimed_by(queue, f"w{n}"), range(THREADS)))

    assert len([*chain.from_iterable(found)]) == queue.policy.team_running_jobs
