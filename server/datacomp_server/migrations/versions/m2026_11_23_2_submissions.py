"""Boards; submissions in parts, and what is said of them."""

import sqlalchemy as sa
from alembic import op

from datacomp_server.kit.db import UtcDateTime

revision = "20261123b"
down_revision = "20261123a"


def upgrade() -> None:
    """Create the tables."""
    _board()
    _board_rule()
    _published()
    _submission()
    _claim()
    _submission_file()
    _verdict()
    _mark()
    _subset_sketch()
    _overlap()


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


def _board_rule() -> None:
    op.create_table(
        "board_rule",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("board_id", sa.String(26), nullable=False),
        sa.Column("rule", sa.String(60), nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_board_rule_board_id", "board_rule", ["board_id"])


def _published() -> None:
    op.create_table(
        "published",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("board_id", sa.String(26), nullable=False),
        sa.Column("source", sa.String(60), nullable=False),
        sa.Column("place", sa.String(60), nullable=False),
        sa.Column("link", sa.String(200), nullable=False),
        sa.Column("method", sa.String(100), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("pool_size", sa.BigInteger(), nullable=False),
        sa.Column("average", sa.Double(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_published_board_id", "published", ["board_id"])


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
        sa.Column("profile_sha256", sa.String(64)),
        sa.Column("pool_id", sa.String(200), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("validator", sa.String(60), nullable=False),
        sa.Column("files_until", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind <> 'report' OR report_sha256 IS NOT NULL", name="has_its_report"),
        sa.CheckConstraint("kind IN ('report', 'subset', 'byod', 'plugin')", name="kind"),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.ForeignKeyConstraint(["lock_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["profile_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["report_sha256"], ["artifact.sha256"]),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_submission_board_id_created_at", "submission", ["board_id", "created_at"])
    op.create_index("ix_submission_team_id_created_at", "submission", ["team_id", "created_at"])
    op.create_index(
        "ix_submission_team_id_board_id_attempt", "submission", ["team_id", "board_id", "attempt"]
    )
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
