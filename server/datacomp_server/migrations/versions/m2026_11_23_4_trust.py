"""Uploads, the ledger, signing keys, evidence, audits, the chain of events."""

import sqlalchemy as sa
from alembic import op

from datacomp_server.kit.db import UtcDateTime

revision = "20261123c"
down_revision = "20261123b2"


def upgrade() -> None:
    """Create the tables."""
    _upload()
    _ledger_entry()
    _signing_key()
    _evidence()
    _audit_round()
    _event()


def _upload() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26)),
        sa.Column("lease_id", sa.String(26)),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("completed_at", UtcDateTime()),
        sa.CheckConstraint("received BETWEEN 0 AND size", name="received"),
        sa.CheckConstraint("team_id IS NOT NULL OR lease_id IS NOT NULL", name="owner"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_upload_expires_at", "upload", ["expires_at"])
    op.create_index("ix_upload_lease_id", "upload", ["lease_id"])
    op.create_index("ix_upload_sha256", "upload", ["sha256"])
    op.create_index("ix_upload_team_id", "upload", ["team_id"])
    op.create_index(
        "uq_upload_open",
        "upload",
        ["team_id", "sha256"],
        unique=True,
        sqlite_where=sa.text("completed_at IS NULL AND team_id IS NOT NULL"),
        postgresql_where=sa.text("completed_at IS NULL AND team_id IS NOT NULL"),
    )


def _ledger_entry() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("board_id", sa.String(26), nullable=False),
        sa.Column("unit", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(10), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(26)),
        sa.Column("submission_id", sa.String(26)),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(reason = 'charge') = (amount < 0)", name="sign"),
        sa.CheckConstraint("reason IN ('grant', 'charge', 'refund')", name="reason"),
        sa.CheckConstraint("unit IN ('compute_seconds', 'submissions')", name="unit"),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "reason"),
    )
    op.create_index(
        "ix_ledger_entry_sums", "ledger_entry", ["team_id", "board_id", "unit", "reason", "amount"]
    )


def _signing_key() -> None:
    op.create_table(
        "signing_key",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26)),
        sa.Column("worker_id", sa.String(26)),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime()),
        sa.CheckConstraint("(team_id IS NULL) <> (worker_id IS NULL)", name="one_holder"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_key"),
    )
    op.create_index("ix_signing_key_team_id", "signing_key", ["team_id"])
    op.create_index("ix_signing_key_worker_id", "signing_key", ["worker_id"])


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("result_id", sa.String(26)),
        sa.Column("key_id", sa.String(26)),
        sa.Column("worker", sa.String(60)),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('report', 'attestation', 'evaluation', 'training', 'contradiction')",
            name="kind",
        ),
        sa.ForeignKeyConstraint(["key_id"], ["signing_key.id"]),
        sa.ForeignKeyConstraint(["result_id"], ["result.id"]),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_evidence_submission_id", "evidence", ["submission_id"])


def _audit_round() -> None:
    op.create_table(
        "audit_round",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("board_id", sa.String(26), nullable=False),
        sa.Column("commitment", sa.String(64), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("seed", sa.String(64)),
        sa.Column("chosen", sa.JSON()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("drawn_at", UtcDateTime()),
        sa.CheckConstraint("(seed IS NULL) = (drawn_at IS NULL)", name="drawn_has_its_seed"),
        sa.CheckConstraint("share > 0 AND share <= 1", name="share"),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("commitment"),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("tag", sa.String(60), nullable=False),
        sa.Column("subject_id", sa.String(26)),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_index("ix_event_subject_id", "event", ["subject_id"])
    op.create_index("ix_event_tag_seq", "event", ["tag", "seq"])
