"""The worker's folder: all that it knows after a restart.

    key                       the private key, hex, readable by its owner only
    cache/SHA256              files by content
    jobs/JOB/work/            what attempts of a job leave to the next one on this machine
    jobs/JOB/LEASE/           one attempt: lease.json and what `orders` and `executors` keep there

An attempt's folder is removed when it ended, a job's when no attempt will follow.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from datacomp.client.worker import Lease
from datacomp.errors import ServiceError, UsageError
from datacomp.files import locked, write_json
from datacomp.submission.attestation import PrivateKey
from datacomp.worker.orders import read_json

LEASE, WORK = "lease.json", "work"
KEEP_SECONDS = 7 * 24 * 3600
"""How long the work of a job is kept that has gone to another worker."""


@dataclass(frozen=True)
class State:
    """One worker's folder; several threads may use it."""

    root: Path
    _changing: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @contextmanager
    def held(self) -> Iterator[None]:
        """This folder for this process alone; `UsageError` if another worker has it."""
        busy = UsageError(f"another worker has the folder {self.root}: choose another --state")
        with locked(self.root, busy):
            yield

    @property
    def cache(self) -> Path:
        """Folder of the cache."""
        return self.root / "cache"

    def key(self) -> PrivateKey:
        """The worker's key, made at the first call."""
        path = self.root / "key"
        with suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(PrivateKey.generate().secret)
        return PrivateKey(path.read_text().strip())

    def begin(self, lease: Lease) -> Path:
        """The folder of a new attempt."""
        folder = self.root / "jobs" / lease.job_id / lease.lease_id
        with self._changing:
            write_json(folder / LEASE, lease.as_json())
        return folder

    def unfinished(self) -> list[tuple[Lease, Path]]:
        """Attempts that an earlier process of this worker left, and their folders.

        One that cannot be read is removed; its lease runs out.
        """
        found = []
        for path in sorted(self.root.glob(f"jobs/*/*/{LEASE}")):
            try:
                found.append((Lease.of(read_json(path) or {}), path.parent))
            except (ServiceError, ValueError):
                self.end(path.parent, keep_work=True)
        return found

    def end(self, folder: Path, *, keep_work: bool) -> None:
        """Remove an attempt; with the job's work unless another attempt may follow."""
        (folder / LEASE).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        if not keep_work:
            shutil.rmtree(folder.parent, ignore_errors=True)

    def prune(self, keep_seconds: float = KEEP_SECONDS) -> None:
        """Remove what jobs have left that did not come back for so long."""
        oldest = time.time() - keep_seconds
        for job in self.root.glob("jobs/*"):
            with self._changing:
                if not any(job.glob(f"*/{LEASE}")) and job.stat().st_mtime <= oldest:
                    shutil.rmtree(job, ignore_errors=True)


def work_of(folder: Path) -> Path:
    """The folder that all attempts of a job share."""
    return folder.parent / WORK
