"""Does the service's own jobs: a thread that claims like any worker, beside the web server.

Any number of replicas may run one: leases keep them apart. A job whose process dies is taken over
when its lease runs out.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from datacomp_server.audit import nightly
from datacomp_server.context import Context
from datacomp_server.jobs import clocks, lease, repository
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.clocks import Absences
from datacomp_server.jobs.handlers import Apply, Handler, Work, handlers
from datacomp_server.jobs.lease import Finish, Lease
from datacomp_server.jobs.models import SERVICE
from datacomp_server.jobs.outcomes import UserFault
from datacomp_server.jobs.policy import Policy
from datacomp_server.kit.errors import Conflict

_LOG = logging.getLogger(__name__)
POLL_SECONDS = 1.0
_OWN_FAULT = "the service itself failed; its log says why"


class Runner:
    """The thread; `chosen` handlers go before `handlers()`. `stopping` is set when it is to end."""

    def __init__(self, context: Context, chosen: Mapping[str, Handler] | None = None) -> None:
        self._context, self._chosen = context, chosen
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="datacomp-jobs", daemon=True)
        limit = timedelta(seconds=context.settings.beat_seconds)
        self._absences = Absences(context.clock, time.monotonic, limit)

    def start(self) -> None:
        """Begin to ask for jobs. Leases that ran out while nobody could beat begin anew."""
        try:
            self.forgive_absence()
        except Exception:  # the thread tries again
            _LOG.exception("leases could not be prolonged")
        self._thread.start()

    def forgive_absence(self) -> None:
        """Prolong every lease, if the service was away since it was last asked."""
        if self._absences.found():
            policy, moment = Policy.of(self._context.settings), self._context.clock()
            with self._context.database.writing() as session:
                clocks.forgive(session, policy, moment=moment)
        self._absences.over()

    def stop(self) -> None:
        """Take no further job and wait for the present one, at most `stop_seconds`."""
        self.stopping.set()
        self._thread.join(self._context.settings.stop_seconds)
        if self._thread.is_alive():
            _LOG.warning("a job is still running; it is tried again when its lease has run out")

    def _loop(self) -> None:
        day = None
        while not self.stopping.is_set():
            try:
                self.forgive_absence()
                moment = self._context.clock()
                if moment.date() != day:
                    with self._context.database.writing() as session:
                        nightly.queue_next(session, moment)
                    day = moment.date()
                busy = run_one(self._context, self._chosen)
            except Exception:  # the database is away: say so, and ask again
                _LOG.exception("asking for a job failed")
                busy = False
            if not busy:
                self.stopping.wait(POLL_SECONDS)


def run_one(context: Context, chosen: Mapping[str, Handler] | None = None) -> bool:
    """Do one of the service's jobs in this thread; False if none can be done now.

    `chosen` handlers go before `handlers()`. Leases that ran out are taken back on the way.
    """
    moment, policy = context.clock(), Policy.of(context.settings)
    with context.database.reading() as session:
        latest = {
            "lease_until": policy.lease_until(moment),
            "retry_until": policy.retry_until(moment),
        }
        if not repository.is_anything_due(session, moment, **latest):
            return False
    asker = Asker(f"service@{socket.gethostname()[:40]}:{os.getpid()}", (SERVICE,), ())
    with context.database.writing() as session:
        leased = lease.claim(session, policy, asker, moment=moment)
    if leased is None:
        return False
    known = handlers() if chosen is None else chosen
    with _beating(context, policy, leased):
        said, apply = _work(context, leased, known)
    _finish(context, leased, said, apply)
    return True


def _work(
    context: Context, leased: Lease, known: Mapping[str, Handler]
) -> tuple[Finish, Apply | None]:
    job = leased.job
    work = Work(job.id, job.kind, job.submission_id, job.params, leased.inputs)
    try:
        return Finish(None), known[job.kind](context, work)
    except UserFault as error:
        return Finish("user", str(error)), None
    except Exception:
        _LOG.exception("%s job %s failed", job.kind, job.id)
        return Finish("infrastructure", _OWN_FAULT), None


def _finish(context: Context, leased: Lease, said: Finish, apply: Apply | None) -> None:
    hooks = {}
    if apply is not None:
        hooks[leased.job.kind] = lambda session, _c, _j, _o, moment: apply(session, moment)
    try:
        with context.database.writing() as session:
            lease.finish(session, context, leased.id, said, moment=context.clock(), hooks=hooks)
    except Conflict as lost:
        _LOG.warning("%s", lost.detail)
    except Exception:
        _LOG.exception("%s job %s could not be finished", leased.job.kind, leased.job.id)
        if apply is not None:
            _finish(context, leased, Finish("infrastructure", _OWN_FAULT), None)


@contextmanager
def _beating(context: Context, policy: Policy, leased: Lease) -> Iterator[None]:
    done = threading.Event()

    def beat() -> None:
        while not done.wait(policy.beat_seconds):
            try:
                with context.database.writing() as session:
                    lease.beat(session, policy, leased.id, None, moment=context.clock())
            except Exception as error:  # the finish will tell whether the lease was lost
                _LOG.warning("job %s: no beat: %s", leased.job.id, error)

    thread = threading.Thread(target=beat, name="datacomp-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
