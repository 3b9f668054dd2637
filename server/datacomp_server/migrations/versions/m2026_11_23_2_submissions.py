"""Boards, submissions in parts, the queue, results; what stood before is carried over."""

import json
from collections import Counter
from typing import Any

import sqlalchemy as sa
from alembic import op

from datacomp_server.kit.db import UtcDateTime
from datacomp_server.kit.ids import new_id

revision = "20261123b"
down_revision = "20261123a"


def upgrade() -> None:
    """Create the tables."""
    old = op.get_bind().execute(sa.text("SELECT * FROM submission ORDER BY created_at, id"))
    rows = [dict(row) for row in old.mappings()]
    op.drop_table("submission")
    _board()
    _submission()
    _claim()
    _submission_file()
    _verdict()
    _mark()
    _subset_sketch()
    _overlap()
    _worker()
    _job()
    _job_need()
    _job_attempt()
    _job_output()
    _job_log()
    _result()
    _carry_over(rows)


def _board() -> None:
    op.create_table(
        "board",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("track", sa.String(20), nullable=False),
        sa.Column("scale", sa.String(20), nullable=False),
        sa.Column("suite", sa.String(200), nullable=False),
        sa.Column("suite_sha256", sa.String(64), nullable=False),
        sa.Column("opens_at", UtcDateTime(), nullable=False),
        sa.Column("closes_at", UtcDateTime()),
        sa.Column("submissions_per_team", sa.BigInteger(), nullable=False),
        sa.Column("compute_seconds_per_team", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("track IN ('filtering', 'byod')", name="track"),
        sa.CheckConstraint(
            "closes_at IS NULL OR opens_at < closes_at", name="opens_before_it_closes"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("track", "scale", "suite_sha256"),
    )


def _submission() -> None:
    op.create_table(
        "submission",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("board_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("method", sa.String(100), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("oracle", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("report_sha256", sa.String(64)),
        sa.Column("lock_sha256", sa.String(64)),
        sa.Column("pool_id", sa.String(200), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("validator", sa.String(60), nullable=False),
        sa.Column("files_until", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind <> 'report' OR report_sha256 IS NOT NULL", name="has_its_report"),
        sa.CheckConstraint("kind IN ('report', 'subset', 'plugin')", name="kind"),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.ForeignKeyConstraint(["lock_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["report_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_submission_board_id_created_at", "submission", ["board_id", "created_at"])
    op.create_index("ix_submission_team_id_created_at", "submission", ["team_id", "created_at"])
    op.create_index("ix_submission_report_sha256", "submission", ["report_sha256"])


def _claim() -> None:
    op.create_table(
        "claim",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("key"),
    )


def _submission_file() -> None:
    op.create_table(
        "submission_file",
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('subset', 'checkpoint', 'byod', 'plugin', 'selection')", name="role"
        ),
        sa.CheckConstraint("size > 0", name="size"),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("submission_id", "role"),
    )
    op.create_index("ix_submission_file_sha256", "submission_file", ["sha256"])


def _verdict() -> None:
    op.create_table(
        "verdict",
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("validator", sa.String(60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("submission_id"),
    )


def _mark() -> None:
    op.create_table(
        "mark",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN "
            "('baseline', 'withdrawn', 'disqualified', 'challenged', 'upheld', 'dismissed')",
            name="kind",
        ),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mark_submission_id", "mark", ["submission_id"])


def _subset_sketch() -> None:
    op.create_table(
        "subset_sketch",
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("subset_sha256", sa.String(64), nullable=False),
        sa.Column("n_unique", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("submission_id"),
    )
    op.create_index("ix_subset_sketch_subset_sha256", "subset_sketch", ["subset_sha256"])


def _overlap() -> None:
    op.create_table(
        "overlap",
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("other_id", sa.String(26), nullable=False),
        sa.Column("jaccard", sa.Double(), nullable=False),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["other_id"], ["submission.id"]),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("submission_id", "other_id"),
    )
    op.create_index("ix_overlap_other_id", "overlap", ["other_id"])


def _worker() -> None:
    op.create_table(
        "worker",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("token_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("pools", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["api_token.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_index("ix_worker_token_id", "worker", ["token_id"])


def _job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("submission_id", sa.String(26)),
        sa.Column("team_id", sa.String(26)),
        sa.Column("resource", sa.String(40), nullable=False),
        sa.Column("pool_id", sa.String(200)),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("expected_seconds", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("lease_id", sa.String(26)),
        sa.Column("lease_until", UtcDateTime()),
        sa.Column("worker", sa.String(60)),
        sa.Column("progress", sa.JSON()),
        sa.Column("fault", sa.String(20)),
        sa.Column("detail", sa.Text()),
        sa.Column("cancel_requested_at", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("available_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.CheckConstraint(
            "(status = 'failed') = (fault IS NOT NULL)", name="failed_has_its_fault"
        ),
        sa.CheckConstraint(
            "(status IN ('leased', 'running')) = (lease_id IS NOT NULL)", name="live_has_a_lease"
        ),
        sa.CheckConstraint(
            "(status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            name="ended_has_its_end",
        ),
        sa.CheckConstraint("fault IN ('user', 'infrastructure') OR fault IS NULL", name="fault"),
        sa.CheckConstraint(
            "kind IN ('check', 'filter', 'train', 'evaluate', 'score', 'export')", name="kind"
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'leased', 'running', 'succeeded', 'failed', 'cancelled')",
            name="status",
        ),
        sa.CheckConstraint(
            "(lease_id IS NULL) = (lease_until IS NULL) AND (lease_id IS NULL) = (worker IS NULL)",
            name="lease_is_whole",
        ),
        sa.CheckConstraint("attempt BETWEEN 0 AND max_attempts", name="attempt"),
        sa.CheckConstraint("priority BETWEEN -10 AND 10", name="priority"),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lease_id"),
    )
    op.create_index("ix_job_status_resource_turn_id", "job", ["status", "resource", "turn", "id"])
    op.create_index("ix_job_submission_id", "job", ["submission_id"])
    op.create_index("ix_job_team_id", "job", ["team_id"])


def _job_need() -> None:
    op.create_table(
        "job_need",
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("needs_id", sa.String(26), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["needs_id"], ["job.id"]),
        sa.PrimaryKeyConstraint("job_id", "needs_id"),
    )
    op.create_index("ix_job_need_needs_id", "job_need", ["needs_id"])


def _job_attempt() -> None:
    op.create_table(
        "job_attempt",
        sa.Column("lease_id", sa.String(26), nullable=False),
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(60), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("last_beat_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("seconds", sa.BigInteger()),
        sa.Column("ending", sa.String(10)),
        sa.Column("fault", sa.String(20)),
        sa.Column("detail", sa.Text()),
        sa.CheckConstraint(
            "ending IN ('succeeded', 'failed', 'expired', 'cancelled') OR ending IS NULL",
            name="ending",
        ),
        sa.CheckConstraint("(ending IS NULL) = (ended_at IS NULL)", name="ended_has_its_ending"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.PrimaryKeyConstraint("lease_id"),
    )
    live = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_job_attempt_live",
        "job_attempt",
        ["job_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("ix_job_attempt_ended_at", "job_attempt", ["ended_at"])
    op.create_index("ix_job_attempt_job_id", "job_attempt", ["job_id"])
    op.create_index("ix_job_attempt_worker", "job_attempt", ["worker"])


def _job_output() -> None:
    op.create_table(
        "job_output",
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["sha256"], ["artifact.sha256"]),
        sa.PrimaryKeyConstraint("job_id", "role"),
    )


def _job_log() -> None:
    op.create_table(
        "job_log",
        sa.Column("lease_id", sa.String(26), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["lease_id"], ["job_attempt.lease_id"]),
        sa.PrimaryKeyConstraint("lease_id", "start"),
    )


def _result() -> None:
    op.create_table(
        "result",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("job_id", sa.String(26)),
        sa.Column("report_sha256", sa.String(64), nullable=False),
        sa.Column("checkpoint_sha256", sa.String(64)),
        sa.Column("suite", sa.String(200), nullable=False),
        sa.Column("suite_sha256", sa.String(64), nullable=False),
        sa.Column("recipe_id", sa.String(200), nullable=False),
        sa.Column("pool_id", sa.String(200), nullable=False),
        sa.Column("pool_size", sa.BigInteger(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("subset_sha256", sa.String(64), nullable=False),
        sa.Column("subset_n", sa.BigInteger(), nullable=False),
        sa.Column("subset_unique", sa.BigInteger(), nullable=False),
        sa.Column("average", sa.Double()),
        sa.Column("average_stderr", sa.Double()),
        sa.Column("average_chance", sa.Double()),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("vector_sha256", sa.String(64)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(source = 'reported') = (job_id IS NULL)", name="worker_made_has_its_job"
        ),
        sa.CheckConstraint("source IN ('reported', 'evaluated', 'trained')", name="source"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["report_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id"),
    )
    op.create_index("ix_result_report_sha256", "result", ["report_sha256"])
    op.create_index("ix_result_submission_id", "result", ["submission_id"])
    op.create_index("ix_result_subset_sha256", "result", ["subset_sha256"])
    op.create_index("ix_result_vector_sha256", "result", ["vector_sha256"])


def _carry_over(rows: list[dict[str, Any]]) -> None:
    """Every report that stood before becomes a submission, its verdict and its result."""
    connection = op.get_bind()
    metadata = sa.MetaData()
    names = ("board", "submission", "claim", "verdict", "result")
    tables = {name: sa.Table(name, metadata, autoload_with=connection) for name in names}
    boards: dict[tuple[str, str], str] = {}
    attempts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        place = (row["scale"], row["suite_sha256"])
        if place not in boards:
            boards[place] = new_id()
            opened = row | {
                "id": boards[place],
                "track": "filtering",
                "opens_at": row["created_at"],
                "submissions_per_team": 1000,
                "compute_seconds_per_team": 7 * 24 * 3600,
            }
            connection.execute(_insert(tables["board"], opened))
        attempts[row["team_id"], boards[place]] += 1
        submission = row | {
            "board_id": boards[place],
            "kind": "report",
            "attempt": attempts[row["team_id"], boards[place]],
            "manifest_sha256": row["report_sha256"],
            "files_until": row["created_at"],
        }
        claim = row | {"key": row["report_sha256"], "submission_id": row["id"]}
        verdict = row | {
            "submission_id": row["id"],
            "accepted": True,
            "findings": [],
            "facts": {},
        }
        result = row | {"id": new_id(), "submission_id": row["id"], "source": "reported"}
        connection.execute(_insert(tables["submission"], submission))
        connection.execute(_insert(tables["claim"], claim))
        connection.execute(_insert(tables["verdict"], verdict))
        connection.execute(_insert(tables["result"], result))


def _insert(table: sa.Table, values: dict[str, Any]) -> sa.TextClause:
    """An insert of the columns that `table` has, with values as the database gave them."""
    columns = [column for column in table.columns if column.name in values]
    names = [column.name for column in columns]
    places = ", ".join(f":{name}" for name in names)
    statement = sa.text(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})")
    return statement.bindparams(*(_bound(column, values[column.name]) for column in columns))


def _bound(column: sa.Column[Any], value: Any) -> sa.BindParameter[Any]:
    if not isinstance(column.type, sa.JSON):
        return sa.bindparam(column.name, value)
    # a driver may have read it already
    return sa.bindparam(
        column.name, json.loads(value) if isinstance(value, str) else value, type_=sa.JSON()
    )
