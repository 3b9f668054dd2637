"""The executor for clusters: Ray actors, each with the work opened, each at one part at a time.

Losing a worker, or its whole node, costs the part that it was at: another takes it up. Ray is an
optional extra and is imported when a run begins.
"""

import contextlib
import logging
import os
import secrets
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datacomp.errors import FilterError, MissingExtraError, UsageError, require
from datacomp.files import write_bytes
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import call_for, failed
from datacomp.filtering.ray_worker import Order, RayWorker, plugin_sources, pool_digest
from datacomp.filtering.spec import distinct, step_spec
from datacomp.filtering.store import ScoreStore
from datacomp.filtering.work import Job, Outcome
from datacomp.pool import Pool

MOST_LOSSES = 3
"""Workers that one part may cost before it counts as failed."""

_OBJECT_STORE_BYTES = 100 * 2**20
_LOOK_EVERY_SECONDS = 1.0
_CONNECT_SECONDS = 10.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray prints what befalls its nodes to stdout, where results go; this passes every line over.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayExecutor:
    """A Ray cluster: `workers` actors of one CPU and `gpus_per_worker` GPUs each.

    `address` is "auto" for the cluster that this machine is part of, host:port, or ray://host:port;
    None is what RAY_ADDRESS says, else a cluster of this machine alone for as long as the run. With
    fewer resources than asked for, as many workers run as there is room for; if there is none at
    all for `start_seconds`, that is a `FilterError`.
    """

    workers: int = 1
    gpus_per_worker: float = 0
    address: str | None = None
    start_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers is 1 or more, got {self.workers}")
        gpus = self.gpus_per_worker
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise UsageError(f"gpus_per_worker is below 1 or a whole number, got {gpus}")

    def run(
        self, chosen: Filter, pool: Pool, store: ScoreStore, jobs: Sequence[Job]
    ) -> Iterator[Outcome]:
        """Compute the jobs. A part that loses `MOST_LOSSES` workers fails; the others go on."""
        if not jobs:
            return
        order = order_for(chosen, pool, store, "cuda" if self.gpus_per_worker else "cpu")
        with _token(order), _connected(self.address) as ray:
            crew = _Crew(ray, self, order)
            try:
                yield from crew.outcomes(jobs)
            finally:
                crew.dismiss()


def order_for(chosen: Filter, pool: Pool, store: ScoreStore, device: str) -> Order:
    """What workers are told; `UsageError` for a filter that is not registered."""
    call = call_for(chosen, pool, store)
    specs = [step_spec(step) for step in distinct(chosen.steps())]
    local = pool.folder.local
    return Order(
        # As the user wrote them, but whole: a link may lead elsewhere on another node.
        call=replace(
            call,
            pool_url=str(local) if local else call.pool_url,
            store_dir=str(store.root.absolute()),
        ),
        device=device,
        plugins=plugin_sources(chosen),
        folder=os.getcwd(),
        environment=tuple(
            (name, value) for name, value in os.environ.items() if name.startswith("DATACOMP_")
        ),
        token=f".seen-by-workers.{secrets.token_hex(8)}",
        secret=secrets.token_hex(16),
        pool=pool_digest(pool),
        steps=tuple((spec.name, spec.key) for spec in specs),
    )


@contextmanager
def _token(order: Order) -> Iterator[None]:
    path = Path(order.call.store_dir) / order.token
    write_bytes(path, order.secret.encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected; left as it was found."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    ray = require("ray", "ray")
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address := address or os.environ.get("RAY_ADDRESS"):
        _demand_listener(address)
        try:
            ray.init(address=address, **quiet)
        except ImportError as error:
            raise MissingExtraError(str(error)) from error
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise FilterError(
                f"cannot join the Ray cluster at {address!r}: {error}. Is one running (ray start "
                "--head), of the same Ray version? One that wants a token: RAY_AUTH_MODE=token"
            ) from error
    else:
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            **quiet,
        )
    try:
        yield ray
    finally:
        ray.shutdown()


