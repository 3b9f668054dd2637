"""The demo's runs go to its service as anybody's would: report, subset and weights.

What stands there already is left alone, so that the demo can be stopped and repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.client import Connection
from datacomp.client import submissions as client
from datacomp.client.gathering import declare
from datacomp.client.profiling import Places, profile_of_run
from datacomp.demo.methods import Method
from datacomp.demo.training import Job
from datacomp.errors import ServiceError
from datacomp.pool.indexing import StartProgress
from datacomp.reports import read_report
from datacomp.submission.manifest import Manifest, Role
from datacomp.subset import read_lock

CHECK_SECONDS = 60.0


@dataclass(frozen=True)
class Entry:
    """A run to hand in, the method that the board names it by, and the score store."""

    method: Method
    job: Job
    scores: Path


def hand_in(connection: Connection, entries: Sequence[Entry], progress: StartProgress) -> list[str]:
    """The ids of the submissions that stand for `entries`, each whole and accepted.

    `ServiceError` with every finding if one is refused.
    """
    with progress("submit", len(entries), unit="runs") as bar:
        ids = []
        for entry in entries:
            ids.append(_send(connection, entry))
            bar.advance(1, f"{entry.method.name} seed {entry.job.seed}")
        for submission_id in ids:
            _demand_accepted(connection, submission_id)
    return ids


def _send(connection: Connection, entry: Entry) -> str:
    job = entry.job
    paths: dict[Role, Path] = {"subset": job.subset, "checkpoint": job.weights}
    report, places = read_report(job.report), Places(job.pool, job.subset, entry.scores)
    fields: dict[str, Any] = {
        "method": entry.method.name,
        "description": entry.method.description,
        "report": report.as_json(),
        "lock": read_lock(job.subset),
        "profile": profile_of_run(report, job.report, places).as_json(),
        "files": declare(paths),
    }
    manifest = Manifest(**fields)
    found, _ = client.declare(connection, manifest)
    client.send_files(connection, found, paths, lambda role, received: None)
    return str(found["id"])


def _demand_accepted(connection: Connection, submission_id: str) -> None:
    found = client.wait_for_verdict(connection, submission_id, CHECK_SECONDS)
    if found["state"] != "accepted":
        reasons = "; ".join(f"{one['code']} {one['message']}" for one in found["findings"])
        raise ServiceError(
            f"submission {submission_id} ({found['method']}) is {found['state']}, expected "
            f"accepted: {reasons or 'its checks have not ended'}"
        )
