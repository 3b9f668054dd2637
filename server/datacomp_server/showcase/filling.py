"""Filling an empty service: DataComp's published baselines, and real runs of `datacomp demo`.

The published numbers are marked as such. The runs are reports that the demo wrote, with the lock
files of their subsets; they come in as anybody's would, and nobody measured them again here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp.errors import UsageError
from datacomp.submission.manifest import Manifest
from datacomp_server.audit import service as audit
from datacomp_server.boards.models import Board, Published
from datacomp_server.boards.opening import require_board
from datacomp_server.context import Context
from datacomp_server.identity import service as identity
from datacomp_server.identity.callers import TeamCaller
from datacomp_server.identity.models import Account, Team
from datacomp_server.submissions import marks
from datacomp_server.submissions.intake import take_in
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.rules import validate

BY = "service:showcase"
_TEAM = "datacomp demo"
_KEPT_EMPTY = (Team, Account, Submission, Published)


@dataclass(frozen=True)
class Filled:
    """How many published numbers and runs were put in."""

    n_published: int
    n_runs: int


def fill_showcase(context: Context) -> Filled:
    """Fill the service of `context`; `UsageError` if it holds anything of anybody already."""
    published, runs = read_json("published.json"), read_json("tiny.json")
    with context.database.writing() as session:
        _demand_empty(session, context)
        n_published = _publish(session, published, context.clock())
        secret = identity.create_token(session, _TEAM, name="showcase", moment=context.clock())
        caller = identity.authenticate(session, secret, moment=context.clock())
    assert isinstance(caller, TeamCaller)
    ids = [_hand_in(context, caller, run) for run in runs]
    with context.database.writing() as session:
        for submission_id, run in zip(ids, runs, strict=True):
            if (reason := run["baseline"]) is not None:
                found, moment = session.get_one(Submission, submission_id), context.clock()
                marks.mark(session, found, "baseline", reason=reason, by=BY, moment=moment)
        identity.revoke_token(session, caller.token_id, moment=context.clock())
    return Filled(n_published, len(runs))


def read_json(name: str) -> Any:
    """A data file of the showcase."""
    return json.loads((resources.files(__package__) / name).read_text(encoding="utf-8"))


def _demand_empty(session: Session, context: Context) -> None:
    counts = {
        table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
        for table in _KEPT_EMPTY
    }
    if any(counts.values()):
        found = ", ".join(f"{n:,} in {name}" for name, n in counts.items() if n)
        raise UsageError(
            f"the showcase fills an empty service only; the one in {context.settings.data_dir} has "
            f"rows: {found}. Leave out --showcase to run it as it is, or name an empty folder: "
            "--data FOLDER"
        )


def _publish(session: Session, papers: list[dict[str, Any]], moment: datetime) -> int:
    n = 0
    for paper in papers:
        source = {name: paper[name] for name in ("source", "place", "link")}
        source["published_at"] = datetime.fromisoformat(paper["published_at"])
        for scale, facts in paper["scales"].items():
            board = require_board(session, "filtering", scale)
            for row in facts["rows"]:
                _add(session, board, source, facts["pool_size"], row, moment)
                n += 1
    return n


def _add(
    session: Session,
    board: Board,
    source: Mapping[str, Any],
    pool_size: int,
    row: Mapping[str, Any],
    moment: datetime,
) -> None:
    made = Published(**source, **row, board_id=board.id, pool_size=pool_size, created_at=moment)
    session.add(made)
    session.flush()
    audit.record(
        session,
        tag="published:added",
        subject_id=made.id,
        actor=BY,
        facts={"scale": board.scale, "method": made.method, "link": made.link},
        moment=moment,
    )


def _hand_in(context: Context, caller: TeamCaller, run: Mapping[str, Any]) -> str:
    """The id of the submission."""
    valid = validate(Manifest(**run["manifest"]))
    return take_in(context, caller, valid, moment=context.clock()).submission.id
