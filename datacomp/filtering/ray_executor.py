"""The executor for clusters: Ray actors, each with the work opened, each at one part at a time.

Ray is an optional extra and is imported when a run begins.
"""

import logging
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datacomp.errors import FilterError, MissingExtraError, UsageError, require
from datacomp.files import write_bytes
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import call_for
from datacomp.filtering.ray_crew import Crew
from datacomp.filtering.ray_worker import Order, plugin_sources, pool_digest
from datacomp.filtering.spec import Specs, producers
from datacomp.filtering.store import ScoreStore
from datacomp.filtering.work import Job, Outcome
from datacomp.pool import Pool

_OBJECT_STORE_BYTES = 100 * 2**20
_CONNECT_SECONDS = 10.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray prints what befalls its nodes to stdout, where results go; this passes every line over.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}


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
        """Compute the jobs. A part that loses three workers fails; the others go on."""
        if not jobs:
            return
        order = order_for(chosen, pool, store, "cuda" if self.gpus_per_worker else "cpu")
        with _token(order), _connected(self.address) as ray:
            crew = Crew(ray, order, self.workers, self.gpus_per_worker, self.start_seconds)
            try:
                yield from crew.outcomes(jobs)
            finally:
                crew.dismiss()


def order_for(chosen: Filter, pool: Pool, store: ScoreStore, device: str) -> Order:
    """What workers are told; `UsageError` for a filter that is not registered."""
    call = call_for(chosen, pool, store)
    describe = Specs()
    specs = [describe.step(step) for step in producers(chosen).steps]
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
