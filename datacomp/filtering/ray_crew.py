"""The workers of one run on a Ray cluster: hired, given one part at a time, replaced when lost.

Losing a worker, or its whole node, costs the part that it was at: another takes it up.
"""

import contextlib
import logging
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from datacomp.errors import FilterError
from datacomp.filtering.executor import failed
from datacomp.filtering.ray_worker import Order, RayWorker
from datacomp.filtering.work import Job, Outcome

MOST_LOSSES = 3
"""Workers that one part may cost before it counts as failed."""

_LOOK_EVERY_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass
class Crew:
    """At most `workers` actors, each opening the work, idle, or busy with a job."""

    ray: Any
    order: Order
    workers: int
    gpus_per_worker: float
    start_seconds: float
    opening: dict[Any, Any] = field(default_factory=dict)
    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, Job]] = field(default_factory=dict)
    waiting: deque[Job] = field(default_factory=deque)
    losses: Counter[Job] = field(default_factory=Counter)
    stillborn: int = 0

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Have the jobs done. `FilterError` if a node cannot take part, or nobody can start."""
        self.waiting.extend(jobs)
        self._say_how_many()
        nobody_since = time.monotonic()
        with _interrupts_noted() as interrupts:
            while self.waiting or self.busy:
                self._hire()
                refs = [*self.opening, *self.busy]
                done, _ = self.ray.wait(refs, num_returns=1, timeout=_LOOK_EVERY_SECONDS)
                for ref in done:
                    if ref in self.opening:
                        self._opened(ref)
                    else:
                        yield from self._finished(ref)
                if interrupts:
                    raise KeyboardInterrupt
                while self.idle and self.waiting:
                    actor, job = self.idle.pop(), self.waiting.popleft()
                    self.busy[actor.attempt.remote(job)] = (actor, job)
                if self.busy or done:
                    nobody_since = time.monotonic()
                elif time.monotonic() - nobody_since > self.start_seconds:
                    raise self._nobody()

    def dismiss(self) -> None:
        """End all workers, whatever they are at."""
        actors = [*self.opening.values(), *self.idle, *(actor for actor, _ in self.busy.values())]
        for actor in actors:
            self._kill(actor)

    def _hire(self) -> None:
        """Ask for workers until there is one for every job, or as many as were asked for."""
        wanted = min(self.workers, len(self.waiting) + len(self.busy))
        while len(self.opening) + len(self.idle) + len(self.busy) < wanted:
            actor = self._kind.remote()
            self.opening[actor.open.remote(self.order)] = actor

    @cached_property
    def _kind(self) -> Any:
        return self.ray.remote(RayWorker).options(
            num_cpus=1, num_gpus=self.gpus_per_worker, max_restarts=0, max_task_retries=0
        )

    def _opened(self, ref: Any) -> None:
        actor = self.opening.pop(ref)
        try:
            problem = self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            self._kill(actor)
            self.stillborn += 1
            broken = isinstance(error, self.ray.exceptions.RayTaskError)
            if broken or self.stillborn >= MOST_LOSSES * self.workers:
                raise FilterError(f"workers cannot start: {_cause(error)}") from error
            return
        self.idle.append(actor)
        self.stillborn = 0
        if problem is not None:
            raise FilterError(problem)

    def _finished(self, ref: Any) -> Iterator[Outcome]:
        actor, job = self.busy.pop(ref)
        try:
            outcomes = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as error:
            self.idle.append(actor)
            yield from failed(job, _cause(error))
        except self.ray.exceptions.RayError as error:
            # Perhaps only out of reach; two workers at one part would write the same bytes.
            self._kill(actor)
            self.losses[job] += 1
            if self.losses[job] == MOST_LOSSES:
                yield from failed(
                    job, f"{MOST_LOSSES} workers died at this part. The last: {_cause(error)}"
                )
            else:
                _log.warning("lost the worker at part %s; another will take it up", job.part)
                self.waiting.append(job)
        else:
            self.idle.append(actor)
            yield from outcomes

    def _kill(self, actor: Any) -> None:
        with contextlib.suppress(self.ray.exceptions.RayError):
            self.ray.kill(actor)

    def _room(self) -> int:
        """Workers that the nodes hold if nobody else uses them."""
        gpus = self.gpus_per_worker
        room = 0
        for node in self.ray.nodes():
            has = node["Resources"] if node["Alive"] else {}
            by_gpu = has.get("GPU", 0) / gpus if gpus else has.get("CPU", 0)
            room += int(min(has.get("CPU", 0), by_gpu))
        return room

    def _say_how_many(self) -> None:
        wanted, room = min(self.workers, len(self.waiting)), self._room()
        if room < wanted:
            _log.warning(
                "the cluster has room for %d of %d workers; the others start when it grows",
                room,
                wanted,
            )

    def _nobody(self) -> FilterError:
        gpus = self.gpus_per_worker
        each = "1 CPU" + (f" and {gpus:g} GPUs" if gpus else "")
        free = self.ray.available_resources()
        return FilterError(
            f"no worker could start for {self.start_seconds:.0f} s: each needs {each} on one "
            f"node; the cluster has room for {self._room()} and, in all, {free.get('CPU', 0):g} "
            f"CPUs and {free.get('GPU', 0):g} GPUs free. What is done is stored: run again when "
            "there is room."
        )


@contextlib.contextmanager
def _interrupts_noted() -> Iterator[list[int]]:
    """Note the first ^C, to be raised between two looks; the next one is as ever.

    Raised wherever Ray's own code happens to be, it is sometimes swallowed there.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _cause(error: Exception) -> str:
    """What Ray reports, in one sentence."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return f"{type(cause).__name__}: {cause}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "because" in line] or lines or [type(error).__name__]
    return told[0].split(". ")[0]
