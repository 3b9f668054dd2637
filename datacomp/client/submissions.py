"""Handing in: the manifest first, then the files that the service asks for."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from datacomp.client.connection import Connection, json_object
from datacomp.client.uploads import upload_file
from datacomp.submission.manifest import Manifest, Role

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0


def declare(connection: Connection, manifest: Manifest) -> tuple[dict[str, Any], bool]:
    """The submission as the API shows it, and whether it was made just now.

    The same manifest again gives the submission that stands. `RefusedError` with every finding.
    """
    answer = connection.call("create_submission", json=manifest.as_json())
    return json_object(answer), answer.status_code == httpx.codes.CREATED


def send_files(
    connection: Connection,
    submission: Mapping[str, Any],
    paths: Mapping[Role, Path],
    progress: Callable[[str, int], None],
) -> None:
    """Upload each file that the service waits for; `progress` is told role and safe bytes."""
    for file in submission["files"]:
        if file["upload"] is None:
            continue
        role = file["role"]
        upload_file(
            connection,
            paths[role],
            sha256=file["sha256"],
            progress=partial(progress, role),
        )


def wait_for_verdict(
    connection: Connection,
    submission_id: str,
    seconds: float,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The submission, once its checks are done, or when `seconds` have passed."""
    waited, wait = 0.0, _FIRST_PAUSE_SECONDS
    while True:
        found = connection.read("get_submission", submission_id=submission_id)
        if found["state"] != "checking" or waited >= seconds:
            return found
        pause(wait)
        waited += wait
        wait = min(wait * 1.5, _LONGEST_PAUSE_SECONDS)


def own_submissions(connection: Connection, team: str, limit: int) -> list[dict[str, Any]]:
    """A team's newest submissions, newest first."""
    found = connection.read("list_submissions", team=team, limit=limit)
    return list(found["submissions"])


def level_of(connection: Connection, submission_id: str) -> str:
    """How far a submission was verified: `reported`, `attested`, `re-evaluated`, ..."""
    return str(connection.read("get_evidence", submission_id=submission_id)["level"])


def jobs_of(connection: Connection, submission_id: str) -> list[dict[str, Any]]:
    """What runs or waits for a submission, as the queue shows it."""
    queue = connection.read("get_queue")
    return [
        job
        for job in (*queue["running"], *queue["waiting"])
        if job["submission_id"] == submission_id
    ]


def request_check(connection: Connection, submission_id: str) -> dict[str, Any]:
    """Have an unchecked submission checked again; `RefusedError` if it is not one."""
    return connection.read("request_check", submission_id=submission_id)


def ways_up(connection: Connection, submission_id: str) -> dict[str, Any]:
    """How far a submission was verified, and what each further level takes and costs."""
    return connection.read("get_verification", submission_id=submission_id)


def request_level(
    connection: Connection, submission_id: str, level: str, seeds: list[int] | None = None
) -> dict[str, Any]:
    """Have a submission measured by workers: the jobs, what its team paid, what it has left."""
    body = {"level": level, "seeds": seeds}
    return connection.read("request_verification", submission_id=submission_id, json=body)


def withdraw(connection: Connection, submission_id: str, reason: str | None) -> dict[str, Any]:
    """Withdraw a submission of one's own team; `RefusedError` if it is not one."""
    body = {"reason": reason}
    return connection.read("withdraw_submission", submission_id=submission_id, json=body)
