"""What all attempts of a worker share, and the room on its disk."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass

from datacomp.client.worker import WorkerClient
from datacomp.errors import ServiceError
from datacomp.worker.cache import Cache
from datacomp.worker.executors import Executor
from datacomp.worker.machine import Machine
from datacomp.worker.signing import Signer
from datacomp.worker.state import State


@dataclass(frozen=True)
class Site:
    """A worker's place; `stopping` is set when it is to end."""

    client: WorkerClient
    state: State
    cache: Cache
    executor: Executor
    machine: Machine
    signer: Signer
    stopping: threading.Event

    def demand_room(self, n_bytes: int) -> None:
        """Room on the disk for so many bytes; `ServiceError` if there is none.

        What is only kept for later goes first: what jobs of others left here, then the cache.
        """
        clearings: list[Callable[[], None]] = [lambda: self.state.prune(0), self.cache.clear]
        while (free := shutil.disk_usage(self.state.root).free) < n_bytes:
            if not clearings:
                raise ServiceError(
                    f"a file of {n_bytes:,} bytes is needed, {free:,} are free on the disk of "
                    f"{self.state.root}. Make room, or choose another --state"
                )
            clearings.pop(0)()