def _demand_listener(address: str) -> None:
    """Ray itself tries for minutes where nobody listens."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise FilterError(
            f"nobody listens at {address!r} ({error}), expected a Ray cluster. "
            "Start one with: ray start --head"
        ) from error


@dataclass
class _Crew:
    """The workers: opening, idle, or busy with a job."""

    ray: Any
    asked: RayExecutor
    order: Order
    opening: dict[Any, Any] = field(default_factory=dict)
    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, Job]] = field(default_factory=dict)
    waiting: deque[Job] = field(default_factory=deque)
    losses: Counter[Job] = field(default_factory=Counter)
    stillborn: int = 0

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        self.waiting.extend(jobs)
        self._say_how_many()
        nobody_since = time.monotonic()
        while self.waiting or self.busy:
            self._hire()
            refs = [*self.opening, *self.busy]
            done, _ = self.ray.wait(refs, num_returns=1, timeout=_LOOK_EVERY_SECONDS)
            for ref in done:
                if ref in self.opening:
                    self._opened(ref)
                else:
                    yield from self._finished(ref)
            while self.idle and self.waiting:
                actor, job = self.idle.pop(), self.waiting.popleft()
                self.busy[actor.attempt.remote(job)] = (actor, job)
            if self.busy or done:
                nobody_since = time.monotonic()
            elif time.monotonic() - nobody_since > self.asked.start_seconds:
                raise self._nobody()

    def dismiss(self) -> None:
        actors = [*self.opening.values(), *self.idle, *(actor for actor, _ in self.busy.values())]
        for actor in actors:
            self._kill(actor)

    def _hire(self) -> None:
        """Ask for workers until there is one for every job, or as many as were asked for."""
        kind = self.ray.remote(RayWorker).options(
            num_cpus=1, num_gpus=self.asked.gpus_per_worker, max_restarts=0, max_task_retries=0
        )
        wanted = min(self.asked.workers, len(self.waiting) + len(self.busy))
        while len(self.opening) + len(self.idle) + len(self.busy) < wanted:
            actor = kind.remote()
            self.opening[actor.open.remote(self.order)] = actor

    def _opened(self, ref: Any) -> None:
        actor = self.opening.pop(ref)
        try:
            problem = self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            self._kill(actor)
            self.stillborn += 1
            broken = isinstance(error, self.ray.exceptions.RayTaskError)
            if broken or self.stillborn >= MOST_LOSSES * self.asked.workers:
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
        gpus = self.asked.gpus_per_worker
        room = 0
        for node in self.ray.nodes():
            has = node["Resources"] if node["Alive"] else {}
            by_gpu = has.get("GPU", 0) / gpus if gpus else has.get("CPU", 0)
            room += int(min(has.get("CPU", 0), by_gpu))
        return room

    def _say_how_many(self) -> None:
        wanted, room = min(self.asked.workers, len(self.waiting)), self._room()
        if room < wanted:
            _log.warning(
                "the cluster has room for %d of %d workers; the others start when it grows",
                room,
                wanted,
            )

    def _nobody(self) -> FilterError:
        gpus = self.asked.gpus_per_worker
        each = "1 CPU" + (f" and {gpus:g} GPUs" if gpus else "")
        free = self.ray.available_resources()
        return FilterError(
            f"no worker could start for {self.asked.start_seconds:.0f} s: each needs {each} on one "
            f"node; the cluster has room for {self._room()} and, in all, {free.get('CPU', 0):g} "
            f"CPUs and {free.get('GPU', 0):g} GPUs free. What is done is stored: run again when "
            "there is room."
        )


def _cause(error: Exception) -> str:
    """What Ray reports, in one sentence."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return f"{type(cause).__name__}: {cause}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "because" in line] or lines or [type(error).__name__]
    return told[0].split(". ")[0]
