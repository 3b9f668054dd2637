"""A task's log on its way to the service, in pieces by offset."""

from pathlib import Path

from datacomp.client.errors import RefusedError
from datacomp.client.worker import Lease, LeaseLostError, WorkerClient, is_transient
from datacomp.errors import ServiceError
from datacomp.worker.orders import LOG

PIECE_BYTES = 256 * 1024


class LogSender:
    """Sends what is new in an attempt's log, up to what the service keeps."""

    def __init__(self, client: WorkerClient, lease: Lease, folder: Path) -> None:
        self._client, self._lease, self._path = client, lease, folder / LOG
        self._offset: int | None = None

    def send(self) -> None:
        """Send what is there; a service that is away gets it the next time.

        `LeaseLostError` if the lease does not hold.
        """
        try:
            if self._offset is None:  # an earlier agent may have sent a part
                self._offset = self._client.log(self._lease.lease_id, 0, b"")
            while piece := self._piece(self._offset):
                before, lease_id = self._offset, self._lease.lease_id
                self._offset = self._client.log(lease_id, before, piece)
                if self._offset <= before:
                    return  # it took nothing; maybe the next time
        except LeaseLostError:
            raise
        except ServiceError as error:
            if isinstance(error, RefusedError) and error.code == "wrong_offset":
                self._offset = None  # ask again where it is, the next time
            elif not is_transient(error):
                raise

    def tail(self, n_bytes: int) -> str:
        """The end of the log."""
        if not self._path.exists():
            return ""
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - n_bytes))
            return file.read().decode(errors="replace")

    def _piece(self, offset: int) -> bytes:
        if not 0 <= offset < self._lease.max_log_bytes or not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(PIECE_BYTES)
