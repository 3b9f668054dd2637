"""Teams, tokens, artifacts, submissions."""

import sqlalchemy as sa
from alembic import op

from datacomp_server.kit.db import UtcDateTime

revision = "20261122"
down_revision = None


def upgrade() -> None:
    """Create the first four tables."""
    op.create_table(
        "team",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("key", sa.String(120), nullable=False, unique=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("team_id", sa.String(26), sa.ForeignKey("team.id"), nullable=False, index=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("hint", sa.String(12), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("last_used_at", UtcDateTime()),
        sa.Column("revoked_at", UtcDateTime()),
    )
    op.create_table(
        "artifact",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    _create_submission()


def _create_submission() -> None:
    hash_of_artifact = "artifact.sha256"
    op.create_table(
        "submission",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("team_id", sa.String(26), sa.ForeignKey("team.id"), nullable=False, index=True),
        sa.Column("method", sa.String(100), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("oracle", sa.Boolean(), nullable=False),
        sa.Column(
            "report_sha256",
            sa.String(64),
            sa.ForeignKey(hash_of_artifact),
            nullable=False,
            unique=True,
        ),
        sa.Column("lock_sha256", sa.String(64), sa.ForeignKey(hash_of_artifact)),
        sa.Column("scale", sa.String(20), nullable=False),
        sa.Column("suite", sa.String(200), nullable=False),
        sa.Column("suite_sha256", sa.String(64), nullable=False),
        sa.Column("recipe_id", sa.String(200), nullable=False),
        sa.Column("pool_id", sa.String(200), nullable=False),
        sa.Column("pool_size", sa.BigInteger(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("subset_sha256", sa.String(64), nullable=False, index=True),
        sa.Column("subset_n", sa.BigInteger(), nullable=False),
        sa.Column("subset_unique", sa.BigInteger(), nullable=False),
        sa.Column("average", sa.Double()),
        sa.Column("average_stderr", sa.Double()),
        sa.Column("average_chance", sa.Double()),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("validator", sa.String(60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_submission_scale_created_at", "submission", ["scale", "created_at"])
