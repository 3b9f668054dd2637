"""The queue: workers, jobs, what they leave; results."""

import sqlalchemy as sa
from alembic import op

from datacomp_server.kit.db import UtcDateTime

revision = "20261123b2"
down_revision = "20261123b"


def upgrade() -> None:
    """Create the tables."""
    _worker()
    _job()
    _job_need()
    _job_attempt()
    _job_output()
    _job_log()
    _result()


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
            "ending IN ('succeeded', 'failed', 'expired', 'cancelled', 'released') "
            "OR ending IS NULL",
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
        sa.Column("profile_sha256", sa.String(64)),
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
        sa.Column("tasks", sa.JSON(), nullable=False),
        sa.Column("vector_sha256", sa.String(64)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(source = 'reported') = (job_id IS NULL)", name="worker_made_has_its_job"
        ),
        sa.CheckConstraint("source IN ('reported', 'evaluated', 'trained')", name="source"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["report_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["profile_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id"),
    )
    op.create_index("ix_result_report_sha256", "result", ["report_sha256"])
    op.create_index("ix_result_submission_id", "result", ["submission_id"])
    op.create_index("ix_result_subset_sha256", "result", ["subset_sha256"])
    op.create_index("ix_result_vector_sha256", "result", ["vector_sha256"])
