"""A database with many submissions, written directly: what the load test reads."""

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from datacomp.reports import load_suite
from datacomp_server.artifacts.models import Artifact
from datacomp_server.boards.opening import find_board, suite_sha256
from datacomp_server.context import Context
from datacomp_server.identity.models import Team
from datacomp_server.kit.ids import new_id
from datacomp_server.submissions.models import Result, Submission, Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
SEEDS = 3


def fill(context: Context, n: int, shares: dict[str, float], *, seed: int = 0) -> None:
    """Write `n` accepted reports of 100 teams; `shares` says how many a scale has.

    Methods have three seeds each. Their report files are not there: only pages of single
    submissions, which the load test does not read, would need them.
    """
    rng = random.Random(seed)
    with context.database.writing() as session:
        teams = [
            {"id": new_id(), "name": f"Team {i:03}", "key": f"team {i:03}"} for i in range(100)
        ]
        session.execute(insert(Team), teams)
        for scale, share in shares.items():
            _fill_scale(session, scale, round(share * n), teams, rng)


def _fill_scale(
    session: Session, scale: str, n: int, teams: list[dict[str, Any]], rng: random.Random
) -> None:
    version = suite_sha256(scale)
    assert version is not None
    board = find_board(session, "filtering", scale, version)
    assert board is not None
    groups = load_suite(board.suite).groups
    tasks = [task.key for task in load_suite(board.suite).scored]
    rows: dict[type, list[dict[str, Any]]] = {Artifact: [], Submission: [], Verdict: [], Result: []}
    for i in range(n):
        method, seed = divmod(i, SEEDS)
        level = random.Random(f"{scale}{method}").uniform(0.05, 0.45) + rng.gauss(0, 0.004)
        moment = START + timedelta(seconds=i)
        submission_id, sha256 = new_id(), hashlib.sha256(f"{scale}{i}".encode()).hexdigest()
        rows[Artifact].append({"sha256": sha256, "size": 1, "created_at": moment})
        rows[Submission].append(
            {
                "id": submission_id,
                "team_id": teams[method % len(teams)]["id"],
                "board_id": board.id,
                "kind": "report",
                "method": f"method {method:05}",
                "files_until": moment,
                "seed": seed,
                "oracle": False,
                "attempt": i + 1,
                "manifest_sha256": sha256,
                "report_sha256": sha256,
                "pool_id": "b" * 64,
                "validator": "load",
                "created_at": moment,
            }
        )
        rows[Verdict].append(
            {
                "submission_id": submission_id,
                "accepted": True,
                "findings": [],
                "facts": {},
                "validator": "load",
                "created_at": moment,
            }
        )
        rows[Result].append(
            {
                "submission_id": submission_id,
                "source": "reported",
                "report_sha256": sha256,
                "suite": board.suite,
                "suite_sha256": version,
                "recipe_id": "a" * 64,
                "pool_id": "b" * 64,
                "pool_size": 12_800_000,
                "seed": seed,
                "subset_sha256": hashlib.sha256(f"{scale}{method}".encode()).hexdigest(),
                "subset_n": 3_000_000 + method,
                "subset_unique": 3_000_000,
                "average": level,
                "average_stderr": 0.004,
                "average_chance": 0.03,
                "groups": {
                    name: {"value": level + rng.gauss(0, 0.02), "stderr": 0.01, "n_tasks": 5}
                    for name in groups
                },
                "tasks": {
                    "values": {task: level + rng.gauss(0, 0.03) for task in tasks},
                    "stderrs": dict.fromkeys(tasks, 0.004),
                },
                "created_at": moment,
            }
        )
    for table, values in rows.items():
        if values:
            session.execute(insert(table), values)
