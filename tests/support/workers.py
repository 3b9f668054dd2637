"""A service and an executor for tests of the agent: nothing is sent, no process is started.

A task is a function that a test gives, and the service answers as the test says.
"""

import hashlib
import threading

from datacomp.client.worker import Idle, Input, Lease, LeaseLostError
from datacomp.errors import ServiceError
from datacomp.worker.orders import Output, Result, write_result
from datacomp.worker.state import work_of

SUBSET = b"the subset"
KEY_ID = "0" * 26


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
        "inputs": {"subset": Input(sha256(SUBSET), len(SUBSET))},
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

    def fetch(self, lease_id, role, path, size):
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
