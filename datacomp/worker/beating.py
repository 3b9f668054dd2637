"""The signs of life of one lease, in a thread of their own, so that no task delays them."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from datacomp.client.worker import Lease, LeaseLostError, WorkerClient, is_transient
from datacomp.errors import ServiceError
from datacomp.worker.orders import PROGRESS, read_json


class Beating:
    """Beats while the context lasts, first at once; what the answers said stands in the fields.

    `lost` is why the lease does not hold any more, `cancelled` whether the job is to stop. `stage`
    is told as progress while it is set, else what the task tells. `news` is set when a field
    changed, or by whoever wants to be heard at once.
    """

    def __init__(self, client: WorkerClient, lease: Lease, folder: Path) -> None:
        self._client, self._lease, self._folder = client, lease, folder
        self.lost: str | None = None
        self.cancelled = False
        self.stage: str | None = None
        self.news = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"beat {lease.lease_id}", daemon=True
        )

    def demand(self) -> None:
        """`LeaseLostError` if the service has said that the lease is lost."""
        if self.lost is not None:
            raise LeaseLostError(self.lost)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        wait, patience = 0.0, 1.0
        while not self._over.wait(wait):
            try:
                cancel = self._client.beat(self._lease.lease_id, self._progress())
            except LeaseLostError as error:
                return self._lose(str(error))
            except ServiceError as error:
                if not is_transient(error):
                    return self._lose(str(error))
                wait, patience = patience, min(2 * patience, self._lease.beat_seconds)
                continue
            wait, patience = self._lease.beat_seconds, 1.0
            if cancel and not self.cancelled:
                self.cancelled = True
                self.news.set()

    def _lose(self, why: str) -> None:
        self.lost = why
        self.news.set()

    def _progress(self) -> dict[str, Any] | None:
        if self.stage is not None:
            return {"stage": self.stage}
        return read_json(self._folder / PROGRESS)
