"""One lease in the agent's hands: from its claim, or where an earlier agent left it, to its end.

    inputs -> start -> watch, beating -> upload -> finish

Every step looks at the folder first, so that it goes on wherever a kill left it. Only the service
says that a lease is lost: while it cannot be reached the task works on, and calls are repeated.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from datacomp.client.errors import RefusedError
from datacomp.client.worker import Finish, Lease, LeaseLostError, is_transient
from datacomp.errors import DatacompError, ServiceError
from datacomp.worker.beating import Beating
from datacomp.worker.executors import SUBMITIT, free_port
from datacomp.worker.log import LogSender
from datacomp.worker.orders import (
    RESULT,
    Order,
    Result,
    read_result,
    write_order,
    write_result,
)
from datacomp.worker.site import Site
from datacomp.worker.state import work_of

STOP_SECONDS = 120.0
"""How long a task that was asked to stop may take to save."""
MAX_STARTS = 20
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 30.0
FIRST_LOOK_SECONDS = 0.05
"""A short task is noticed to have ended about as soon as it does; then ever more seldom."""
_TAIL_BYTES = 600

T = TypeVar("T")
Say = Callable[[str], None]
Ended = Literal["succeeded", "user", "infrastructure", "released", "cancelled", "lost", "left"]


class _LeftError(Exception):
    """This worker stops while the service is away: the attempt waits for the next start."""


class Attempt:
    """The work under one lease. `say` gets a line at each change.

    `earlier` is the thread of an attempt of the same job that this worker has not let go of yet:
    both work in the job's folder, so this one's task starts when that one's has ended.
    """

    def __init__(
        self,
        site: Site,
        lease: Lease,
        folder: Path,
        slot: int,
        say: Say,
        earlier: threading.Thread | None = None,
    ) -> None:
        self.site, self.lease, self.folder, self.slot, self.say = site, lease, folder, slot, say
        self.earlier = earlier
        self.beating = Beating(site.client, lease, folder)
        self.log = LogSender(site.client, lease, folder)

    def run(self) -> Ended:
        """Do it; returns how it ended, and raises nothing."""
        with self.beating:
            try:
                return self._hand_in(self._work())
            except _LeftError:
                self.say("the service is away: handed in at the next start")
                return "left"
            except LeaseLostError as error:
                self._end_task()
                self.say(f"lost: {error}")
                self.site.state.end(self.folder, keep_work=True)
                return "lost"
            except ServiceError as error:
                self.say(f"left to the next start: {error}")
                return "left"

    def _work(self) -> Result:
        """How the task ended, once it has."""
        while self.earlier is not None and self.earlier.is_alive() and not self._must_end():
            self._wait(self.site.executor.look_seconds)
        result = read_result(self.folder)  # of an earlier agent's time
        while result is None or result.outcome == "stopped":
            if self._must_end() and not self.site.executor.is_running(self.folder):
                return Result("stopped")
            try:
                if not self.site.executor.is_running(self.folder):
                    result = read_result(self.folder)  # it may have ended since
                    if result is not None and result.outcome != "stopped":
                        continue
                    self._start()
                result = self._watch()
            except (LeaseLostError, _LeftError):
                raise
            except (DatacompError, OSError) as error:
                self._end_task()
                result = Result("failed", "infrastructure", str(error))
        with suppress(OSError):  # a full disk; then the next start does not know it
            write_result(self.folder, result)
        return result

    def _start(self) -> None:
        """Fetch what is missing, write the order, start it."""
        if self._starts() >= MAX_STARTS:
            raise ServiceError(f"the task was started {MAX_STARTS} times and never ended")
        (self.folder / RESULT).unlink(missing_ok=True)
        self.beating.stage = "fetch inputs"
        inputs = {role: str(self._fetched(role)) for role in self.lease.inputs}
        machine = self.site.machine
        write_order(
            self.folder,
            Order(
                kind=self.lease.kind,
                params=self.lease.params,
                inputs=inputs,
                work=str(work_of(self.folder)),
                pool=self._pool(),
                eval_data=machine.eval_data,
                byod=machine.byod,
                device=machine.device,
                decode_threads=machine.decode_threads,
                checkpoint_seconds=machine.checkpoint_seconds,
                meeting_port=free_port(),
            ),
        )
        where = self.site.executor.start(self.folder, self.slot)
        self.beating.stage = None
        self.say(f"running, {where}")

    def _fetched(self, role: str) -> Path:
        client, lease_id = self.site.client, self.lease.lease_id
        wanted, path = self.lease.inputs[role], self.folder / "inputs" / role
        if not path.exists():
            path.parent.mkdir(exist_ok=True)

            def fetch(part: Path) -> None:
                self.site.demand_room(wanted.size)
                self._repeated(lambda: client.fetch(lease_id, role, part, wanted.size))

            os.link(self.site.cache.get(wanted.sha256, fetch), path)
        return path

    def _pool(self) -> str | None:
        pool_id, pools = self.lease.pool_id, self.site.machine.pools
        if pool_id is not None and pool_id not in pools:
            known = ", ".join(pools) or "none"
            raise ServiceError(f"the job is on the pool {pool_id!r}; this worker has: {known}")
        return pools[pool_id] if pool_id is not None else None

    def _watch(self) -> Result:
        """Until the task ends, of itself or because somebody wants it to."""
        asked: float | None = None
        wait = FIRST_LOOK_SECONDS
        while self.site.executor.is_running(self.folder):
            if asked is None and self._must_end():
                asked = time.monotonic()
                self.say(f"stopping the task: {self._must_end()}")
                self.site.executor.stop(self.folder)
            if asked is not None and time.monotonic() - asked > STOP_SECONDS:
                self.site.executor.kill(self.folder)
            if self.beating.lost is None:
                self.log.send()
            wait = min(2 * wait, self.site.executor.look_seconds)
            self._wait(wait)
        self.beating.demand()
        with suppress(ServiceError):
            self.log.send()
        if (result := read_result(self.folder)) is not None:
            return result
        if self._must_end():
            return Result("stopped", detail="stopped before it could save")
        return Result("failed", "infrastructure", f"the task was killed{self._last_words()}")

    def _hand_in(self, result: Result) -> Ended:
        """Upload what was made, and end the lease."""
        try:
            finish, ended = self._said(result)
        except (LeaseLostError, _LeftError):
            raise
        except (ServiceError, OSError) as error:
            ended = "infrastructure"
            finish = Finish("failed", ended, f"its outputs were not taken: {error}")
        status = self._finish(finish)
        self.say(f"{ended}{f': {finish.detail}' if finish.detail else ''}")
        self.site.state.end(self.folder, keep_work=status == "queued")
        return ended

    def _finish(self, finish: Finish) -> str:
        """Tell the service; what it does not take as a success is told as a failure of ours."""
        end = partial(self.site.client.finish, self.lease.lease_id)
        try:
            return self._repeated(partial(end, finish))
        except RefusedError as error:
            failed = Finish("failed", "infrastructure", f"the result was refused: {error}"[:2000])
            return self._repeated(partial(end, failed))

    def _said(self, result: Result) -> tuple[Finish, Ended]:
        """What the service is told of a result, once it has the outputs."""
        if result.outcome == "succeeded":
            self._upload(result)
            files = {one.role: one.sha256 for one in result.outputs}
            signed = self._repeated(partial(self.site.signer.attest, self.lease.lease_id, files))
            facts = {"attestation": signed.model_dump()}
            outputs = [
                {"role": one.role, "sha256": one.sha256, "facts": {**one.facts, **facts}}
                for one in result.outputs
            ]
            return Finish("succeeded", outputs=outputs), "succeeded"
        if self.beating.cancelled:
            return Finish("failed", "infrastructure", "cancelled"), "cancelled"
        if result.outcome == "stopped":
            return Finish("released", detail="worker stopped"), "released"
        assert result.fault is not None, "a failed task has its fault"
        return Finish("failed", result.fault, result.detail), result.fault

    def _upload(self, result: Result) -> None:
        self.beating.stage = "upload"
        for one in result.outputs:
            path, lease_id = Path(one.path), self.lease.lease_id
            send = partial(self.site.client.upload, lease_id, path, one.sha256, self._pause)
            self._repeated(send)
            self.site.cache.keep(path, one.sha256)

    def _repeated(self, call: Callable[[], T]) -> T:
        """The call's value, however often it takes; what no repetition mends is raised."""
        wait = FIRST_WAIT_SECONDS
        while True:
            self.beating.demand()
            try:
                return call()
            except ServiceError as error:
                if not is_transient(error):
                    raise
            self._pause(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    def _pause(self, seconds: float) -> None:
        """Before a call is repeated; `_LeftError` where this worker stops instead."""
        self.beating.demand()
        if self.site.stopping.is_set():
            raise _LeftError
        self.beating.news.wait(seconds)

    def _must_end(self) -> str | None:
        """Why the task is to stop, if it is."""
        if self.beating.lost is not None:
            return "lease lost"
        if self.beating.cancelled:
            return "cancelled"
        return "this worker stops" if self.site.stopping.is_set() else None

    def _wait(self, seconds: float) -> None:
        """So long, or until there is something new."""
        if self._must_end():
            time.sleep(min(seconds, 0.1))
        else:
            self.beating.news.wait(seconds)

    def _end_task(self) -> None:
        """Stop a task that nobody will watch any more; its checkpoint stays."""
        asked = time.monotonic()
        self.site.executor.stop(self.folder)
        while self.site.executor.is_running(self.folder):
            if time.monotonic() - asked > STOP_SECONDS:
                self.site.executor.kill(self.folder)
            time.sleep(0.1)

    def _starts(self) -> int:
        return len(list((self.folder / SUBMITIT).glob("*_submitted.pkl")))

    def _last_words(self) -> str:
        """The end of what it printed, for the detail."""
        logs = sorted((self.folder / SUBMITIT).glob("*_log.out"))
        text = self.log.tail(_TAIL_BYTES) or (logs[-1].read_text()[-_TAIL_BYTES:] if logs else "")
        return f"; its last words: {text.strip()}" if text.strip() else ""
